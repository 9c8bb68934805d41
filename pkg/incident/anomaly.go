package incident

import (
	"cmp"
	"slices"

	"github.com/baseliner/baseliner/pkg/series"
)

// Anomaly is one deviation of one series, or of a signal as a whole, as a member of a story. Times are unix milliseconds.
type Anomaly struct {
	ID        string           `json:"id"` // unique among what is open, and the same after a restart
	Signal    string           `json:"signal"`
	Layer     series.Layer     `json:"layer"`
	Service   string           `json:"service,omitempty"` // that it belongs to, if that is known
	Labels    series.Labels    `json:"labels,omitempty"`  // of the series, and those that the signal adds
	Absent    bool             `json:"absent,omitempty"`  // no data, else a deviation
	Direction series.Direction `json:"direction"`
	Severity  string           `json:"severity,omitempty"`
	Team      string           `json:"team,omitempty"`
	Quiet     bool             `json:"quiet,omitempty"` // told beyond the budget: nobody is woken for it
	StartsAt  int64            `json:"startsAt"`
	EndsAt    int64            `json:"endsAt,omitempty"` // 0 while it lasts
	Peak      float64          `json:"peak"`             // largest |score|, signed; 0 of an absence
	JoinedAt  int64            `json:"joinedAt"`
	Why       string           `json:"why,omitempty"` // it belongs here; empty of the first
}

// Open tells whether it lasts.
func (a *Anomaly) Open() bool { return a.EndsAt == 0 }

// Incident is one story: anomalies that overlap in time and have to do with each other.
type Incident struct {
	ID       string `json:"id"`
	StartsAt int64  `json:"startsAt"` // of the first anomaly, as known when the incident was first told
	EndsAt   int64  `json:"endsAt,omitempty"`
	// ToldAt is when it became an incident: two different things are wrong at once. Before that it is a lone anomaly, and
	// 0.
	ToldAt  int64     `json:"toldAt,omitempty"`
	Members []Anomaly `json:"members"`              // in the order in which they joined
	Merged  string    `json:"mergedInto,omitempty"` // id of the incident that this one turned out to be part of
	Story   Story     `json:"story"`
	// Labels are those of its alert: identity, fixed when it is told.
	Labels map[string]string `json:"labels,omitempty"`
	Quiet  bool              `json:"quiet,omitempty"` // told to wake nobody, so far
	// Gravest is the severity that was told last; empty as long as it is that of the labels.
	Gravest string `json:"gravest,omitempty"`
}

// Told tells whether it is an incident yet.
func (in *Incident) Told() bool { return in.ToldAt != 0 }

// Open tells whether it lasts.
func (in *Incident) Open() bool { return in.EndsAt == 0 }

// Wakes tells whether any member is worth waking somebody for.
func (in *Incident) Wakes() bool {
	return slices.ContainsFunc(in.Members, func(m Anomaly) bool { return !m.Quiet })
}

// open counts the members that last.
func (in *Incident) open() (n int) {
	for i := range in.Members {
		if in.Members[i].Open() {
			n++
		}
	}
	return n
}

// lastEnd is when its last member ended.
func (in *Incident) lastEnd() (t int64) {
	for i := range in.Members {
		t = max(t, in.Members[i].EndsAt)
	}
	return t
}

// kinds counts what is wrong: of a signal, values and silence.
func (in *Incident) kinds() int {
	type kind struct {
		signal string
		absent bool
	}
	seen := map[kind]bool{}
	for i := range in.Members {
		seen[kind{in.Members[i].Signal, in.Members[i].Absent}] = true
	}
	return len(seen)
}

// Severity is the gravest of its members.
func (in *Incident) Severity() (s string) {
	for i := range in.Members {
		if Graver(in.Members[i].Severity, s) {
			s = in.Members[i].Severity
		}
	}
	return s
}

// Worsen tells whether the incident is graver by now than was told, and takes note of it.
func (in *Incident) Worsen() bool {
	s := in.Severity()
	if !in.Told() || in.Labels == nil || !Graver(s, cmp.Or(in.Gravest, in.Labels["severity"])) {
		return false
	}
	in.Gravest = s
	return true
}

var gravity = map[string]int{"info": 1, "warning": 2, "critical": 3}

// Graver tells whether one severity is graver than another. What is not one of ours is the least.
func Graver(a, b string) bool { return gravity[a] > gravity[b] }
