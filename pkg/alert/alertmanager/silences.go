package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/baseliner/baseliner/pkg/alert"
)

const (
	// askSilences is how often Alertmanagers are asked for their silences.
	askSilences = 15 * time.Second
	// mostSilences bounds an answer in bytes.
	mostSilences = 16 << 20
)

// listen reads the silences of the Alertmanagers back. The members of a cluster share them, so the first that answers
// speaks for its configuration. While none does, what is known stays: it ends by itself.
func (f *Fanout) listen(ctx context.Context) {
	if f.silences == nil {
		return
	}
	wait := f.pace   // the first peers have yet to be found
	dropped := false // the silences of who is not configured any more
	for sleep(ctx, wait, nil, false) {
		f.mu.Lock()
		peers := maps.Clone(f.peers)
		f.mu.Unlock()
		if len(peers) == 0 {
			if !dropped && !f.Configured() {
				dropped = true
				f.silences(nil, nil)
			}
			continue
		}
		dropped = false
		wait = askSilences
		heard := map[string]bool{} // configurations that somebody has spoken for
		var all []alert.Silence
		for _, key := range slices.Sorted(maps.Keys(peers)) {
			group, _, _ := strings.Cut(key, " ")
			if heard[group] {
				continue
			}
			ss, err := peers[key].ask(ctx, f.agent)
			if err != nil {
				f.logger.Debug("alertmanager does not tell its silences", "peer", peers[key].name, "err", err)
				continue
			}
			heard[group] = true
			for i := range ss {
				ss[i].Origin = group
			}
			all = append(all, ss...)
		}
		unheard := map[string]bool{}
		for i := range f.plan.Load().configs {
			if origin := strconv.Itoa(i); !heard[origin] {
				unheard[origin] = true
			}
		}
		if len(heard) == 0 {
			f.metrics.silencesFailed.Inc()
			continue
		}
		f.silences(all, unheard)
	}
}

// ask reads the silences that are in force or will be.
func (p *peer) ask(ctx context.Context, agent string) (out []alert.Silence, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	u := *p.url
	u.Path = path.Join(path.Dir(u.Path), "silences")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("the address is not one")
	}
	req.Header.Set("User-Agent", agent)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("get silences: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get silences: %s", resp.Status)
	}
	var list []struct {
		ID                 string
		StartsAt, EndsAt   time.Time
		CreatedBy, Comment string
		Status             struct{ State string }
		Matchers           []struct {
			Name, Value string
			IsRegex     bool
			IsEqual     *bool // absent in old versions: true
		}
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostSilences)).Decode(&list); err != nil {
		return nil, fmt.Errorf("silences: %w", err)
	}
	for _, s := range list {
		if s.Status.State == "expired" {
			continue
		}
		silence := alert.Silence{
			ID: s.ID, StartsAt: s.StartsAt.UnixMilli(), EndsAt: s.EndsAt.UnixMilli(), CreatedBy: s.CreatedBy, Comment: s.Comment, Source: "Alertmanager",
		}
		for _, m := range s.Matchers {
			typ := labels.MatchEqual
			equal := m.IsEqual == nil || *m.IsEqual
			switch {
			case m.IsRegex && equal:
				typ = labels.MatchRegexp
			case m.IsRegex:
				typ = labels.MatchNotRegexp
			case !equal:
				typ = labels.MatchNotEqual
			}
			silence.Matchers = append(silence.Matchers, (&labels.Matcher{Type: typ, Name: m.Name, Value: m.Value}).String())
		}
		out = append(out, silence)
	}
	return out, nil
}
