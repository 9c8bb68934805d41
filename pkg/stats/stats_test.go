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
		// One tail remembers some 485 additions; the mean over many shows what the histogram itself does to a quantile.
		r := rand.New(rand.NewPCG(1, 2))
		qs := []float64{0.1, 0.5, 0.9}
		var mean [3]float64
		var xs []float64
		const tails = 200
		for range tails {
			var h Tail
			for range 700 {
				x := draw(r)
				xs = append(xs, x)
				h.Add(x)
			}
			got := h.Quantiles(qs...)
			for i := range mean {
				mean[i] += got[i] / tails
			}
		}
		slices.Sort(xs)
		for i, q := range qs {
			exact := xs[int(q*float64(len(xs)))]
			if math.Abs(mean[i]/exact-1) > 0.06 {
				t.Errorf("%s: quantile %v = %v on average, exact %v", name, q, mean[i], exact)
			}
		}
	}
}

func TestTailForgets(t *testing.T) {
	var h Tail
	for range 10_000 {
		h.Add(100)
	}
	if n, want := h.N(), TailHalfLife/math.Ln2; math.Abs(n/want-1) > 0.02 {
		t.Errorf("remembers %v additions, want %v", n, want)
	}
	for range 10 * TailHalfLife {
		h.Add(1)
	}
	if got := h.Quantiles(0.99)[0]; got > 1.3 {
		t.Errorf("after ten half-lives of ones the 99 %% quantile is %v", got)
	}
}

func TestTailEdges(t *testing.T) {
	var h Tail
	if !math.IsNaN(h.Quantiles(0.5)[0]) || h.N() != 0 {
		t.Error("an empty tail must not invent a quantile")
	}
	for _, x := range []float64{0, -1, math.NaN(), math.Inf(1), 1e300, 5e-324} {
		h.Add(x)
	}
	if math.Abs(h.N()-5) > 0.1 {
		t.Errorf("counted %v, want 5: all but NaN", h.N())
	}
	if q := h.Quantiles(0.99)[0]; math.IsNaN(q) || math.IsInf(q, 0) {
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
