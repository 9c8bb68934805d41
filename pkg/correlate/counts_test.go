package correlate

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// smallShop has weeks of orders: by day as many as said, by night few. of are its visits, nil for none.
func smallShop(seed uint64, weeks int, day, night, swing float64, visits bool) (f *Frame, x, of []float64) {
	r := rand.New(rand.NewPCG(seed, 3))
	f = &Frame{Slots: make([]int16, weeks*HoursPerWeek)}
	x = make([]float64, len(f.Slots))
	if visits {
		of = make([]float64, len(x))
	}
	for t := range x {
		f.Slots[t] = int16(t % HoursPerWeek)
		mean := day
		if t%24 < 7 {
			mean = night
		}
		mean *= math.Exp(swing * r.NormFloat64())
		if of != nil {
			of[t] = distuv.Poisson{Lambda: 20 * mean, Src: r}.Rand()
			if of[t] > 0 {
				x[t] = distuv.Binomial{N: of[t], P: 0.05, Src: r}.Rand()
			}
			continue
		}
		x[t] = distuv.Poisson{Lambda: mean, Src: r}.Rand()
	}
	return f, x, of
}

func TestNightsOfFewOrdersAreNoIncidents(t *testing.T) {
	hours, found := 0, 0
	check := func(day, night, swing float64, visits bool) {
		t.Helper()
		for seed := range uint64(20) {
			f, x, of := smallShop(seed, 6, day, night, swing, visits)
			for i, is := range countOutcasts(f, x, of) {
				hours++
				if is {
					found++
					t.Logf("%g by day, %g by night: %g of %v at hour %d", day, night, x[i], of != nil, i)
				}
			}
		}
	}
	for _, night := range []float64{0.05, 0.5, 1.5, 2.5, 5} {
		check(40, night, 0, false)
		check(400, night, 0.05, false)
		check(400, night, 0.05, true)
		check(5, night, 0.1, true)
	}
	if found > hours/100_000 {
		t.Errorf("%d of %d ordinary hours are incidents", found, hours)
	}
}

func TestOutagesAmongFewOrdersAreIncidents(t *testing.T) {
	check := func(what string, day, night float64, visits bool, at int, change func(x float64) float64, want bool) {
		t.Helper()
		found := 0
		for seed := range uint64(20) {
			f, x, of := smallShop(seed, 6, day, night, 0.05, visits)
			at := 2*HoursPerWeek + at
			x[at] = math.Round(change(x[at]))
			if of != nil {
				of[at] = max(of[at], x[at])
			}
			if countOutcasts(f, x, of)[at] {
				found++
			}
		}
		if got := found >= 18; got != want {
			t.Errorf("%s: found in %d of 20, want %v", what, found, want)
		}
	}
	none := func(float64) float64 { return 0 }
	check("noon without orders", 40, 2, false, 12, none, true)
	check("noon without orders, visits go on", 40, 2, true, 12, none, true)
	check("half of noon's orders are missing", 400, 2, true, 12, func(x float64) float64 { return x / 2 }, true)
	check("a night without orders", 40, 2, false, 3, none, false)
	check("a night of thirty orders instead of two", 40, 2, false, 3, func(float64) float64 { return 30 }, true)
	check("a night of four orders more", 40, 2, false, 3, func(x float64) float64 { return x + 4 }, false)
}

func TestNegativeBinomial(t *testing.T) {
	const m, s, more = 7, 0.3, 1.2
	sum := 0.0
	r, p := negative(m, s, more)
	for k := range 12 {
		lg := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
		sum += math.Exp(lg(float64(k)+r) - lg(r) - lg(float64(k)+1) + r*math.Log(p) + float64(k)*math.Log(1-p))
		if got := below(float64(k), m, s, more); math.Abs(got-sum) > 1e-12 {
			t.Errorf("P(X ≤ %d) = %g, want %g", k, got, sum)
		}
		if got := above(float64(k)+1, m, s, more); math.Abs(got-(1-sum)) > 1e-12 {
			t.Errorf("P(X ≥ %d) = %g, want %g", k+1, got, 1-sum)
		}
	}
	if v := m / p; math.Abs(v-(m+s*s*m*m)*more) > 1e-9 { // mean / p is the variance
		t.Errorf("variance %g", v)
	}
}

// A net amount that falls below zero in a few hours is no reason to fail: those hours are out of the question.
func TestNegativeHoursOfACount(t *testing.T) {
	for _, s := range []float64{0, 0.3} {
		if p := below(-5000, 100, s, 1); p != 0 {
			t.Errorf("P(X ≤ −5000) = %g", p)
		}
		if p := above(-5000, -3, s, 1); p != 1 {
			t.Errorf("P(X ≥ −5000) = %g", p)
		}
		if p := below(90, 100, s, 1); !(p > 0 && p < 1) {
			t.Errorf("P(X ≤ 90) = %g", p)
		}
	}
	if s := swing([]float64{100, -5000, 104, 97}, []float64{100, 100, 100, 100}, 1); math.IsNaN(s) {
		t.Error("the swing is no number")
	}
}
