package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/state"
)

// maxIncidents bounds what is kept of the past.
const maxIncidents = 1000

// IncidentRecord is an incident as it is kept, with the words that people were told and what it took.
type IncidentRecord struct {
	incident.Incident
	Summary     string            `json:"summary"`
	Annotations map[string]string `json:"annotations"`
	Losses      []LossRecord      `json:"losses,omitempty"`
	UpdatedAt   int64             `json:"updatedAt"`
}

// LossRecord is what one series lost. An interval that is not known is absent.
type LossRecord struct {
	Signal   string        `json:"signal"`
	Labels   series.Labels `json:"labels,omitempty"`
	Unit     string        `json:"unit,omitempty"`
	From     int64         `json:"from"`
	To       int64         `json:"to"`
	Lost     float64       `json:"lost"`           // in units of the signal
	More     bool          `json:"more,omitempty"` // bad news is more: lost is what came too much
	Low      *float64      `json:"low,omitempty"`
	High     *float64      `json:"high,omitempty"`
	Level    float64       `json:"level"` // probability that the interval holds the truth
	PerUnit  float64       `json:"perUnit,omitempty"`
	Currency string        `json:"currency,omitempty"`
}

// tellStory makes the transition of an incident that changed, and what is kept of it.
func (in *Instance) tellStory(ctx context.Context, change *StoryChange, t int64) {
	story := change.Incident
	impacts, losses := in.losses(ctx, story, t)
	w := in.core.DescribeIncident(story, t, impacts, in.o.External, in.o.Page)
	tr := Transition{Words: w, Firing: !change.Ended, Escalated: change.Grown && !change.Ended, Graver: change.Graver && !change.Ended, StartsAt: story.StartsAt, EndsAt: story.EndsAt}
	if !change.Began && !change.Ended && !change.Grown && !change.Graver {
		tr.Updated = t
	} else {
		state := "resolved"
		switch {
		case tr.Escalated:
			state = "paging"
		case tr.Graver:
			state = "graver"
		case tr.Firing:
			state = "firing"
		}
		in.metrics.transitions.WithLabelValues(state, "incident").Inc()
		in.o.Logger.Info("incident", "summary", w.Annotations["summary"], "state", state, "incident", story.ID, "anomalies", len(story.Members), "tick", clockText(t))
	}
	in.transitions = append(in.transitions, tr)
	record := IncidentRecord{Incident: *story, Summary: w.Annotations["summary"], Annotations: w.Annotations, Losses: losses, UpdatedAt: t}
	text, err := json.Marshal(&record)
	if err != nil {
		in.o.Logger.Error("incident is not kept: it cannot be encoded", "incident", story.ID, "err", err)
		return
	}
	in.incidents = append(in.incidents, state.Incident{ID: story.ID, Start: story.StartsAt, Text: text})
}

// losses sums up what the members of an incident cost, from its begin to the end of each, or to t.
func (in *Instance) losses(ctx context.Context, story *incident.Incident, t int64) (impacts []impactOf, records []LossRecord) {
	for i := range story.Members {
		m := &story.Members[i]
		s, sr, ok := in.core.find(m)
		if !ok || m.Absent || slices.ContainsFunc(records, func(r LossRecord) bool { return r.Signal == m.Signal && r.Labels.Equal(m.Labels) }) {
			continue
		}
		to := int64(0)
		for k := range story.Members {
			if x := &story.Members[k]; x.ID == m.ID {
				end := x.EndsAt
				if x.Open() {
					end = t
				}
				to = max(to, end)
			}
		}
		from := min(story.StartsAt, m.StartsAt)
		l, ok := in.lossNow(ctx, s, sr, from, to, maxLosses)
		if !ok {
			continue
		}
		r := LossRecord{Signal: m.Signal, Labels: m.Labels, Unit: l.Unit, From: from, To: to, Lost: l.Lost, More: l.More, Level: l.Level}
		if l.Bounded {
			r.Low, r.High = &l.Low, &l.High
		}
		if l.Money != nil {
			r.PerUnit, r.Currency = l.Money.Amount, l.Money.Currency
		}
		impacts, records = append(impacts, impactOf{m.Signal, l}), append(records, r)
	}
	order := func(a, b float64) int { return cmp.Compare(math.Abs(b), math.Abs(a)) }
	slices.SortStableFunc(impacts, func(a, b impactOf) int { return order(a.worth(), b.worth()) })
	return impacts, records
}

