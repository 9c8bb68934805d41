package correlate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Counts are judged on the events that come to an hour, not on their logarithm: three orders fewer are nothing at noon, and no orders
// at all are nothing in a night of two. An hour has a negative binomial distribution, that of a Poisson process whose rate swings: its
// mean is what the hour of the week usually has, its variance μ + (s·μ)², with one s for all hours.

// outcastP is the probability of a count as extreme as outcast standard deviations of a Gaussian, one-sided.
var outcastP = distuv.UnitNormal.Survival(outcast)

// outcasts are the rows of incidents of an outcome, and the excluded ones. ordinary is what withoutIncidents left of it, which is all
// that can be said of levels.
func (s *Series) outcasts(f *Frame, volume, ordinary []float64) (struck []bool) {
	switch s.Kind {
	case Share:
		struck = countOutcasts(f, s.Values, s.Of)
	case Count:
		struck = countOutcasts(f, s.Values, volume)
	default:
		struck = make([]bool, f.Rows())
		for t, v := range s.Values {
			struck[t] = v == v && ordinary[t] != ordinary[t]
		}
	}
	for t, excluded := range f.Excluded {
		struck[t] = struck[t] || excluded && s.Values[t] == s.Values[t]
	}
	return struck
}

// countOutcasts tells which rows of a count (of: nil) or a share of as many opportunities are incidents: so far from what their hour of
// the week has, by the median of the other weeks, that chance makes one in three million. Few events say little, and make none.
func countOutcasts(f *Frame, x, of []float64) []bool {
	per := make([]float64, len(x)) // events, for each opportunity where these are known
	for t := range x {
		per[t] = math.NaN()
		if x[t] == x[t] && (of == nil || of[t] > 0) && (f.Excluded == nil || !f.Excluded[t]) {
			per[t] = x[t]
			if of != nil {
				per[t] /= of[t]
			}
		}
	}
	middle, mean := otherMedians(f, per), otherWeeks(f, per)
	weeks := float64(max(f.Weeks()-1, 1))
	more := 1 + math.Pi/2/weeks // what was expected, a median, is not known for sure
	at := func(t int, v float64) float64 {
		if of != nil {
			v *= of[t]
		}
		return v
	}
	low := make([]float64, len(x))
	for t := range x {
		low[t] = at(t, middle[t])
	}
	s := swing(x, low, more)
	out := make([]bool, len(x))
	for t, v := range x {
		if per[t] != per[t] || mean[t] != mean[t] {
			continue
		}
		// What is too much is measured by the larger of median and mean: a median of few events is 0 where there are some.
		high := max(low[t], at(t, mean[t])+1/weeks)
		out[t] = below(v, low[t], s, more) < outcastP || above(v, high, s, more) < outcastP
	}
	return out
}

// otherMedians is the median of the hour of the week in the other weeks, for every row; NaN where there is none.
func otherMedians(f *Frame, x []float64) []float64 {
	var rows [HoursPerWeek][]int
	for t, s := range f.Slots {
		rows[s] = append(rows[s], t)
	}
	out := make([]float64, len(x))
	var others []float64
	for _, of := range rows {
		for _, t := range of {
			others = others[:0]
			for _, o := range of {
				if v := x[o]; o != t && v == v {
					others = append(others, v)
				}
			}
			out[t] = math.NaN()
			if n := len(others); n > 0 {
				slices.Sort(others)
				out[t] = (others[(n-1)/2] + others[n/2]) / 2
			}
		}
	}
	return out
}

// swing is the relative standard deviation by which rates vary beyond chance: with it, half of the variance-stabilised deviations lie where
// half of a Gaussian's do.
func swing(x, expected []float64, more float64) float64 {
	var dev, mu []float64
	for t, v := range x {
		if m := expected[t]; v >= 0 && m > 0 {
			dev, mu = append(dev, 2*math.Abs(math.Sqrt(v+0.375)-math.Sqrt(m+0.375))), append(mu, m)
		}
	}
	if len(dev) == 0 {
		return 0
	}
	scaled := make([]float64, len(dev))
	typical := func(s float64) float64 {
		for i := range dev {
			scaled[i] = dev[i] / math.Sqrt((1+mu[i]*s*s)*more)
		}
		slices.Sort(scaled)
		return robustSD * scaled[len(scaled)/2]
	}
	lo, hi := 0.0, 2.0
	if typical(lo) <= 1 {
		return 0
	}
	for range 30 {
		if mid := (lo + hi) / 2; typical(mid) > 1 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// below is the probability of at most v events where m are expected. Less than none, as of a net amount, is out of the question.
func below(v, m, s, more float64) float64 {
	if !(m > 0) {
		return 1
	}
	if v < 0 {
		return 0
	}
	r, p := negative(m, s, more)
	return mathext.RegIncBeta(r, math.Floor(v)+1, p)
}

// above is the probability of at least v events where m are expected.
func above(v, m, s, more float64) float64 {
	if v = math.Ceil(v); v < 1 || !(m > 0) {
		return 1
	}
	r, p := negative(m, s, more)
	return mathext.RegIncBeta(v, r, 1-p)
}

// negative are the parameters of the distribution: size and probability.
func negative(m, s, more float64) (r, p float64) {
	variance := max((m+s*s*m*m)*more, m*(1+1e-9))
	r = m * m / (variance - m)
	return r, r / (r + m)
}
