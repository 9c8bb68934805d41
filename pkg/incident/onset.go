package incident

import (
	"cmp"
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/series"
)

// A series that peaks later is on its way from a tenth of its peak on, and from two scales on; one row in between may fall
// short.
const (
	moving = 2.0
	ofPeak = 0.1
)

// tied are the samples within which nobody can say who was first.
const tied = 2

// onset walks back from the largest score of the incident to the first row that already moved to the same side.
func (u usual) onset(values []float64, incident []int) (row int, ok bool) {
	peak, most := -1, 0.0
	for _, r := range incident {
		if z := math.Abs(u.score(values[r])); z > most {
			peak, most = r, z
		}
	}
	if peak < 0 {
		return 0, false
	}
	side := math.Signbit(u.score(values[peak]))
	least := max(moving, ofPeak*most)
	row, short := peak, 0
	for r := peak - 1; r >= 0 && short < 2; r-- {
		z := u.score(values[r])
		switch {
		case math.IsNaN(z) || math.Abs(z) < least || math.Signbit(z) != side:
			short++
		default:
			row, short = r, 0
		}
	}
	return row, true
}

// onsets says when each labelled cause and the outcome began, and who of them was first.
func (c *Case) onsets(r rows, ranking *Ranking) {
	row := func(s *Series) (int, bool) {
		u, ok := learn(pick(s.Values, r.normal), c.Floor)
		if !ok {
			return 0, false
		}
		return u.onset(s.Values, r.incident)
	}
	end := len(c.Times)
	if at, ok := row(ranking.Outcome.Series); ok {
		ranking.Outcome.Onset, end = c.Times[at], at
	}
	var movers []Mover
	var of []Cause
	for i := range ranking.Causes {
		cause := &ranking.Causes[i]
		if cause.Label == "" {
			continue
		}
		at, ok := row(cause.Series)
		if !ok {
			continue
		}
		cause.Onset = c.Times[at]
		if at <= end+tied && cause.Label == Strong {
			movers, of = append(movers, Mover{Service: cause.Series.Service, Row: at, Layer: cause.Series.Layer}), append(of, *cause)
		}
	}
	for _, i := range FirstMovers(movers, c.Graph) {
		ranking.First = append(ranking.First, of[i])
	}
}

// Mover is somebody who moved, with the sample at which it began.
type Mover struct {
	Service string
	Row     int
	Layer   series.Layer // unknown where nobody said
}

// FirstMovers returns the indices of those who began first: the earliest, and who began within two samples of it. Where the graph
// knows that one of them calls another, the callee was first; where it knows nothing of two, the one of the lower layer: business
// waits for applications, and those for what they run on. Who is left moved at the same time. Of a service only its first mover is
// returned, and movers are in order of preference where nothing else tells them apart.
func FirstMovers(movers []Mover, g *Graph) []int {
	if len(movers) == 0 {
		return nil
	}
	first := slices.MinFunc(movers, func(a, b Mover) int { return cmp.Compare(a.Row, b.Row) }).Row
	var out []int
	for i, m := range movers {
		known := slices.ContainsFunc(out, func(k int) bool { return movers[k].Service == m.Service })
		if m.Row <= first+tied && !known {
			out = append(out, i)
		}
	}
	together := slices.Clone(out)
	return slices.DeleteFunc(out, func(i int) bool {
		return slices.ContainsFunc(together, func(k int) bool {
			a, b := movers[i], movers[k]
			calls, called := g.Calls(a.Service, b.Service), g.Calls(b.Service, a.Service)
			if calls != called {
				return calls
			}
			return b.Layer != series.LayerUnknown && b.Layer < a.Layer
		})
	})
}