// worth orders losses: in money where that is known.
func (i *impactOf) worth() float64 {
	if i.Money != nil {
		return 1e9 + math.Abs(i.Lost*i.Money.Amount)
	}
	return math.Abs(i.Lost)
}

// putIncidents keeps what changed.
func putIncidents(tx *bbolt.Tx, all []state.Incident) error {
	for i := range all {
		if err := state.PutIncident(tx, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// EachIncident gives those that began before an instant, unix milliseconds, the newest first, until f wants no more; what it does not
// come to is not read. It is safe to call at any time.
func (in *Instance) EachIncident(before int64, f func(r *IncidentRecord) (more bool)) error {
	err := in.o.Ledger.View(func(tx *bbolt.Tx) error {
		return state.EachIncident(tx, before, func(kept *state.Incident) bool {
			r := in.decodeIncident(kept)
			return r == nil || f(r)
		})
	})
	if err != nil {
		return fmt.Errorf("read incidents: %w", err)
	}
	return nil
}

// decodeIncident is nil for what is damaged.
func (in *Instance) decodeIncident(kept *state.Incident) *IncidentRecord {
	r := &IncidentRecord{}
	if err := json.Unmarshal(kept.Text, r); err != nil || r.ID != kept.ID {
		in.o.Logger.Error("incident is damaged and passed over", "incident", kept.ID, "err", err)
		return nil
	}
	return r
}

// Incident returns the one of an id; nil when there is none. It is safe to call at any time.
func (in *Instance) Incident(id string) (r *IncidentRecord, err error) {
	err = in.o.Ledger.View(func(tx *bbolt.Tx) error {
		if kept := state.FindIncident(tx, id); kept != nil {
			r = in.decodeIncident(kept)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read incident %s: %w", id, err)
	}
	return r, nil
}

// OpenIncidents returns those that last, the newest first. It is safe to call at any time.
func (in *Instance) OpenIncidents() (out []IncidentRecord, err error) {
	for _, id := range in.openIncidents() {
		r, err := in.Incident(id)
		if err != nil {
			return nil, err
		}
		if r != nil && r.Open() { // what was told at this very tick may not be kept yet
			out = append(out, *r)
		}
	}
	return out, nil
}

// openIncidents are the ids of those that are followed, the newest first.
func (in *Instance) openIncidents() (ids []string) {
	in.mu.RLock()
	defer in.mu.RUnlock()
	if in.core.stories == nil {
		return nil
	}
	for _, one := range slices.Backward(in.core.stories.tracker.Open) {
		if one.Told() {
			ids = append(ids, one.ID)
		}
	}
	return ids
}

// IncidentsOf returns those that overlap with [from, to), unix milliseconds, the newest first. It is safe to call at any time.
func (in *Instance) IncidentsOf(from, to int64) (out []IncidentRecord, err error) {
	err = in.EachIncident(to, func(r *IncidentRecord) bool {
		if r.Open() || r.EndsAt > from {
			out = append(out, *r)
		}
		return true
	})
	return out, err
}

// closeIncidents ends those that are kept as open and that nobody follows any more.
func (in *Instance) closeIncidents() error {
	all, err := in.IncidentsOf(math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	for i := range all {
		r := &all[i]
		if !r.Open() || slices.ContainsFunc(in.core.stories.tracker.Open, func(o *incident.Incident) bool { return o.ID == r.ID }) {
			continue
		}
		r.EndsAt, r.UpdatedAt = max(in.last, r.StartsAt), in.last
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode incident %s: %w", r.ID, err)
		}
		in.incidents = append(in.incidents, state.Incident{ID: r.ID, Start: r.StartsAt, Text: text})
	}
	return nil
}

// forgetIncidents drops what is older than history.
func (in *Instance) forgetIncidents(tx *bbolt.Tx, t int64) error {
	return state.DropIncidents(tx, t-max(in.o.HistoryKeep, 24*time.Hour).Milliseconds(), maxIncidents)
}
