package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func ar2(seed uint64, n int, a, b float64) []float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	x := make([]float64, n)
	for t := range x {
		x[t] = r.NormFloat64()
		if t > 1 {
			x[t] += a*x[t-1] + b*x[t-2]
		}
	}
	return x
}

func TestFitARFindsTheProcess(t *testing.T) {
	x := ar2(1, 20000, 0.5, 0.3)
	phi := FitAR(Autocorrelation(x, 6), len(x), 6)
	if len(phi) != 2 || math.Abs(phi[0]-0.5) > 0.02 || math.Abs(phi[1]-0.3) > 0.02 {
		t.Errorf("AR(2) .5 .3 fitted as %v", phi)
	}
	white := phi.Whiten(nil, x)
	if r := Autocorrelation(white, 3); math.Abs(r[1])+math.Abs(r[2])+math.Abs(r[3]) > 0.03 {
		t.Errorf("autocorrelation after whitening %v", r)
	}
	if phi := FitAR(Autocorrelation(ar2(2, 5000, 0, 0), 6), 5000, 6); len(phi) > 0 {
		t.Errorf("white noise fitted as %v", phi)
	}
}

func TestAutocorrelationOfLittle(t *testing.T) {
	nan := math.NaN()
	for _, x := range [][]float64{nil, {1}, {nan, nan}, {2, 2, 2}, {1, nan}} {
		r := Autocorrelation(x, 4)
		if len(r) != 5 || r[0] != 1 || r[1] != 0 {
			t.Errorf("%v: %v", x, r)
		}
		if phi := FitAR(r, len(x), 4); len(phi) > 0 {
			t.Errorf("%v: fitted %v", x, phi)
		}
	}
}

func TestWhitenKeepsHoles(t *testing.T) {
	got := AR{0.5}.Whiten(nil, []float64{1, 2, math.NaN(), 4, 6})
	want := []float64{math.NaN(), 1.5, math.NaN(), math.NaN(), 4}
	for i := range want {
		if got[i] != want[i] && (got[i] == got[i] || want[i] == want[i]) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestEffectiveN(t *testing.T) {
	// Two AR(1) of .8: n·(1−.64)/(1+.64).
	a := make([]float64, 60)
	for j := range a {
		a[j] = math.Pow(0.8, float64(j))
	}
	if n := EffectiveN(a, a, 10000); math.Abs(n-10000*0.36/1.64) > 30 {
		t.Errorf("%v", n)
	}
	if n := EffectiveN([]float64{1, 0.01}, a, 100); n != 100 {
		t.Errorf("beside white noise %v, want 100", n)
	}
	if n := EffectiveN(nil, nil, 0); n != 0 {
		t.Errorf("of nothing %v", n)
	}
}

func TestMedianAbsolute(t *testing.T) {
	if m := MedianAbsolute([]float64{-5, math.NaN(), 1, 3}, nil); m != 3 {
		t.Errorf("%v, want 3", m)
	}
	if m := MedianAbsolute([]float64{math.NaN()}, nil); m == m {
		t.Errorf("of nothing %v", m)
	}
}
