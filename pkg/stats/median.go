package stats

import "slices"

// Median sorts xs and returns its middle; the mean of the two middles when their number is even. It panics on none.
func Median(xs []float64) float64 {
	slices.Sort(xs)
	m := len(xs) / 2
	if len(xs)%2 == 1 {
		return xs[m]
	}
	return xs[m-1] + (xs[m]-xs[m-1])/2
}
