package pipeline

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/state"
)

// Forgotten is what nothing is learnt from: windows that were unlearned, and those that annotations mark. An hour that
// one of them touches is not folded; a point inside is judged and teaches nothing. It is immutable and has no clock. A nil
// Forgotten forgets nothing.
type Forgotten struct {
	spans   []forgotten // by start
	longest int64
	sources sources
}

// sources are the lists that it was made from.
type sources struct {
	unlearned *[]state.Unlearned
	notes     *annotated
}

// forgotten is one window and the series it is about.
type forgotten struct {
	Window
	Kind   string // unlearned, incident or ignore
	ID     string
	Reason string
	since  int64 // it counts for ticks after this one
	about  func(Label) bool
	key    string // equal for what means the same
}

// NewForgotten joins what was unlearned and what annotations mark. bad hears of windows that cannot be understood.
func NewForgotten(unlearned []state.Unlearned, notes []state.Annotation, bad func(id string, err error)) *Forgotten {
	f := &Forgotten{}
	for i := range unlearned {
		u := &unlearned[i]
		about, err := parseMatch(u.Match)
		if err != nil {
			bad(u.ID, err)
			continue
		}
		f.spans = append(f.spans, forgotten{
			Window{u.From, u.To},
			unlearnedKind, u.ID, u.Reason, u.Tick, about,
			fmt.Sprintf("%d %d %s", u.From, u.To, u.Match),
		})
	}
	for i := range notes {
		a := &notes[i]
		if a.Type != IncidentMark && a.Type != IgnoreMark || until(a) <= a.Start {
			continue
		}
		f.spans = append(f.spans, forgotten{
			Window{a.Start, until(a)},
			a.Type, a.ID, a.Text, 0, func(l Label) bool { return applies(a, l) },
			fmt.Sprintf("%d %d %q", a.Start, until(a), a.Labels),
		})
	}
	slices.SortFunc(f.spans, func(a, b forgotten) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.key, b.key), cmp.Compare(a.ID, b.ID))
	})
	for i := range f.spans {
		f.longest = max(f.longest, f.spans[i].To-f.spans[i].From)
	}
	return f
}

// unlearnedKind is what a window is that was unlearned; others have the type of their annotation.
const unlearnedKind = "unlearned"

// parseMatch reads a selector of series; a metric name in it is that of a signal. An empty one matches all.
func parseMatch(match string) (func(Label) bool, error) {
	if match == "" || match == "{}" {
		return func(Label) bool { return true }, nil
	}
	ms, err := parser.NewParser(parser.Options{}).ParseMetricSelector(match)
	if err != nil {
		return nil, fmt.Errorf("selector %s: %w", match, err)
	}
	return func(label Label) bool {
		for _, m := range ms {
			name := m.Name
			if name == model.MetricNameLabel {
				name = "signal"
			}
			if !m.Matches(label(name)) {
				return false
			}
		}
		return true
	}, nil
}

// overlapping returns the windows that share an instant with [from, to).
func (f *Forgotten) overlapping(from, to int64) (in []forgotten) {
	if f == nil {
		return nil
	}
	first, _ := slices.BinarySearchFunc(f.spans, from-f.longest, func(s forgotten, t int64) int { return cmp.Compare(s.From, t) })
	for i := first; i < len(f.spans) && f.spans[i].From < to; i++ {
		if f.spans[i].To > from {
			in = append(in, f.spans[i])
		}
	}
	return in
}

// of returns those windows among all that are about a series.
func (f *Forgotten) of(label Label) []forgotten {
	if f == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.spans), func(s forgotten) bool { return !s.about(label) })
}

// before returns what was forgotten when the tick was judged: windows that were unlearned later did not count yet.
func (f *Forgotten) before(tick int64) *Forgotten {
	if f == nil {
		return nil
	}
	late := func(s forgotten) bool { return s.since > 0 && s.since >= tick }
	return &Forgotten{spans: slices.DeleteFunc(slices.Clone(f.spans), late), longest: f.longest}
}

// touches tells whether a series is not to learn from what was gathered in [from, to).
func (f *Forgotten) touches(from, to int64, label Label) bool {
	for _, s := range f.overlapping(from, to) {
		if s.about(label) {
			return true
		}
	}
	return false
}

// keep drops from a history, in the order of time, what a series is not to learn from. spanOf is what the summary
// of an hour was gathered in. A fresh level that was opened in an hour that is dropped is opened with the next one. It
// reuses the slice.
func (f *Forgotten) keep(history []baseline.Summary, label Label, spanOf func(hour int32) (from, to int64)) []baseline.Summary {
	about := f.of(label)
	kept, fresh := history[:0], uint8(0)
	for i := range history {
		s := &history[i]
		from, to := spanOf(s.Hour)
		touched := slices.ContainsFunc(about, func(w forgotten) bool { return w.From < to && w.To > from })
		fresh |= s.Flags & baseline.FreshLevel
		if touched || s.Flags&baseline.Withheld != 0 {
			continue
		}
		kept = append(kept, *s)
		kept[len(kept)-1].Flags |= fresh
		fresh = 0
	}
	return kept
}

// changed returns the windows that only one of the two has.
func (f *Forgotten) changed(other *Forgotten) (out []forgotten) {
	count := map[string]int{}
	note := func(f *Forgotten) {
		for i := range f.spans {
			count[f.spans[i].key]++
		}
	}
	only := func(f, other *Forgotten) {
		clear(count)
		note(other)
		for i := range f.spans {
			if count[f.spans[i].key] == 0 {
				out = append(out, f.spans[i])
			}
		}
	}
	if f == nil {
		f = &Forgotten{}
	}
	if other == nil {
		other = &Forgotten{}
	}
	only(f, other)
	only(other, f)
	return out
}

// fingerprint is equal for what forgets the same.
func (f *Forgotten) fingerprint() string {
	if f == nil || len(f.spans) == 0 {
		return ""
	}
	h := sha256.New()
	last := ""
	for i := range f.spans {
		if k := f.spans[i].key; k != last {
			fmt.Fprintf(h, "%q\n", k)
			last = k
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
