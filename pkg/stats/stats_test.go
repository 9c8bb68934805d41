package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTailQuantileIsNearTheExactOne(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) float64{
		"half normal": func(r *rand.Rand) float64 { return math.Abs(r.NormFloat64()) },
		"exponential": (*rand.Rand).ExpFloat64,
		"lognormal":   func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()) },
	} {
		r := rand.New(rand.NewPCG(1, 2))
		var h Tail
		xs := make([]float64, 20000)
		for i := range xs {
			xs[i] = draw(r)
			h.Add(xs[i], 1)
		}
		slices.Sort(xs)
		for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
			exact := xs[int(q*float64(len(xs)))]
			if got := h.Quantile(q); math.Abs(got/exact-1) > 0.05 {
				t.Errorf("%s: quantile %v = %v, exact %v", name, q, got, exact)
			}
		}
	}
}

func TestTailForgets(t *testing.T) {
	var h Tail
	for range 10_000 {
		h.Add(100, 0.99)
	}
	if n := h.N(); math.Abs(n-100) > 1 {
		t.Errorf("remembers %v additions with decay 0.99, want 100", n)
	}
	for range 1000 {
		h.Add(1, 0.99)
	}
	if got := h.Quantile(0.9); got > 1.1 {
		t.Errorf("after a thousand ones the 90 %% quantile is %v", got)
	}
}

func TestTailEdges(t *testing.T) {
	var h Tail
	if !math.IsNaN(h.Quantile(0.5)) || h.N() != 0 {
		t.Error("an empty tail must not invent a quantile")
	}
	for _, x := range []float64{0, -1, math.NaN(), math.Inf(1), 1e300, 5e-324} {
		h.Add(x, 1)
	}
	if h.N() != 5 {
		t.Errorf("counted %v, want 5: all but NaN", h.N())
	}
	if q := h.Quantile(0.99); math.IsNaN(q) || math.IsInf(q, 0) {
		t.Errorf("quantile of extremes is %v", q)
	}
}

func TestMaxAbsNormalQuantile(t *testing.T) {
	check := func(q, n, want float64) {
		t.Helper()
		if got := MaxAbsNormalQuantile(q, n); math.Abs(got-want) > 0.01 {
			t.Errorf("q=%v n=%v: %v, want %v", q, n, got, want)
		}
	}
	check(0.95, 1, 1.96) // the textbook's two-sided value
	check(0.5, 1, 0.6745)
	check(0.5, 60, 2.53)
}

func TestMedian(t *testing.T) {
	check := func(want float64, xs ...float64) {
		t.Helper()
		if got := Median(xs); got != want {
			t.Errorf("Median(%v) = %v, want %v", xs, got, want)
		}
	}
	check(1, 1)
	check(1.5, 2, 1)
	check(2, 3, 1, 2)
	check(2.5, 4, 3, 2, 1)
}
