package stats

import "math"

// MaxAbsNormalQuantile returns the q-quantile of the largest of n independent |N(0,1)| values (n ≥ 1): the quantile
// that the maximum of a block of n rows of clean noise has.
func MaxAbsNormalQuantile(q, n float64) float64 {
	// P(max ≤ z) = (2Φ(z)−1)^n = erf(z/√2)^n.
	return math.Sqrt2 * math.Erfinv(math.Pow(q, 1/n))
}
