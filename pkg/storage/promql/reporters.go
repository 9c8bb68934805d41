package promql

import (
	"math"
	"slices"
)

// reporters counts who stands behind each result: of the series that the selectors read, how many different exporters (job
// and instance; where a series has no instance, itself) have shown a sample lately, per selector. A part of a sum that fell
// silent is seen here, while the sum itself merely looks smaller.
//
// Which result an input belongs to is decided once, by the labels that results have. Where those are rewritten on the way,
// or nothing fits, every result is taken to stand on all of them.
type reporters struct {
	sources []*reported
	results int
}

// reported are the inputs of one selector, grouped.
type reported struct {
	*source
	groups []int // of an input: the place of its exporter in seen; -1 belongs to no result
	result []int // of an exporter: the result that it stands behind, or everyResult
	seen   []int64
}

const everyResult = -1

type exporter struct {
	result             int
	job, instance, own string
}

func newReporters(need requirement, f *freshness, results []Result) *reporters {
	r := &reporters{results: len(results)}
	names := resultNames(results)
	byKey := make(map[string]int, len(results))
	for i := range results {
		byKey[keyOf(results[i].Labels.Get, names)] = i
	}
	need.eachLeaf(func(leaf *requirement) {
		if leaf.selector >= len(f.sources) {
			return
		}
		r.sources = append(r.sources, newReported(f.sources[leaf.selector], leaf, names, byKey))
	})
	return r
}

func newReported(s *source, leaf *requirement, names []string, byKey map[string]int) *reported {
	p := &reported{source: s, groups: make([]int, len(s.inputs))}
	belongs := make([]int, len(s.inputs))
	found := false
	for i := range s.inputs {
		at, ok := 0, false
		if len(leaf.kin) == 0 {
			at, ok = byKey[keyOf(s.inputs[i].labels.Get, names)]
		}
		if found = found || ok; !ok {
			at = -1
		}
		belongs[i] = at
	}
	places := map[exporter]int{}
	for i := range s.inputs {
		if found && belongs[i] < 0 {
			p.groups[i] = -1
			continue
		}
		e := exporter{result: belongs[i], job: s.inputs[i].labels.Get("job"), instance: s.inputs[i].labels.Get("instance")}
		if e.instance == "" {
			e.own = s.inputs[i].labels.String()
		}
		at, ok := places[e]
		if !ok {
			at = len(p.seen)
			places[e] = at
			p.seen = append(p.seen, math.MinInt64)
			p.result = append(p.result, e.result)
		}
		p.groups[i] = at
	}
	return p
}

// resultNames are the labels that results have, sorted.
func resultNames(results []Result) (names []string) {
	for i := range results {
		for _, l := range results[i].Labels {
			if !slices.Contains(names, l.Name) {
				names = append(names, l.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func keyOf(label func(string) string, names []string) string {
	b := make([]byte, 0, 64)
	for _, n := range names {
		b = append(append(b, label(n)...), 0xff)
	}
	return string(b)
}

// eachLeaf calls f for every selector that results depend on.
func (r *requirement) eachLeaf(f func(*requirement)) {
	if r.kind == leaf {
		f(r)
		return
	}
	for i := range r.of {
		r.of[i].eachLeaf(f)
	}
}

// reports tells whether a sample came within one and a half intervals: a rate becomes smaller before its counter counts as
// silent.
func (in *input) reports(ref int64) bool {
	if in.next == 0 {
		return false
	}
	last := in.times[in.next-1]
	return !last.stale() && ref-last.t() <= in.interval*3/2
}

// at counts the reporters of every result at the tick t, to which the inputs have been moved.
func (r *reporters) at(f *freshness, counts []int) []int {
	counts = slices.Grow(counts[:0], r.results)[:r.results]
	clear(counts)
	for _, s := range r.sources {
		ref := f.reference(s.source)
		all := 0
		for i := range s.inputs {
			g := s.groups[i]
			if g < 0 || s.seen[g] == f.t || !s.inputs[i].reports(ref) {
				continue
			}
			s.seen[g] = f.t
			if at := s.result[g]; at == everyResult {
				all++
			} else {
				counts[at]++
			}
		}
		if all > 0 {
			for i := range counts {
				counts[i] += all
			}
		}
	}
	return counts
}
