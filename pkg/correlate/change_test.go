package correlate

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// TestChangesCoverTheTruth plays releases at random hours of the fifth week, after which latency is 5 % lower, 10 % higher or as before, on
// days that run high or low for hours.
func TestChangesCoverTheTruth(t *testing.T) {
	const runs = 400
	for _, days := range []int{1, 7} {
		covered, wrong, found, effects := 0, 0, 0, 0
		for seed := range uint64(runs) {
			r := rand.New(rand.NewPCG(seed, 77))
			in := shop(seed, 6, 0, 0)
			at := 4*HoursPerWeek + r.IntN(HoursPerWeek-1)
			truth := []float64{0, math.Log(0.95), math.Log(1.1)}[seed%3]
			x := in.Drivers[0]
			for h := at; h < in.Frame.Rows(); h++ {
				x.Values[h] *= math.Exp(truth)
			}
			all, err := Changes(in.Frame, []*Series{x}, in.Volume, at, at+24*days, Options{})
			if err != nil {
				t.Fatal(err)
			}
			c := all[0]
			if c.Effect.Low <= truth && truth <= c.Effect.High {
				covered++
			}
			switch {
			case truth == 0 && c.Shown:
				wrong++
			case truth == math.Log(1.1):
				effects++
				if c.Shown && c.Effect.Coef > 0 {
					found++
				}
			}
		}
		coverage, falseRate, power := float64(covered)/runs, float64(wrong)/(runs/3.0), float64(found)/float64(effects)
		t.Logf("%d days after: coverage %.3f, false %.3f, +10 %% found %.3f", days, coverage, falseRate, power)
		if coverage < 0.91 || coverage > 0.98 {
			t.Errorf("%d days after: 95 %% intervals hold %.3f", days, coverage)
		}
		if falseRate > 0.09 { // of 133
			t.Errorf("%d days after: %.3f of what did not change is shown", days, falseRate)
		}
		if want := map[int]float64{1: 0.35, 7: 0.85}[days]; power < want {
			t.Errorf("%d days after: 10 %% are found in %.3f", days, power)
		}
	}
}

func TestChangesOfLittle(t *testing.T) {
	in := shop(1, 6, 0, 0)
	at := 4 * HoursPerWeek
	if _, err := Changes(in.Frame, in.Drivers, nil, HoursPerWeek, at, Options{}); !errors.Is(err, ErrWeeks) {
		t.Errorf("a week before: %v", err)
	}
	if _, err := Changes(in.Frame, in.Drivers, nil, at, at+2, Options{}); err == nil {
		t.Error("two hours after are compared")
	}
	constant, silent := &Series{Name: "constant", Values: make([]float64, in.Frame.Rows())}, &Series{Name: "silent", Values: make([]float64, in.Frame.Rows())}
	for i := range silent.Values {
		silent.Values[i] = math.NaN()
	}
	all, err := Changes(in.Frame, []*Series{constant, silent, in.Volume}, in.Volume, at, at+24, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all[:2] {
		if c.Why == "" || c.Shown {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
	if all[2].Why != "" {
		t.Errorf("traffic itself: %q", all[2].Why)
	}
}
