package incident

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// usual is the level and the spread of a series while all is well.
type usual struct{ level, scale float64 }

// neverMoved is the shift, in scales, of a series that stood still and now does not: something happened, but nobody can
// say how large it is.
const neverMoved = 10

// learn takes the level from the median. The scale is the largest of the interquartile range (as a standard deviation),
// the standard deviation and 1 % of the level. Each guards against what the others do not see: a series that is nearly
// constant has no range, and one that has jumped once a standard deviation of that jump. floor is the smallest scale. ok is
// false without two values.
func learn(normal []float64, floor float64) (u usual, ok bool) {
	x := slices.DeleteFunc(normal, math.IsNaN)
	if len(x) < 2 {
		return usual{}, false
	}
	slices.Sort(x)
	q := func(p float64) float64 { return stat.Quantile(p, stat.LinInterp, x, nil) }
	u.level = q(0.5)
	const sigmas = 1.349 // between the quartiles of a Gaussian
	u.scale = max((q(0.75)-q(0.25))/sigmas, stat.PopStdDev(x, nil), 0.01*math.Abs(u.level), floor)
	return u, true
}

// score returns how many scales a value is from the level, signed; NaN when it is missing.
func (u usual) score(v float64) float64 {
	switch d := v - u.level; {
	case d == 0 || math.IsNaN(d):
		return d
	case u.scale == 0:
		return math.Copysign(neverMoved, d)
	default:
		return d / u.scale
	}
}

// shifted returns the mean |score| of the values, their mean score, and the largest |score|.
func (u usual) shifted(values []float64) (size, signed, most float64) {
	n := 0.0
	for _, v := range values {
		if z := u.score(v); !math.IsNaN(z) {
			size, signed, most, n = size+math.Abs(z), signed+z, max(most, math.Abs(z)), n+1
		}
	}
	if n == 0 {
		return 0, 0, 0
	}
	return size / n, signed / n, most
}

// moved turns a shift into a weight: 0 for none, one half at one scale, 1 in the limit.
func moved(shift float64) float64 { return shift / (1 + shift) }

// fewestPairs are the pairs of values below which nothing can be said about moving together.
const fewestPairs = 4

// together returns Pearson's correlation over the rows that both have; 0 when one of them stands still.
func together(a, b []float64) float64 {
	x, y := make([]float64, 0, len(a)), make([]float64, 0, len(a))
	for i := range a {
		if !math.IsNaN(a[i]) && !math.IsNaN(b[i]) {
			x, y = append(x, a[i]), append(y, b[i])
		}
	}
	if len(x) < fewestPairs || still(x) || still(y) {
		return 0
	}
	return stat.Correlation(x, y, nil)
}

// Together is Pearson's correlation of two courses over the rows that both have; 0 when nothing can be said.
func Together(a, b []float64) float64 { return together(a, b) }

func still(x []float64) bool { return slices.Min(x) == slices.Max(x) }
