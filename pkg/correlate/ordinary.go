package correlate

import (
	"math"
	"slices"
)

// Span is rows of a frame, from one to before another.
type Span struct{ From, To int }

// gapHours is how many ordinary hours may lie inside one incident.
const gapHours = 2

// Incidents are the times in which the outcome was so far from its usual that it is no chance, and the excluded ones; as rows of the
// frame that was evaluated. Of counts and shares it is the events that decide: see countOutcasts.
func (s *Study) Incidents() []Span {
	if s.evaluation == nil {
		return nil
	}
	e := s.evaluation
	var out []Span
	for t, is := range e.struck {
		if !is {
			continue
		}
		if n := len(out); n > 0 && t-out[n-1].To <= gapHours {
			out[n-1].To = t + 1
		} else {
			out = append(out, Span{t, t + 1})
		}
	}
	return out
}

// LeftOut are the hours that take no part in relations: those of incidents, and those in which so little comes that their logarithm
// says nothing.
func (s *Study) LeftOut() (incidents, thin int) {
	if s.evaluation == nil {
		return 0, 0
	}
	e := s.evaluation
	values, _, _ := e.in.Outcome.judged(e.volume)
	for t, v := range values {
		switch {
		case e.struck[t]:
			incidents++
		case v == v && e.y.raw[t] != e.y.raw[t]:
			thin++
		}
	}
	return incidents, thin
}

// Expected is how much of the outcome each hour would have had by the ordinary hours of the other weeks, and what it had: of a share in
// events, the usual share of the opportunities that there were.
func (s *Study) Expected() (expected, actual []float64) {
	if s.evaluation == nil {
		return nil, nil
	}
	e := s.evaluation
	f, out := e.in.Frame, e.in.Outcome
	values := out.plain()
	usual := make([]float64, len(values))
	for t, v := range values {
		if usual[t] = v; e.struck[t] {
			usual[t] = math.NaN()
		}
	}
	expected, actual = make([]float64, len(values)), out.Values
	middle := otherWeeks(f, usual)
	for t := range expected {
		if expected[t] = middle[t]; out.Kind == Share {
			expected[t] *= out.Of[t]
		}
	}
	return expected, actual
}

// otherWeeks is the mean of the hour of the week in the other weeks, for every row, known itself or not.
func otherWeeks(f *Frame, x []float64) []float64 {
	var sum, n [HoursPerWeek]float64
	for t, v := range x {
		if v == v {
			sum[f.Slots[t]] += v
			n[f.Slots[t]]++
		}
	}
	out := make([]float64, len(x))
	for t, v := range x {
		s, m := sum[f.Slots[t]], n[f.Slots[t]]
		if v == v {
			s, m = s-v, m-1
		}
		if out[t] = math.NaN(); m > 0 {
			out[t] = s / m
		}
	}
	return out
}

// Moved are the drivers that were far from their usual during an incident, with how many standard deviations on average, worst first.
func (s *Study) Moved(span Span) (names []string, sds []float64) {
	m, ok := s.moved[span]
	if !ok {
		m = s.movedIn(span)
	}
	return m.names, m.sds
}

type movers struct {
	names []string
	sds   []float64
}

func (s *Study) movedIn(span Span) (m movers) {
	for i, c := range s.columns {
		if s.Pairs[i].Why != "" || c == nil {
			continue
		}
		sum, n := 0.0, 0.0
		for t := span.From; t < span.To; t++ {
			if v := c.res[t]; v == v {
				sum, n = sum+v, n+1
			}
		}
		if z := sum / max(n, 1) / s.Pairs[i].SD; math.Abs(z) > movedSD {
			at := 0
			for at < len(m.sds) && math.Abs(m.sds[at]) >= math.Abs(z) {
				at++
			}
			m.names, m.sds = slices.Insert(m.names, at, s.Pairs[i].Driver), slices.Insert(m.sds, at, z)
		}
	}
	return m
}

// movedSD is how many standard deviations a driver is away, on average over an incident, to be named beside it. Its hours are clipped
// at winsor robust ones.
const movedSD = 2

// Residual of a driver, in its unit, and the outcome's on its scale; nil where the driver was not tested.
func (s *Study) Residual(driver string) (x, y []float64) {
	c, _ := s.column(driver)
	if c == nil {
		return nil, nil
	}
	return c.res, s.evaluation.y.res
}

// Frame that was evaluated; nil of a study that was read from a file.
func (s *Study) Frame() *Frame {
	if s.evaluation == nil {
		return nil
	}
	return s.evaluation.in.Frame
}
