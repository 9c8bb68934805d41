package promql

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/series"
)

// Intervals tells how far apart the samples of a series come.
type Intervals struct {
	Default time.Duration            // when nothing better is known
	ByJob   map[string]time.Duration // of scraped jobs
}

// bornWithin is how far back a selector without data is asked whether it ever had any.
const bornWithin = int64(48 * time.Hour / time.Millisecond)

// judge applies the freshness rule to every point: silence is missing, not zero and not "as before". PromQL gives a
// rate minutes after its counter died and repeats a gauge for the whole lookback; such a value is no observation. A
// point counts only if, for every selector it depends on, one of the series behind it
//
//   - has a sample at most two intervals old (an offset taken into account) that is no staleness marker, and
//   - has no hole of more than two intervals inside the range of the selector.
//
// The series behind a result are those that do not contradict its labels. A side of "or" that never had data is no
// reason to doubt the other: sum(errors) or vector(0) is zero until the first error.
func (w *witness) judge(need requirement, results []Result, from, to int64, intervals Intervals) {
	f := &freshness{witness: w, from: from, to: to, intervals: intervals}
	for _, s := range w.selections {
		f.sources = append(f.sources, newSource(s, intervals))
	}
	cursors := make([]int, len(results))
	reporters := newReporters(need, f, results)
	var counts []int
	for {
		t := int64(math.MaxInt64) // the next tick that any result has
		for i, r := range results {
			if c := cursors[i]; c < len(r.Points) {
				t = min(t, r.Points[c].T)
			}
		}
		if t == math.MaxInt64 {
			return
		}
		f.moveTo(t)
		counts = reporters.at(f, counts)
		for i, r := range results {
			c := cursors[i]
			if c == len(r.Points) || r.Points[c].T != t {
				continue
			}
			cursors[i]++
			p := &r.Points[c]
			p.Missing = f.check(need, r.Labels)
			p.Reporters = uint16(min(counts[i], math.MaxUint16))
			if p.Missing == series.Observed && (math.IsNaN(p.Value) || math.IsInf(p.Value, 0)) {
				p.Missing = series.NotANumber
			}
			if p.Missing != series.Observed {
				p.Value = math.NaN()
			}
		}
	}
}

type freshness struct {
	witness  *witness
	from, to int64
	t        int64

	intervals Intervals
	sources   []*source
}

// source is one selector at the tick under judgement.
type source struct {
	*selection
	inputs []input
	bornAt int64 // when its data began; 0 while nobody asked
	sound  int64 // the last tick at which every input was found observed
	asked  int64 // the last tick at which that was found out
}

// input is one series of a selector with a cursor into its samples.
type input struct {
	*inputs
	interval int64
	next     int   // first sample not yet passed
	run      int64 // begin of the stretch without holes that holds the last passed sample
}

func newSource(s *selection, intervals Intervals) *source {
	src := &source{selection: s, inputs: make([]input, len(s.series))}
	for i, in := range s.series {
		src.inputs[i] = input{inputs: in, interval: intervals.of(in).Milliseconds()}
	}
	return src
}

// job is what the configuration says of a job.
func (iv Intervals) job(name string) time.Duration {
	if d, ok := iv.ByJob[name]; ok {
		return d
	}
	return iv.Default
}

// of is what the samples show, where there are enough of them; but no less than the job's configuration says.
func (iv Intervals) of(in *inputs) time.Duration {
	d, configured := iv.ByJob[in.labels.Get("job")]
	if len(in.times) < 4 {
		return iv.job(in.labels.Get("job"))
	}
	gaps := make([]int64, 0, len(in.times)-1)
	for i := 1; i < len(in.times); i++ {
		gaps = append(gaps, in.times[i].t()-in.times[i-1].t())
	}
	slices.Sort(gaps)
	shown := time.Duration(gaps[len(gaps)/2]) * time.Millisecond
	if configured {
		return max(d, shown) // exporters with timestamps of their own may be slower
	}
	return shown
}

func (f *freshness) moveTo(t int64) {
	f.t = t
	for _, s := range f.sources {
		ref := f.reference(s)
		for i := range s.inputs {
			s.inputs[i].moveTo(ref)
		}
	}
}

// reference is the instant that a selector is asked about: the tick, or what its offset makes of it.
func (f *freshness) reference(s *source) int64 { return f.t - (f.to - s.end) }

func (in *input) moveTo(ref int64) {
	for in.next < len(in.times) && in.times[in.next].t() <= ref {
		m := in.times[in.next]
		in.next++
		if m.stale() {
			continue
		}
		if last, ok := in.lastBefore(in.next - 1); !ok || m.t()-last > 2*in.interval {
			in.run = m.t()
		}
	}
}

// lastBefore returns the newest true sample before index i.
func (in *input) lastBefore(i int) (int64, bool) {
	for i--; i >= 0; i-- {
		if !in.times[i].stale() {
			return in.times[i].t(), true
		}
	}
	return 0, false
}

