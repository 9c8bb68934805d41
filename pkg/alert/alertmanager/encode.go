package alertmanager

import (
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/baseliner/baseliner/pkg/alert"
)

// postable is an alert as the API takes it; the generated types of Alertmanager would bring a validator of OpenAPI along.
type postable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Encode gives the body of a post. Everything an Alertmanager might want is in every post: it forgets at a restart, and
// replaces annotations and the address by those of the last post. startsAt is always set, or else a future endsAt would
// become it. An alert that fires ends a few minutes ahead: an end further away could not be taken back.
func Encode(es []alert.Episode, now int64) ([]byte, error) {
	out := make([]postable, len(es))
	for i := range es {
		e := &es[i]
		end := now + lease.Milliseconds()
		if !e.Firing {
			end = max(min(e.EndsAt, now), e.StartsAt) // before startsAt would be refused
		}
		out[i] = postable{
			Labels: e.Labels, Annotations: e.Annotations, GeneratorURL: sane(e.GeneratorURL),
			StartsAt: time.UnixMilli(e.StartsAt).UTC(), EndsAt: time.UnixMilli(end).UTC(),
		}
		if e.Annotations == nil {
			out[i].Annotations = map[string]string{}
		}
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode alerts: %w", err)
	}
	return body, nil
}

// sane drops an address that is none: a single one makes an Alertmanager refuse the whole post.
func sane(generatorURL string) string {
	u, err := url.ParseRequestURI(generatorURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// relabelled gives the labels of an episode as an Alertmanager is to see them; ok is false when it is not to see them.
func relabelled(e alert.Episode, rules ...[]*relabel.Config) (alert.Episode, bool) {
	b := labels.NewBuilder(labels.FromMap(e.Labels))
	for _, r := range rules {
		if !relabel.ProcessBuilder(b, r...) {
			return e, false
		}
	}
	e.Labels = map[string]string{}
	b.Labels().Range(func(l labels.Label) {
		if l.Value != "" {
			e.Labels[l.Name] = l.Value
		}
	})
	return e, len(e.Labels) > 0
}
