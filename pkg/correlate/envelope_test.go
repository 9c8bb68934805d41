package correlate

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// loaded is six weeks of load and a latency that rises with it, more steeply from a knee on (0 for none).
func loaded(seed uint64, knee float64) (*Frame, *Series, *Series) {
	in := shop(seed, 6, 0, 0)
	r := rand.New(rand.NewPCG(seed, 8))
	peak := weeklyPeak(in.Volume.Values)
	x, e := make([]float64, in.Frame.Rows()), 0.0
	for t := range x {
		e = 0.7*e + 0.01*math.Sqrt(1-0.49)*r.NormFloat64()
		l := in.Volume.Values[t] / peak
		x[t] = 0.2 + 0.05*l + e
		if knee > 0 {
			x[t] += 0.4 * max(l-knee, 0)
		}
	}
	return in.Frame, &Series{Name: "latency", Unit: "seconds", Values: x}, in.Volume
}

func TestKneesAreFoundWhereTheyAre(t *testing.T) {
	const runs = 100
	found, near, held, wrong := 0, 0, 0, 0
	for seed := range uint64(runs) {
		f, s, v := loaded(seed, 0.7)
		all, err := Envelopes(f, []*Series{s}, v)
		if err != nil {
			t.Fatal(err)
		}
		e := all[0]
		if e.Bends && e.SlopeAbove > e.SlopeBelow {
			found++
		}
		if math.Abs(e.Knee-0.7) < 0.1 {
			near++
		}
		if e.KneeLow-0.06 <= 0.7 && 0.7 <= e.KneeHigh+0.06 { // places are as far apart
			held++
		}
		f, s, v = loaded(seed, 0)
		if all, err = Envelopes(f, []*Series{s}, v); err != nil {
			t.Fatal(err)
		}
		if all[0].Bends {
			wrong++
		}
		if e := all[0].Slope; e.Low > 0.005 || e.High < 0.005 {
			held-- // the straight line is as sure as it says, nearly always: counted against the bound below
		}
	}
	t.Logf("of %d: found %d, within a tenth %d, intervals held %d; knees of straight lines %d", runs, found, near, held, wrong)
	if found < 95 || near < 90 || held < 80 || wrong > 4 {
		t.Error("knees are not found where they are")
	}
}

func TestEnvelopeTellsHowItScales(t *testing.T) {
	f, s, v := loaded(3, 0)
	r := rand.New(rand.NewPCG(3, 3))
	peak := weeklyPeak(v.Values)
	for i, l := range v.Values {
		s.Values[i] = 0.5 * math.Pow(l/peak, 1.4) * math.Exp(0.05*r.NormFloat64())
	}
	constant := &Series{Name: "constant", Values: make([]float64, f.Rows())}
	all, err := Envelopes(f, []*Series{s, constant}, v)
	if err != nil {
		t.Fatal(err)
	}
	if e := all[0]; !e.Scales || e.Power.Low > 1.4 || e.Power.High < 1.4 || e.Power.High-e.Power.Low > 0.1 || len(e.Points) < 8 {
		t.Errorf("power %+v", e.Power)
	}
	if all[1].Why == "" {
		t.Error("a constant has an envelope")
	}
	for i, row := range all[0].Rows {
		if (row.Hours >= minBin) != (row.P50 == row.P50) || row.P50 > row.P95 || row.Load != Loads[i] {
			t.Errorf("row %+v", row)
		}
	}
	if _, err := Envelopes(f, []*Series{s}, &Series{Name: "short"}); !errors.Is(err, errRows) {
		t.Errorf("a load of other rows: %v", err)
	}
}
