package correlate

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/series"
)

// shop is hours of visits, orders and one latency; the slope is the logarithm of the factor on orders for 100 ms, lag hours later.
func shop(seed uint64, weeks, lag int, slope float64) Input {
	r := rand.New(rand.NewPCG(seed, 1))
	hours := weeks * HoursPerWeek
	in := Input{Frame: &Frame{Slots: make([]int16, hours)}}
	visits, orders, latency := make([]float64, hours), make([]float64, hours), make([]float64, hours)
	var x, v, e float64
	past := make([]float64, 8)
	for t := range hours {
		in.Frame.Slots[t] = int16(t % HoursPerWeek)
		day := 1 - 0.6*math.Cos(2*math.Pi*float64(t%24)/24)
		x = 0.7*x + 0.02*math.Sqrt(1-0.49)*r.NormFloat64()
		v = 0.8*v + 0.1*math.Sqrt(1-0.64)*r.NormFloat64()
		e = 0.6*e + 0.07*math.Sqrt(1-0.36)*r.NormFloat64()
		past = append(past, x)
		visits[t] = math.Round(8000 * day * math.Exp(v))
		orders[t] = math.Round(visits[t] * 0.05 * math.Exp(slope*past[len(past)-1-lag]/0.1+e))
		latency[t] = 0.15 + 0.05*day + x
	}
	in.Outcome = &Series{Name: "orders", Layer: series.Business, Kind: Count, Values: orders}
	in.Volume = &Series{Name: "visits", Kind: Count, Values: visits}
	in.Drivers = []*Series{{Name: "latency", Layer: series.Application, Unit: "seconds", Values: latency}}
	return in
}

