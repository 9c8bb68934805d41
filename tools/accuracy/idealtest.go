package main

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// idealTest is the exact two-sided binomial test of the conversions of the last two hours, by one who knows the usual
// probability: no detector that may wait two hours does better.
type idealTest struct {
	p                   float64
	converted, visitors [2 * perHour]float64 // ring
	c, v                float64              // sums of the ring
	at                  int
}

// idealLeast is the smallest -log10 p that next tells exactly; what is less is told as 0.
const idealLeast = 2.5

// next takes a row and returns -log10 of the p-value, signed by the side.
func (t *idealTest) next(converted, visitors float64) float64 {
	t.c += converted - t.converted[t.at]
	t.v += visitors - t.visitors[t.at]
	t.converted[t.at], t.visitors[t.at] = converted, visitors
	t.at = (t.at + 1) % len(t.converted)
	mean := t.v * t.p
	z := (t.c - mean) / math.Sqrt(mean*(1-t.p))
	if !(math.Abs(z) >= 1.5) { // or NaN: nobody came; beyond idealLeast |z| is always more
		return 0
	}
	b := distuv.Binomial{N: t.v, P: t.p}
	tail, side := b.CDF(t.c), -1.0
	if z > 0 {
		tail, side = 1-b.CDF(t.c-1), 1
	}
	if score := -math.Log10(max(2*tail, 1e-300)); score >= idealLeast {
		return side * score
	}
	return 0
}
