package correlate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// growing is eight weeks of visits that grow by 2 % a week and of a processor that is half used at the peak of now, in proportion.
func growing(seed uint64, weekly float64) (*Frame, *Series, *Series) {
	in := shop(seed, 8, 0, 0)
	r := rand.New(rand.NewPCG(seed, 5))
	n := in.Frame.Rows()
	for t := range n {
		in.Volume.Values[t] *= math.Exp(weekly * float64(t-n) / HoursPerWeek)
	}
	peak := weeklyPeak(in.Volume.Values)
	x, e := make([]float64, n), 0.0
	for t := range x {
		e = 0.7*e + 0.01*math.Sqrt(1-0.49)*r.NormFloat64()
		x[t] = 0.05 + 0.5*in.Volume.Values[t]/peak + e
	}
	return in.Frame, &Series{Name: "cpu", Unit: "ratio", Values: x}, in.Volume
}

func TestCapacityHoldsTheTruth(t *testing.T) {
	const runs = 100
	held, loads := 0, 0
	for seed := range uint64(runs) {
		f, s, v := growing(seed, 0.02)
		c := CapacityOf(f, s, v, 0.8)
		if c.Why != "" {
			t.Fatal(c.Why)
		}
		if c.LoadWeek.Low <= 0.02 && 0.02 <= c.LoadWeek.High {
			loads++
		}
		// 0.05 + 0.5·L + 0.0165 = 0.8 where L is 1.467, times the peak of now.
		if truth := math.Log(1.467) / 0.02; c.Weeks.Low <= truth+1 && truth-1 <= c.Weeks.High {
			held++
		}
		if doubled := c.Scenarios[len(c.Scenarios)-1]; math.Abs(doubled.Value-1.0665) > 0.05 || doubled.Low > doubled.Value || doubled.High < doubled.Value {
			t.Errorf("seed %d: with twice the load %+v", seed, doubled)
		}
	}
	t.Logf("of %d: weeks held %d, growth of the load held %d", runs, held, loads)
	if held < 85 || loads < 85 {
		t.Error("intervals do not hold the truth")
	}
}

func TestCapacityOfWhatDoesNotGrow(t *testing.T) {
	f, s, v := growing(4, 0)
	if c := CapacityOf(f, s, v, 5); !math.IsInf(c.Weeks.Value, 1) || !math.IsInf(c.Weeks.High, 1) || math.Abs(c.Peak-0.57) > 0.05 {
		t.Errorf("%+v", c)
	}
	if c := CapacityOf(f, s, nil, 0.1); c.Weeks.Value != 0 || c.PerLoad.SE != 0 {
		t.Errorf("what is over its limit already, without traffic: %+v", c)
	}
	if c := CapacityOf(f.Part(0, 100), s.Part(0, 100), nil, 1); c.Why == "" {
		t.Error("a hundred hours are enough")
	}
	constant := &Series{Name: "constant", Values: make([]float64, f.Rows())}
	if c := CapacityOf(f, constant, v, 1); c.Why == "" {
		t.Errorf("a constant: %+v", c)
	}
}
