package correlate

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/series"
)

const (
	changeBefore = 2 * HoursPerWeek // hours before a change that its level is compared with
	changeAfter  = 2 * HoursPerWeek // at most, after it
	minAfter     = 6                // hours
)

// Change is how a series went on after an instant, beside what it would have done: its weekly rhythm, the level of the two weeks before
// and what traffic asks for.
type Change struct {
	Name  string
	Layer series.Layer
	Unit  string
	Why   string // why it was not tested; else empty

	Log       bool   // Effect is a logarithm of a factor; else in the series' unit
	Effect    Effect // of the hours after the change, on average, 95 %
	P, Q      float64
	Shown     bool    // at the false discovery rate
	Low, High float64 // interval of what is shown, which allows for the choice
	Before    float64 // usual value in the hours compared, in the series' unit
	Expected  float64 // what the hours after would have been, on average
	After     float64 // what they were
	Hours     int     // after
	Smallest  float64 // |effect| that would have been seen in four of five cases
}

// Changes compares all series before and after a row. The rhythm is learnt from all rows before it, two whole weeks at least. Rows from
// until on take no part. volume may be nil; of a share its own denominators are the traffic.
func Changes(f *Frame, all []*Series, volume *Series, at, until int, o Options) ([]Change, error) {
	o = o.completed()
	if at < 2*HoursPerWeek {
		return nil, fmt.Errorf("compare with before: %w: %d hours before the change, want two weeks, %d", ErrWeeks, at, 2*HoursPerWeek)
	}
	if until-at < minAfter {
		return nil, fmt.Errorf("compare with before: %d hours after the change, want at least %d", until-at, minAfter)
	}
	until = min(until, at+changeAfter)
	out := make([]Change, len(all))
	for i, s := range all {
		if err := s.fits(f); err != nil {
			return nil, err
		}
		traffic := volume
		if traffic == s {
			traffic = nil
		}
		out[i] = change(f, s, traffic, at, until)
	}
	var order []*Change
	for i := range out {
		if out[i].Why == "" {
			order = append(order, &out[i])
		}
	}
	slices.SortStableFunc(order, func(a, b *Change) int { return cmp.Compare(a.P, b.P) })
	q, m, found := 1.0, float64(len(order)), 0
	for k, o0 := range slices.Backward(order) {
		q = min(q, o0.P*m/float64(k+1))
		if o0.Q = q; q <= o.FDR {
			found = max(found, k+1)
		}
	}
	for _, c := range order[:found] {
		c.Shown = true
		c.Low, c.High = c.Effect.interval(1 - o.FDR*float64(found)/m)
	}
	return out, nil
}

func change(f *Frame, s *Series, volume *Series, at, until int) Change {
	c := Change{Name: s.Name, Layer: s.Layer, Unit: s.Unit, P: 1, Q: 1}
	var amounts []float64
	switch {
	case s.Kind == Share:
		amounts = s.Of
	case volume != nil:
		amounts = volume.plain()
	}
	var values []float64
	values, _, c.Log = s.judged(amounts)
	if s.Kind == Count && volume != nil { // per visit, and visits beside it as well
		values = rates(s.Values, amounts)
	}
	y := beyond(f, values, at)
	held := [][]float64{ones(f.Rows())}
	if amounts != nil {
		if r := beyond(f, logs(amounts), at); sd(r) > 1e-6 {
			held = append(held, r)
		}
	}
	step := make([]float64, f.Rows())
	before := 0
	for t := range y {
		switch {
		case t >= until || t < at-changeBefore:
			y[t] = math.NaN()
		case t >= at:
			step[t] = 1
			if y[t] == y[t] {
				c.Hours++
			}
		case y[t] == y[t]:
			before++
		}
	}
	if before < HoursPerWeek || c.Hours < minAfter {
		c.Why = fmt.Sprintf("not enough data: %d hours in the two weeks before, %d after", before, c.Hours)
		return c
	}
	if sd(y) < 1e-9*math.Abs(mean(values, 0, at)) || sd(y) == 0 {
		c.Why = "it does not vary"
		return c
	}
	// Residuals of the other weeks hold what the baseline does not know: nothing is to be widened.
	m, ok := newGLS(y, step, held, 1)
	if !ok {
		c.Why = "it cannot be told from the traffic"
		return c
	}
	c.Effect = m.effect(1)
	c.P = c.Effect.p()
	c.Smallest = c.Effect.Detectable()
	shown := s.plain()
	c.Before, c.After = mean(shown, at-changeBefore, at), mean(shown, at, until)
	if c.Expected = c.After - c.Effect.Coef; c.Log {
		c.Expected = c.After / math.Exp(c.Effect.Coef)
	}
	return c
}

// beyond is x without the mean that its hour of the week has in the rows before at: of the other weeks for these, of all of them for
// those behind.
func beyond(f *Frame, x []float64, at int) []float64 {
	past := f.Part(0, at)
	tame := clipped(past, x[:at])
	out := make([]float64, len(x))
	copy(out, residual(past, tame, none))
	var sum, n [HoursPerWeek]float64
	for t, v := range tame {
		if v == v {
			sum[f.Slots[t]] += v
			n[f.Slots[t]]++
		}
	}
	for t := at; t < len(x); t++ {
		if out[t] = math.NaN(); n[f.Slots[t]] > 0 && (f.Excluded == nil || !f.Excluded[t]) {
			out[t] = x[t] - sum[f.Slots[t]]/n[f.Slots[t]]
		}
	}
	return out
}

func mean(x []float64, from, to int) float64 {
	sum, n := 0.0, 0.0
	for _, v := range x[max(from, 0):to] {
		if v == v {
			sum, n = sum+v, n+1
		}
	}
	return sum / n
}
