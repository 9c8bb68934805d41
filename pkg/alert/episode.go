package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/prometheus/common/model"
)

// Transition is the begin or the end of an episode, or that it grew. Times are unix milliseconds.
type Transition struct {
	Firing       bool              `json:"firing"`
	Escalated    bool              `json:"escalated,omitempty"` // it began as one that pages nobody, and pages by now
	Graver       bool              `json:"graver,omitempty"`    // it is an incident that began as a lesser one
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
	StartsAt     int64             `json:"startsAt"`
	EndsAt       int64             `json:"endsAt,omitempty"` // 0 while it fires
	// Incident is the id of the one that it is part of: whoever is told of that is not told of this.
	Incident string `json:"incident,omitempty"`
	// Updated says that nothing began or ended: what is known of the episode is another than before, since this instant.
	Updated int64 `json:"updated,omitempty"`
}

// ID is the hash of fingerprint, begin and state, and of when it was updated: the same transition found again has the same
// id.
func (t *Transition) ID() string {
	state := "resolved"
	switch {
	case t.Firing && t.Escalated:
		state = "paging"
	case t.Firing:
		state = "firing"
	}
	if t.Firing && t.Graver {
		state += " " + t.Severity()
	}
	text := fmt.Appendf(nil, "%s %d %s", Fingerprint(t.Labels), t.StartsAt, state)
	if t.Updated != 0 {
		text = fmt.Appendf(text, " %d", t.Updated)
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:16])
}

// Fingerprint is Alertmanager's: sixteen hexadecimal digits over the sorted labels.
func Fingerprint(labels map[string]string) string { return labelSet(labels).Fingerprint().String() }

func labelSet(labels map[string]string) model.LabelSet {
	ls := make(model.LabelSet, len(labels))
	for n, v := range labels {
		ls[model.LabelName(n)] = model.LabelValue(v)
	}
	return ls
}

// Episode is one alert from its begin to its end.
type Episode struct {
	Transition
	Fingerprint string `json:"fingerprint"`
}

// Key identifies an episode: an alert that fires again is another one.
func (t *Transition) Key() string { return fmt.Sprintf("%s/%d", Fingerprint(t.Labels), t.StartsAt) }
