package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Incidents gives the incidents that are kept, the newest first. It is safe for concurrent use; what it returns belongs to
// the caller, who only reads it. What nobody comes to is not read.
type Incidents interface {
	// Each gives those that began before an instant, zero for all, until f wants no more.
	Each(before time.Time, f func(*IncidentView) (more bool)) error
	// Open are those that last.
	Open() ([]IncidentView, error)
	// Find returns the one of an id; nil when there is none.
	Find(id string) (*IncidentView, error)
}

// IncidentView is one story: anomalies that overlap in time and have to do with each other.
type IncidentView struct {
	ID         string            `json:"id"`
	State      string            `json:"state"` // open, resolved or merged
	MergedInto string            `json:"merged_into,omitempty"`
	StartsAt   time.Time         `json:"starts_at"`
	EndsAt     time.Time         `json:"ends_at,omitzero"`
	ToldAt     time.Time         `json:"told_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
	Severity   string            `json:"severity"`
	Layer      string            `json:"layer"` // of what suffered
	Labels     map[string]string `json:"labels"`
	Summary    string            `json:"summary"`
	// The three boxes: who moved first, several at the same time; where it shows; what it came to.
	FirstMovers  []SuspectView `json:"first_movers"`
	Simultaneous bool          `json:"simultaneous,omitempty"`
	Former       []FormerView  `json:"former_first_movers,omitempty"` // who was told to be the first before, oldest first
	Broken       *SuspectView  `json:"broken_service,omitempty"`
	Impact       []ImpactView  `json:"impact"`

	Explained    bool              `json:"explained"`
	Causes       []SuspectView     `json:"likely_causes"`
	Events       []EventView       `json:"events"`       // deploys and the like, shortly before
	Contributors []ContributorView `json:"contributors"` // labels that carry the deviation
	Members      []MemberView      `json:"anomalies"`
	Annotations  map[string]string `json:"annotations"` // as told
}

// SuspectView is a series that has to do with an incident.
type SuspectView struct {
	Signal     string            `json:"signal"`
	Layer      string            `json:"layer"`
	Service    string            `json:"service,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Label      string            `json:"label,omitempty"`       // strong or same_time
	Score      float64           `json:"score,omitempty"`       // comparable within one incident
	Shift      float64           `json:"shift,omitempty"`       // standard deviations from what is expected, signed
	CoMovement float64           `json:"co_movement,omitempty"` // correlation with what suffered
	Since      time.Time         `json:"since,omitzero"`
	Anomalous  bool              `json:"anomalous"` // it is an anomaly of the incident itself
}

// FormerView is who was told to have moved first, until more was known.
type FormerView struct {
	FirstMovers []SuspectView `json:"first_movers"`
	Until       time.Time     `json:"until"`
}

// ImpactView is what a business signal lost. Low and high are absent while the past is too short to tell.
type ImpactView struct {
	SuspectView
	From  time.Time  `json:"from,omitzero"`
	To    time.Time  `json:"to,omitzero"`
	Lost  *float64   `json:"lost,omitempty"`            // in units of the signal; absent when its values do not add up
	More  bool       `json:"lost_is_surplus,omitempty"` // bad news is more: lost is what came too much
	Low   *float64   `json:"lost_low,omitempty"`
	High  *float64   `json:"lost_high,omitempty"`
	Level float64    `json:"level,omitempty"` // probability that the interval holds the truth
	Unit  string     `json:"unit,omitempty"`
	Cost  *MoneyView `json:"cost,omitempty"`
}

// MoneyView is an amount of money with its interval.
type MoneyView struct {
	Amount   float64  `json:"amount"`
	Low      *float64 `json:"low,omitempty"`
	High     *float64 `json:"high,omitempty"`
	Currency string   `json:"currency"`
}

// EventView is something that people or pipelines did.
type EventView struct {
	ID     string            `json:"id"`
	Type   string            `json:"type"`
	Text   string            `json:"text,omitempty"`
	At     time.Time         `json:"at"`
	Labels map[string]string `json:"labels,omitempty"`
}

// ContributorView is a label's value whose series carry the deviation of a signal.
type ContributorView struct {
	Signal string  `json:"signal"`
	Name   string  `json:"label"`
	Value  string  `json:"value"`
	Share  float64 `json:"share"`
	Usual  float64 `json:"usual_share"`
}

// MemberView is an anomaly of an incident.
type MemberView struct {
	Signal    string            `json:"signal"`
	Layer     string            `json:"layer"`
	Service   string            `json:"service,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Type      string            `json:"type"` // anomaly or absent
	Direction string            `json:"direction,omitempty"`
	Severity  string            `json:"severity"`
	StartsAt  time.Time         `json:"starts_at"`
	EndsAt    time.Time         `json:"ends_at,omitzero"`
	Peak      float64           `json:"peak_score"`
	Why       string            `json:"why,omitempty"` // it belongs here
}

func (i *IncidentView) open() bool { return i.State == "open" }

// ownIncidents is GET incidents?state=&limit=&before=.
func (h *handler) ownIncidents(r *http.Request) (answer, error) {
	limit, err := limitParam(r, "limit")
	if err != nil {
		return answer{}, err
	}
	var before time.Time
	if r.FormValue("before") != "" {
		if before, err = timeParam(r, "before", before); err != nil {
			return answer{}, err
		}
	}
	out := []IncidentView{}
	state := r.FormValue("state")
	if states := []string{"", "open", "resolved", "merged"}; !slices.Contains(states, state) {
		return answer{}, &apiError{typ: errBadData, err: fmt.Errorf("invalid parameter \"state\": %q is not one of open, resolved, merged", state)}
	}
	take := func(i *IncidentView) (more bool) { // a page ends between two instants: the next one begins before its last
		if limit > 0 && len(out) >= limit && !i.StartsAt.Equal(out[len(out)-1].StartsAt) {
			return false
		}
		if state == "" || i.State == state {
			out = append(out, *i)
		}
		return true
	}
	if state != "open" {
		err = h.Incidents.Each(before, take)
		return answer{data: out}, err
	}
	open, err := h.Incidents.Open()
	for i := range open {
		if before.IsZero() || open[i].StartsAt.Before(before) {
			if !take(&open[i]) {
				break
			}
		}
	}
	return answer{data: out}, err
}

// ownIncident is GET incidents/{id}.
func (h *handler) ownIncident(r *http.Request) (answer, error) {
	one, err := h.incident(r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return answer{data: one}, nil
}

func (h *handler) incident(id string) (*IncidentView, error) {
	one, err := h.Incidents.Find(id)
	if err == nil && one == nil {
		err = &apiError{typ: errNotFound, err: errors.New("no such incident: " + id)}
	}
	return one, err
}
