package correlate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	curveBins = 8  // at most
	minBin    = 30 // hours behind a point of a curve, or a cell of a table
	hacLags   = 24 // hours over which the mean of a bin counts as correlated with itself
)

// CurvePoint is the outcome over hours in which the driver was about as far from its usual.
type CurvePoint struct {
	From, To, Middle float64 // of the driver beyond what is normal for the hour and its traffic, in its unit
	Hours            int
	Mean             float64 // of the outcome beyond the same, on its scale
	Low, High        float64 // 95 %
}

// Curve is the outcome by the driver, in bins that hold as many hours each. It is a mean and no model: where it bends, the slope
// is not the same everywhere. nil where there are too few hours, or the study was read from a file.
func (s *Study) Curve(driver string) []CurvePoint {
	x, p := s.column(driver)
	if x == nil {
		return nil
	}
	y := s.evaluation.y.rest
	driven := lagged(x.rest, p.Lag)
	var known []float64
	for t, v := range driven {
		if v == v && y[t] == y[t] {
			known = append(known, v)
		}
	}
	bins := min(curveBins, len(known)/minBin)
	if bins < 2 {
		return nil
	}
	slices.Sort(known)
	out := make([]CurvePoint, bins)
	for b := range out {
		c := &out[b]
		c.From, c.To = known[b*len(known)/bins], known[min((b+1)*len(known)/bins, len(known)-1)]
		last := b == bins-1
		inside := func(t int) bool { v := driven[t]; return v >= c.From && (v < c.To || last && v <= c.To) }
		sum := 0.0
		for t := range driven {
			if inside(t) && y[t] == y[t] {
				c.Hours++
				c.Mean += y[t]
				sum += driven[t]
			}
		}
		n := float64(max(c.Hours, 1))
		c.Mean, c.Middle = c.Mean/n, sum/n
		se := math.Sqrt(meanVariance(y, c.Mean, inside)/s.evaluation.g) / n
		t := distuv.StudentsT{Sigma: 1, Nu: max(n-1, 1)}.Quantile(0.975)
		c.Low, c.High = c.Mean-t*se, c.Mean+t*se
	}
	return out
}

// meanVariance is n² times the variance of the mean over the chosen rows, with the correlation of rows up to hacLags apart at
// falling weights (Newey and West, 1987).
func meanVariance(y []float64, mean float64, inside func(t int) bool) float64 {
	d := make([]float64, len(y))
	for t, v := range y {
		if v == v && inside(t) {
			d[t] = v - mean
		}
	}
	sum, zero := 0.0, 0.0
	for k := range hacLags + 1 {
		c := 0.0
		for t := k; t < len(d); t++ {
			c += d[t] * d[t-k]
		}
		if k == 0 {
			sum, zero = c, c
		} else {
			sum += 2 * (1 - float64(k)/(hacLags+1)) * c
		}
	}
	return max(sum, zero)
}

// Knee is the first point of a curve, from the side where the driver is good, whose whole interval is below what is normal; −1 when
// there is none. More of the outcome is better.
func Knee(curve []CurvePoint) int {
	if len(curve) == 0 {
		return -1
	}
	if curve[len(curve)-1].Mean < curve[0].Mean {
		return slices.IndexFunc(curve, func(c CurvePoint) bool { return c.Middle > 0 && c.High < 0 })
	}
	for i, c := range slices.Backward(curve) {
		if c.Middle < 0 && c.High < 0 {
			return i
		}
	}
	return -1
}

// column of a driver that was tested; nil otherwise.
func (s *Study) column(driver string) (*column, *Pair) {
	for i := range s.Pairs {
		if p := &s.Pairs[i]; p.Driver == driver && p.Why == "" && s.evaluation != nil && s.columns[i] != nil {
			return s.columns[i], p
		}
	}
	return nil, nil
}
