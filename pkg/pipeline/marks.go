package pipeline

import (
	"cmp"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/state"
)

// The types of annotations. What happens in an incident, or is to be ignored, is not learnt; a deploy may begin a new
// level; an event is for people.
const (
	DeployMark   = "deploy"
	EventMark    = "event"
	IncidentMark = "incident"
	IgnoreMark   = "ignore"
)

// openIncident is how long an incident counts that nobody has ended: forgotten ones must not stop learning for ever.
const openIncident = 24 * time.Hour

// Marks is what annotations mean for the points of series. It is immutable and has no clock: equal annotations answer
// equally. A nil Marks marks nothing.
type Marks struct {
	windows []state.Annotation // incidents and what is to be ignored, by start
	longest int64              // of the windows, milliseconds
	deploys []state.Annotation // by start
	events  []state.Annotation // deploys and events, by start
}

// NewMarks sorts annotations by what they mean.
func NewMarks(list []state.Annotation) *Marks {
	m := &Marks{}
	for _, a := range list {
		switch a.Type {
		case IncidentMark, IgnoreMark:
			if until(&a) > a.Start {
				m.windows = append(m.windows, a)
				m.longest = max(m.longest, until(&a)-a.Start)
			}
		case DeployMark:
			m.deploys = append(m.deploys, a)
			m.events = append(m.events, a)
		case EventMark:
			m.events = append(m.events, a)
		}
	}
	byStart := func(x, y state.Annotation) int { return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.ID, y.ID)) }
	slices.SortFunc(m.windows, byStart)
	slices.SortFunc(m.deploys, byStart)
	slices.SortFunc(m.events, byStart)
	return m
}

// until is where an annotation ends.
func until(a *state.Annotation) int64 {
	if a.End == 0 {
		return a.Start + openIncident.Milliseconds()
	}
	return a.End
}

// Label returns the value of a label of a series, "" when it has none.
type Label func(name string) string

// Label returns the labels by which annotations find the series: its own, those the signal adds to its alerts, and
// signal and layer.
func (s *Signal) Label(sr *Series) Label {
	return func(name string) string {
		switch name {
		case "signal":
			return s.Def.Name
		case "layer":
			return s.Def.Layer.String()
		}
		if v := sr.Labels.Get(name); v != "" {
			return v
		}
		return s.Def.Labels[name]
	}
}

// applies reports whether an annotation is about a series: every label it names has that value.
func applies(a *state.Annotation, label Label) bool {
	for name, value := range a.Labels {
		if label(name) != value {
			return false
		}
	}
	return true
}

// Marked are the windows that an instant is in: found once a tick, asked for every series.
type Marked []state.Annotation

// At returns the windows [start, end) that hold t, in unix milliseconds, by their start.
func (m *Marks) At(t int64) (in Marked) {
	if m == nil {
		return nil
	}
	first, _ := slices.BinarySearchFunc(m.windows, t-m.longest, func(a state.Annotation, t int64) int { return cmp.Compare(a.Start, t) })
	for i := first; i < len(m.windows) && m.windows[i].Start <= t; i++ {
		if t < until(&m.windows[i]) {
			in = append(in, m.windows[i])
		}
	}
	return in
}

// Of returns the first of the windows that is about a series; nil when its point is to be learnt as any other.
func (in Marked) Of(label Label) *state.Annotation {
	for i := range in {
		if applies(&in[i], label) {
			return &in[i]
		}
	}
	return nil
}

// Window is a span [From, To) of unix milliseconds.
type Window struct{ From, To int64 }

// Windows returns the spans in which a series is not to be learnt, ascending, joined where they touch.
func (m *Marks) Windows(label Label) (out []Window) {
	if m == nil {
		return nil
	}
	for i := range m.windows {
		a := &m.windows[i]
		if !applies(a, label) {
			continue
		}
		if n := len(out); n > 0 && a.Start <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, until(a))
		} else {
			out = append(out, Window{a.Start, until(a)})
		}
	}
	return out
}

// deployed tells whether anything was in [from, to).
func (m *Marks) deployed(from, to int64) bool {
	if m == nil {
		return false
	}
	first, _ := slices.BinarySearchFunc(m.deploys, from, func(a state.Annotation, t int64) int { return cmp.Compare(a.Start, t) })
	return first < len(m.deploys) && m.deploys[first].Start < to
}

// Deploys returns when, in [from, to), something was deployed that is about a series, ascending.
func (m *Marks) Deploys(from, to int64, label Label) (at []int64) {
	if m == nil {
		return nil
	}
	first, _ := slices.BinarySearchFunc(m.deploys, from, func(a state.Annotation, t int64) int { return cmp.Compare(a.Start, t) })
	for i := first; i < len(m.deploys) && m.deploys[i].Start < to; i++ {
		if applies(&m.deploys[i], label) {
			at = append(at, m.deploys[i].Start)
		}
	}
	return slices.Compact(at)
}

// Happened returns the deploys and events that began in [from, to) and are about a series, ascending.
func (m *Marks) Happened(from, to int64, label Label) (out []state.Annotation) {
	if m == nil {
		return nil
	}
	first, _ := slices.BinarySearchFunc(m.events, from, func(a state.Annotation, t int64) int { return cmp.Compare(a.Start, t) })
	for i := first; i < len(m.events) && m.events[i].Start < to; i++ {
		if applies(&m.events[i], label) {
			out = append(out, m.events[i])
		}
	}
	return out
}