func (in *input) state(ref, window int64) series.Missing {
	if in.next == 0 {
		return series.Stale
	}
	last := in.times[in.next-1]
	if last.stale() || ref-last.t() > 2*in.interval {
		return series.Stale
	}
	// As rate() does, a first sample within 1.1 intervals of the edge counts as being there.
	if window > 0 && in.run > ref-window+in.interval*11/10 {
		return series.Gap
	}
	return series.Observed
}

func (f *freshness) check(need requirement, ls series.Labels) series.Missing {
	switch need.kind {
	case nothing:
	case leaf:
		return f.checkLeaf(need, ls)
	case all:
		for _, r := range need.of {
			if m := f.check(r, ls); m != series.Observed {
				return m
			}
		}
	case either:
		return f.checkEither(need, ls)
	}
	return series.Observed
}

// checkEither asks the sides that stand behind the result; when none shows any relation to it, all of them.
func (f *freshness) checkEither(need requirement, ls series.Labels) series.Missing {
	var sides []requirement
	for _, r := range need.of {
		if r.kind != nothing && f.born(r) {
			sides = append(sides, r)
		}
	}
	if own := slices.DeleteFunc(slices.Clone(sides), func(r requirement) bool { return !f.hasRelated(r, ls) }); len(own) > 0 {
		sides = own
	}
	verdict := series.Observed
	for _, r := range sides {
		if verdict = f.check(r, ls); verdict == series.Observed {
			break
		}
	}
	return verdict
}

// hasRelated reports whether any series of the requirement may stand behind the result.
func (f *freshness) hasRelated(need requirement, ls series.Labels) bool {
	if need.kind != leaf {
		return slices.ContainsFunc(need.of, func(r requirement) bool { return f.hasRelated(r, ls) })
	}
	return need.selector < len(f.sources) &&
		slices.ContainsFunc(f.sources[need.selector].inputs, func(in input) bool { return need.related(in.labels, ls) })
}

func (f *freshness) checkLeaf(need requirement, ls series.Labels) series.Missing {
	if need.selector >= len(f.sources) {
		return series.Stale // the engine did not read it: it cannot vouch for anything
	}
	s := f.sources[need.selector]
	ref := f.reference(s)
	if s.asked != f.t { // in healthy times every input is fresh, and nobody needs to know which one belongs to whom
		s.asked = f.t
		if len(s.inputs) > 0 && !slices.ContainsFunc(s.inputs, func(in input) bool { return in.state(ref, need.window) != series.Observed }) {
			s.sound = f.t
		}
	}
	if s.sound == f.t {
		return series.Observed
	}
	best, related := series.Stale, false
	for i := range s.inputs {
		in := &s.inputs[i]
		if !need.related(in.labels, ls) {
			continue
		}
		related = true
		if m := in.state(ref, need.window); m == series.Observed {
			return m
		} else if m == series.Gap {
			best = m
		}
	}
	if related {
		return best
	}
	for i := range s.inputs { // relabelled beyond recognition: any fresh input will do
		if m := s.inputs[i].state(ref, need.window); m == series.Observed {
			return m
		} else if m == series.Gap {
			best = m
		}
	}
	return best
}

// born reports whether any selector of the requirement had data before the tick.
func (f *freshness) born(need requirement) bool {
	if need.kind != leaf {
		return slices.ContainsFunc(need.of, f.born)
	}
	if need.selector >= len(f.sources) {
		return false
	}
	s := f.sources[need.selector]
	if s.bornAt == 0 {
		s.bornAt = f.firstSample(s)
	}
	return s.bornAt <= f.reference(s)
}

func (f *freshness) firstSample(s *source) int64 {
	first := int64(math.MaxInt64)
	for i := range s.inputs {
		if times := s.inputs[i].times; len(times) > 0 {
			first = min(first, times[0].t())
		}
	}
	start := s.end - (f.to - f.from)
	q, err := f.witness.Queryable.Querier(start-bornWithin, start)
	if err != nil {
		return min(first, start) // cannot tell: assume that it was, which only makes the rule stricter
	}
	defer q.Close()
	set := q.Select(context.Background(), false, nil, s.matchers...)
	for set.Next() {
		s := set.At()
		// A pod that was replaced took its errors with it. Where the job is being scraped, what it does not show is not
		// there; only where nothing is known of its targets does an end without a successor stay in doubt.
		if s.Iterator(nil).Next() != 0 && !f.scraped(s.Labels().Get("job"), start) {
			return start - bornWithin
		}
	}
	return first
}

// scraped reports whether a target of the job was up just before t.
func (f *freshness) scraped(job string, t int64) bool {
	if job == "" {
		return false
	}
	q, err := f.witness.Queryable.Querier(t-2*f.intervals.job(job).Milliseconds(), t)
	if err != nil {
		return false
	}
	defer q.Close()
	set := q.Select(context.Background(), false, nil,
		labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "up"), labels.MustNewMatcher(labels.MatchEqual, "job", job))
	for set.Next() {
		up := false
		for it := set.At().Iterator(nil); it.Next() != 0; {
			_, v := it.At()
			up = v == 1
		}
		if up {
			return true
		}
	}
	return false
}
