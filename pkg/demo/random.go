package demo

import (
	"math"
	"math/rand/v2"
)

// poisson draws a count of which mean are expected.
func poisson(r *rand.Rand, mean float64) float64 {
	switch {
	case mean <= 0:
		return 0
	case mean > 30: // the normal approximation is within a tenth of a deviation here
		return max(math.Round(mean+math.Sqrt(mean)*r.NormFloat64()), 0)
	}
	n, p, limit := 0.0, 1.0, math.Exp(-mean)
	for {
		if p *= r.Float64(); p <= limit {
			return n
		}
		n++
	}
}

// binomial draws how many of n succeed when each does with probability p.
func binomial(r *rand.Rand, n, p float64) float64 {
	switch {
	case n <= 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case n*p*(1-p) > 10:
		return min(max(math.Round(n*p+math.Sqrt(n*p*(1-p))*r.NormFloat64()), 0), n)
	case p > 0.5:
		return n - binomial(r, n, 1-p)
	case n > 25: // p is small: a Poisson count
		return min(poisson(r, n*p), n)
	}
	k := 0.0
	for range int(n) {
		if r.Float64() < p {
			k++
		}
	}
	return k
}

// wander is a value that drifts around 0 with a deviation, forgetting itself within about tau seconds.
type wander struct{ x, deviation, tau float64 }

// step takes dt seconds and returns the factor that a quantity has now, around 1.
func (w *wander) step(r *rand.Rand, dt float64) float64 {
	keep := math.Exp(-dt / w.tau)
	w.x = keep*w.x + w.deviation*math.Sqrt(1-keep*keep)*r.NormFloat64()
	return math.Exp(w.x)
}
