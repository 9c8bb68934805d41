package incident

import (
	"cmp"
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/series"
)

// Suspect is a series that has to do with an incident, with what speaks for it. Times are unix milliseconds.
type Suspect struct {
	Signal     string        `json:"signal"`
	Layer      series.Layer  `json:"layer"`
	Service    string        `json:"service,omitempty"`
	Labels     series.Labels `json:"labels,omitempty"`
	Label      Label         `json:"label,omitempty"`
	Score      float64       `json:"score,omitempty"`      // comparable within one story
	Shift      float64       `json:"shift,omitempty"`      // mean distance from what is expected, in standard deviations, signed
	CoMovement float64       `json:"coMovement,omitempty"` // correlation with what suffered
	Onset      int64         `json:"onset,omitempty"`
	Member     bool          `json:"member,omitempty"` // it fires by itself
}

// Same tells whether two suspects are one series.
func (s *Suspect) Same(o *Suspect) bool { return s.Signal == o.Signal && s.Labels.Equal(o.Labels) }

// Event is something that people or pipelines did shortly before, and may be the cause.
type Event struct {
	ID     string            `json:"id"`
	Type   string            `json:"type"` // deploy, event
	Text   string            `json:"text,omitempty"`
	At     int64             `json:"at"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Carrier is the value of a label whose series carry the deviation of a signal.
type Carrier struct {
	Signal string  `json:"signal"`
	Name   string  `json:"name"`
	Value  string  `json:"value"`
	Share  float64 `json:"share"` // of the deviation
	Usual  float64 `json:"usual"` // of what is expected
}

// Story is an incident in three boxes, who moved first, what is broken, what it came to, and what explains it.
type Story struct {
	RankedAt int64     `json:"rankedAt,omitempty"`
	Outcome  Suspect   `json:"outcome"`          // what suffered: all else is compared with it
	First    []Suspect `json:"first,omitempty"`  // moved before all others; several at the same time
	Former   []Former  `json:"former,omitempty"` // who was told to have been first before, oldest first
	Broken   *Suspect  `json:"broken,omitempty"` // the service in which it shows
	Impact   []Suspect `json:"impact,omitempty"` // on the business
	Causes   []Suspect `json:"causes,omitempty"` // labelled ones, best first
	Events   []Event   `json:"events,omitempty"` // deploys and the like, the latest first
	Carriers []Carrier `json:"carriers,omitempty"`

	// Rival is who the last rankings named first instead of First, Convinced how many of them in a row.
	Rival     []Suspect `json:"rival,omitempty"`
	Convinced int       `json:"convinced,omitempty"`
}

// Explained tells whether anything explains what suffered.
func (s *Story) Explained() bool { return len(s.Causes) > 0 || len(s.Events) > 0 }

// Tells compares what people are told: names and labels, not the figures behind them.
func (s *Story) Tells(o *Story) bool {
	same := func(a, b Suspect) bool { return a.Same(&b) && a.Label == b.Label }
	names := func(a, b Suspect) bool { return a.Same(&b) }
	few := func(c []Suspect) []Suspect { return c[:min(len(c), 3)] }
	broken := (s.Broken == nil) == (o.Broken == nil) && (s.Broken == nil || s.Broken.Same(o.Broken))
	return broken && slices.EqualFunc(s.First, o.First, names) && slices.EqualFunc(s.Impact, o.Impact, names) &&
		slices.EqualFunc(few(s.Causes), few(o.Causes), same) && len(s.Events) == len(o.Events)
}

// Outcome returns the index of the member by which an incident is judged: of the highest layer; of several, the one that calls
// the others, else the first. What is silent comes last: it has no course to compare with.
func (in *Incident) Outcome(g *Graph) int {
	best := 0
	for i := 1; i < len(in.Members); i++ {
		a, b := &in.Members[i], &in.Members[best]
		switch {
		case a.Absent != b.Absent:
			if b.Absent {
				best = i
			}
		case a.Layer != b.Layer:
			if a.Layer > b.Layer {
				best = i
			}
		case upstream(g, a.Service, b.Service):
			best = i
		}
	}
	return best
}

// upstream tells whether a calls b, and b not a.
func upstream(g *Graph, a, b string) bool { return g.Calls(a, b) && !g.Calls(b, a) }

// Broken chooses among members the one in which users meet the incident: of the application layer, else below the outcome; not
// who moved first, where there is another; who calls the others, else who is furthest from normal. nil when there is none.
func (in *Incident) Broken(g *Graph, outcome *Anomaly, first []Suspect) *Suspect {
	starts := func(a *Anomaly) bool {
		return slices.ContainsFunc(first, func(s Suspect) bool {
			return s.Service == a.Service && s.Signal == a.Signal || a.Service != "" && s.Service == a.Service
		})
	}
	layer := min(outcome.Layer, series.Application)
	var best *Anomaly
	for i := range in.Members {
		a := &in.Members[i]
		if a.Layer > layer {
			continue
		}
		if best == nil {
			best = a
			continue
		}
		better := cmp.Or(
			cmp.Compare(a.Layer, best.Layer),
			boolCompare(!starts(a), !starts(best)),
			boolCompare(upstream(g, a.Service, best.Service), upstream(g, best.Service, a.Service)),
			cmp.Compare(math.Abs(a.Peak), math.Abs(best.Peak)),
		)
		if better > 0 {
			best = a
		}
	}
	if best == nil {
		return nil
	}
	s := best.suspect()
	return &s
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// suspect is an anomaly as part of a story.
func (a *Anomaly) suspect() Suspect {
	return Suspect{Signal: a.Signal, Layer: a.Layer, Service: a.Service, Labels: a.Labels, Onset: a.StartsAt, Member: true}
}

// Impact are the members of the business layer, each series once.
func (in *Incident) Impact() (out []Suspect) {
	for i := range in.Members {
		a := &in.Members[i]
		s := a.suspect()
		if a.Layer == series.Business && !slices.ContainsFunc(out, func(o Suspect) bool { return o.Same(&s) }) {
			out = append(out, s)
		}
	}
	return out
}

// Earliest are the members that began first, where no ranking says more: those within a tie of each other, as the graph orders
// them. tick is the distance of two points, milliseconds.
func (in *Incident) Earliest(g *Graph, tick int64) (out []Suspect) {
	movers := make([]Mover, len(in.Members))
	for i := range in.Members {
		service := in.Members[i].Service
		if service == "" {
			service = in.Members[i].Signal
		}
		movers[i] = Mover{Service: service, Row: int(in.Members[i].StartsAt / max(tick, 1)), Layer: in.Members[i].Layer}
	}
	for _, i := range FirstMovers(movers, g) {
		out = append(out, in.Members[i].suspect())
	}
	return out
}
