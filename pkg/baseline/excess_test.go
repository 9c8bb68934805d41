package baseline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// TestExcess holds the law that budgets rest on: an excess is at least 0 exactly when |score| is at least 1, and moving
// every limit by the exponent it names puts the point on the edge.
func TestExcess(t *testing.T) {
	m := New(utc{}, 5*time.Minute)
	r := rand.New(rand.NewPCG(7, 7))
	x, beyond, near := 0.0, 0, 0
	for k := range 6 * 2016 {
		x = 0.7*x + r.NormFloat64()
		value := 100 + x
		if r.Float64() < 0.003 {
			value += 30 * r.NormFloat64()
		}
		v, _, _ := m.Step(series.Point{T: monday + int64(k)*300_000, Value: value})
		if v.Excess >= 0 != (math.Abs(v.Score) >= 1) {
			t.Fatalf("row %d: score %v, excess %v", k, v.Score, v.Excess)
		}
		if v.Excess <= NoExcess && math.Abs(v.Score) > excessFrom {
			t.Fatalf("row %d: score %v without excess", k, v.Score)
		}
		if v.Excess < -0.49 { // further in, views below excessFrom may lead
			continue
		}
		if near++; v.Excess >= 0 {
			beyond++
		}
		most := 0.0
		for i, g := range v.Gates {
			g.Limit *= math.Exp(v.Excess * m.Slow.widening(View(i)))
			most = max(most, math.Abs(g.Score()))
		}
		if math.Abs(most-1) > 1e-9 {
			t.Fatalf("row %d: moved by %v the largest score is %v, want 1", k, v.Excess, most)
		}
	}
	if beyond < 10 || near < 20 {
		t.Errorf("%d rows beyond, %d near: the test saw too little", beyond, near)
	}
}

func TestWideningStaysInBounds(t *testing.T) {
	var m Slow
	check := func(widens float32, want float64) {
		t.Helper()
		m.Widens[Jump] = widens
		if got := m.widening(Jump); got != want {
			t.Errorf("widening of %v: %v, want %v", widens, got, want)
		}
	}
	check(0, leastWidening)
	check(1, leastWidening)
	check(float32(math.Inf(1)), mostWidening)
	if got := m.widening(Flat); got != flatWidening {
		t.Errorf("flat: %v", got)
	}
}