func evaluate(t *testing.T, in Input) (*Family, *Pair) {
	t.Helper()
	f, _, err := EvaluateTwice([]Input{in}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f, &f.Studies[0].Pairs[0]
}

func TestFindsTheRelation(t *testing.T) {
	for lag := range 4 {
		f, p := evaluate(t, shop(uint64(lag), 8, lag, math.Log(0.85)))
		if !p.Shown || p.Grade != Reliable || p.Lag != lag || p.Leader != "latency" {
			t.Errorf("lag %d: shown %v, grade %v, lag %d, doubts %q", lag, p.Shown, p.Grade, p.Lag, p.Doubts)
		}
		if low, high := p.Effect.Low, p.Effect.High; low > math.Log(0.85) || high < math.Log(0.85) || p.ChosenLow > low || p.ChosenHigh < high {
			t.Errorf("lag %d: %v to %v, chosen %v to %v", lag, low, high, p.ChosenLow, p.ChosenHigh)
		}
		if f.Weeks != 8 || f.Tested != 1 || f.Groups != 1 || f.Threshold != 0.05 || f.Studies[0].AtTraffic != "visits" || !f.Studies[0].Log {
			t.Errorf("family %+v", f)
		}
	}
}

func TestNoRelationSaysWhatWouldHaveBeenSeen(t *testing.T) {
	_, p := evaluate(t, shop(5, 8, 0, 0))
	if p.Shown || p.Grade != NoGrade || p.Why != "" {
		t.Errorf("%+v", p)
	}
	// Hours wiggle by 20 ms and orders by 7 %: an effect of some percent per 100 ms is what eight weeks can tell.
	if d := Percent(p.Detectable); d < 2 || d > 10 {
		t.Errorf("detectable %v %%", d)
	}
}

func TestScaleShiftAndUnitDoNotMatter(t *testing.T) {
	in := shop(7, 6, 1, math.Log(0.85))
	_, p := evaluate(t, in)
	other := shop(7, 6, 1, math.Log(0.85))
	for i := range other.Drivers[0].Values {
		other.Drivers[0].Values[i] = other.Drivers[0].Values[i]*1000 + 5
	}
	other.Drivers[0].Unit = "ms"
	_, q := evaluate(t, other)
	if math.Abs(p.Effect.Coef-q.Effect.Coef) > 1e-6 || math.Abs(p.R-q.R) > 1e-9 || p.Lag != q.Lag || q.StepWords != "100 ms" {
		t.Errorf("in seconds %+v, in milliseconds %+v", p.Effect, q.Effect)
	}
}

func TestWhatLeadsBackwardsIsGradeC(t *testing.T) {
	in := shop(11, 8, 0, math.Log(0.8))
	late := lagged(in.Drivers[0].Values, 2) // as if latency followed orders
	in.Drivers[0].Values = late
	_, p := evaluate(t, in)
	if !p.Shown || p.Lag != -2 || p.Grade != Unstable || !slices.Contains(p.Doubts, "the outcome moves first") {
		t.Errorf("shown %v, lag %d, grade %v, doubts %q", p.Shown, p.Lag, p.Grade, p.Doubts)
	}
}

func TestWithoutTrafficThereIsNoGradeA(t *testing.T) {
	in := shop(2, 8, 1, math.Log(0.8))
	in.Volume = nil
	_, p := evaluate(t, in)
	if !p.Shown || p.Grade != Plausible || !slices.Contains(p.Doubts, "traffic is not known") {
		t.Errorf("shown %v, grade %v, doubts %q", p.Shown, p.Grade, p.Doubts)
	}
}

func TestTheFirstEvaluationHasNoGradeA(t *testing.T) {
	_, p := evaluate(t, shop(3, MinWeeks, 1, math.Log(0.7)))
	if !p.Shown || p.Grade != Plausible || !slices.Contains(p.Doubts, "it was not evaluated the week before") {
		t.Errorf("shown %v, grade %v, doubts %q", p.Shown, p.Grade, p.Doubts)
	}
}

func TestDriversThatMoveTogetherAreOneFinding(t *testing.T) {
	in := shop(13, 8, 1, math.Log(0.8))
	r := rand.New(rand.NewPCG(1, 1))
	noise := sd(in.Drivers[0].Values) / 10
	for i := range 40 {
		d := *in.Drivers[0]
		d.Name = "cpu_" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		d.Values = slices.Clone(d.Values)
		for t := range d.Values {
			d.Values[t] += noise * r.NormFloat64()
		}
		in.Drivers = append(in.Drivers, &d)
	}
	f, _ := evaluate(t, in)
	s := f.Studies[0]
	found := s.Findings()
	if len(found) != 1 || len(s.Following(found[0].Driver)) != 40 || f.Tested != 41 || f.Groups != 1 {
		t.Errorf("%d findings, %d pairs in %d groups", len(found), f.Tested, f.Groups)
	}
}

func TestOneIncidentIsNoRelation(t *testing.T) {
	in := shop(17, 6, 0, 0)
	for h := range 30 {
		at := 3*HoursPerWeek + 40 + h
		in.Outcome.Values[at] *= 0.75
		in.Drivers[0].Values[at] += 0.09
	}
	_, p := evaluate(t, in)
	if p.Shown || len(p.Doubts) != 1 || !strings.Contains(p.Doubts[0], "week 4 of 6") {
		t.Errorf("shown %v, doubts %q", p.Shown, p.Doubts)
	}
	in.Frame.Excluded = make([]bool, in.Frame.Rows())
	for h := range 30 {
		in.Frame.Excluded[3*HoursPerWeek+40+h] = true
	}
	if _, p = evaluate(t, in); p.Shown || len(p.Doubts) != 0 {
		t.Errorf("excluded: shown %v, doubts %q", p.Shown, p.Doubts)
	}
}

func TestPairsThatCannotBeTested(t *testing.T) {
	in := shop(19, 6, 0, 0)
	constant, silent := make([]float64, in.Frame.Rows()), make([]float64, in.Frame.Rows())
	for i := range silent {
		constant[i], silent[i] = 3, math.NaN()
	}
	in.Drivers = append(in.Drivers,
		&Series{Name: "constant", Values: constant}, &Series{Name: "silent", Values: silent},
		&Series{Name: "orders", Values: in.Outcome.Values}, &Series{Name: "visits", Values: in.Volume.Values})
	f, _ := evaluate(t, in)
	for i, want := range []string{"", "hardly varies", "not enough data", "outcome itself", "traffic"} {
		if p := f.Studies[0].Pairs[i]; (want == "") != (p.Why == "") || !strings.Contains(p.Why, want) || want != "" && (p.Shown || p.P != 1) {
			t.Errorf("%s: %q, want %q", p.Driver, p.Why, want)
		}
	}
	if f.Tested != 1 {
		t.Errorf("%d tested", f.Tested)
	}
	short := shop(19, MinWeeks-1, 0, 0)
	if _, err := Evaluate(short, Options{}); !errors.Is(err, ErrWeeks) {
		t.Errorf("three weeks: %v", err)
	}
	in.Outcome.Values = in.Outcome.Values[1:]
	if _, err := Evaluate(in, Options{}); !errors.Is(err, errRows) {
		t.Errorf("a row too few: %v", err)
	}
}

func TestHolesAreLeftOut(t *testing.T) {
	in := shop(23, 8, 1, math.Log(0.85))
	r := rand.New(rand.NewPCG(4, 4))
	for i := range in.Frame.Rows() {
		if r.Float64() < 0.05 {
			in.Drivers[0].Values[i] = math.NaN()
		}
		if r.Float64() < 0.05 {
			in.Outcome.Values[i] = math.NaN()
		}
	}
	_, p := evaluate(t, in)
	if !p.Shown || p.Lag != 1 || p.Effect.Low > math.Log(0.85) || p.Effect.High < math.Log(0.85) || p.N > 1260 {
		t.Errorf("shown %v, lag %d, n %d, effect %+v", p.Shown, p.Lag, p.N, p.Effect)
	}
}

// TestResidualIsOfTheOtherWeeks compares with the definition, on weeks in which clocks go back.
func TestResidualIsOfTheOtherWeeks(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	f := &Frame{Slots: make([]int16, 5*HoursPerWeek)}
	x := make([]float64, len(f.Slots))
	for i := range x {
		f.Slots[i] = int16(i % HoursPerWeek)
		if i >= 2*HoursPerWeek+50 {
			f.Slots[i] = int16((i - 1) % HoursPerWeek)
		}
		if x[i] = r.NormFloat64(); r.Float64() < 0.1 {
			x[i] = math.NaN()
		}
	}
	for _, skip := range []int{none, 3} {
		got := residual(f, x, skip)
		for i := range x {
			sum, n := 0.0, 0.0
			for j := range x {
				if f.Slots[j] == f.Slots[i] && j/HoursPerWeek != i/HoursPerWeek && j/HoursPerWeek != skip && x[j] == x[j] {
					sum, n = sum+x[j], n+1
				}
			}
			want := x[i] - sum/n
			if i/HoursPerWeek == skip {
				want = math.NaN()
			}
			if math.Abs(got[i]-want) > 1e-9 || (got[i] == got[i]) != (want == want) {
				t.Fatalf("skip %d, row %d: %v, want %v", skip, i, got[i], want)
			}
		}
	}
}

func TestGradesAreLetters(t *testing.T) {
	for _, g := range []Grade{NoGrade, Unstable, Plausible, Reliable} {
		b, err := g.MarshalText()
		var back Grade
		if err != nil || back.UnmarshalText(b) != nil || back != g {
			t.Errorf("%v: %s %v", g, b, err)
		}
	}
	var g Grade
	if g.UnmarshalText([]byte("D")) == nil {
		t.Error("D is no grade")
	}
}
