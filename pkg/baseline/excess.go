package baseline

import "math"

// NoExcess is the excess of a point well inside its band, or of one that is not judged.
const NoExcess = -4.0

const (
	excessFrom = 0.5 // |score| below which nobody asks for the excess
	// The logarithm by which a unit of the exponent widens a view, kept in bounds: near-constant maxima would make a trifle
	// rare beyond measure, and a view that is mostly zero would make nothing rare.
	leastWidening = 0.12 // the maxima of some thousand Gaussian values
	mostWidening  = 1.4
	flatWidening  = 0.4 // evidence counts in nats: its tail is that of an exponential, whatever its quantiles were
)

// widening is the logarithm of the factor by which one unit of the exponent moves the threshold of a view.
func (m *Slow) widening(v View) float64 {
	if v == Flat {
		return flatWidening
	}
	return min(max(math.Log(float64(m.Widens[v])), leastWidening), mostWidening)
}

// excessOf is how far, in units of the exponent that thresholds are extrapolated with, a point lies beyond its threshold in
// the view that shows it most: thresholds of Limit·Widens^Δ would be passed for every Δ up to it. It is ≥ 0 if and only if
// |score| ≥ 1. Unlike a score, equal excesses of different series are about equally rare.
func excessOf(score float64, gates *[viewCount]Gate, widening func(View) float64) float64 {
	if !(math.Abs(score) > excessFrom) {
		return NoExcess
	}
	most := NoExcess
	for v := range gates {
		if r := math.Abs(gates[v].Score()); r > excessFrom {
			most = max(most, math.Log(r)/widening(View(v)))
		}
	}
	return most
}
