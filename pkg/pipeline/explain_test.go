package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// lived is what was decided on a point while it was lived through.
type lived struct {
	verdict baseline.Verdict
	gate    detect.Gate
	anomaly detect.State
}

// eventful is a plant with two days of incidents, silences and windows, with a rule that asks every gate. It returns what
// was decided at every tick of every series of both signals.
func eventful(t *testing.T) (p *plant, decided map[string]map[int64]lived) {
	t.Helper()
	a, b := loadSignal(), totalSignal()
	a.Direction, a.MinChange.Absolute, a.MinChange.Relative = series.Up, 3, 0.05
	b.For, b.KeepFiringFor = 3*loadSignal().Interval, 2*loadSignal().Interval
	p = newPlant(t, a, b)
	decided = map[string]map[int64]lived{}
	p.load = func(t int64, machine int) float64 {
		v := usual(t, machine)
		switch slot := t / plantStep % 97; { // every eight hours
		case t < plantKnown:
		case slot == 11 && machine == 0:
			return v * 3
		case slot >= 30 && slot < 37:
			return v * 1.3
		case slot >= 50 && slot < 55 && machine == 1:
			return v / 2
		case slot == 70:
			return v + 2.5
		}
		return v
	}
	for now := p.next(); now <= plantKnown+40*hourMillis; now += plantStep {
		p.silent[1] = now > plantKnown && now/plantStep%150 < 4
		if err := p.tick(now); err != nil {
			t.Fatal(err)
		}
		if now == plantKnown+20*hourMillis {
			p.unlearn(now-9*hourMillis, now-7*hourMillis, "")
			p.reconsider()
		}
		for _, s := range p.in.core.signals {
			for _, sr := range s.series {
				key := s.Def.Name + sr.Labels.String()
				if decided[key] == nil {
					decided[key] = map[int64]lived{}
				}
				decided[key][now] = lived{sr.verdict, sr.gate, sr.anomaly}
			}
		}
	}
	return p, decided
}

// TestExplanationsAreWhatWasDecided rebuilds the decisions of two days and compares them with those that were made, and
// with those that the JSON alone comes to.
func TestExplanationsAreWhatWasDecided(t *testing.T) {
	p, decided := eventful(t)
	gates, fired, n, moved := map[detect.Gate]int{}, 0, 0, 0
	for at := plantKnown; at <= p.in.LastTick(); at += plantStep {
		for _, name := range []string{"load", "total"} {
			all, err := p.in.Explain(t.Context(), name, "", at+plantStep/2)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				key := name + series.FromMap(e.Labels).String()
				was := decided[key][at]
				n++
				gates[e.Gate]++
				if e.After.Phase == "firing" {
					fired++
				}
				if e.At != at || e.Approximate {
					t.Fatalf("%s at %s: explains %s, approximate %t: %q", key, clockText(at), clockText(e.At), e.Approximate, e.Notes)
				}
				v := &was.verdict
				got := []float64{float64(e.Score), float64(e.Expected), float64(e.Lower), float64(e.Upper)}
				for i, want := range []float64{v.Score, v.Center, v.Lower, v.Upper} {
					if math.Float64bits(got[i]) != math.Float64bits(want) {
						t.Fatalf("%s at %s: %v, decided was %+v", key, clockText(at), got, v)
					}
				}
				if was.gate != e.Gate && (was.gate == detect.GateBudget || e.Gate == detect.GateBudget) {
					moved++ // budgets are explained at the exponents of now
					continue
				}
				if e.Gate != was.gate || e.After != was.anomaly.Situation() {
					t.Fatalf("%s at %s: %s %+v, decided was %s %+v", key, clockText(at), e.Gate, e.After, was.gate, was.anomaly)
				}
				recompute(t, e)
			}
		}
	}
	t.Logf("%d explanations, %d of a firing anomaly, %d at another exponent, by gate %v", n, fired, moved, gates)
	if moved > n/50 {
		t.Errorf("%d of %d explained at another exponent", moved, n)
	}
	for _, g := range []detect.Gate{detect.GateOpen, detect.GateScore, detect.GateMissing, detect.GateDirection, detect.GateFor, detect.GateReturning} {
		if gates[g] == 0 {
			t.Errorf("none was decided by %s", g)
		}
	}
	if n < 1400 || fired < 30 {
		t.Error("the test does not see enough")
	}
}

// TestARatioIsExplained: by the sums of its counts, and to the bit.
func TestARatioIsExplained(t *testing.T) {
	d := loadSignal()
	d.Name, d.Expr, d.Ratio, d.Window = "share", "", &signal.Ratio{Numerator: `sum(load{machine="0"})`, Denominator: `sum(load)`}, d.Interval
	p := newPlant(t, d)
	p.run(plantKnown)
	p.load = func(t int64, machine int) float64 { return usual(t, machine) * float64(9-8*machine) }
	for range 6 {
		p.run(p.next())
		at := p.in.LastTick()
		v := p.in.core.signals[0].series[0].verdict
		all, err := p.in.Explain(t.Context(), "share", "", at)
		if err != nil || len(all) != 1 {
			t.Fatal(len(all), err)
		}
		e := all[0]
		if float64(e.Score) != v.Score || float64(e.Lower) != v.Lower || float64(e.Upper) != v.Upper || !(e.Score >= 1) || e.Upper >= e.Value {
			t.Errorf("explained is %+v, decided was %+v", e, v)
		}
		names := []string{}
		for k, view := range e.Views {
			names = append(names, view.View)
			if g := v.Gates[k]; view.Seen != g.Seen || view.Limit != g.Limit {
				t.Errorf("%s: %+v, decided by %+v", view.View, view, g)
			}
		}
		if !slices.Equal(names, []string{"10m", "30m", "1h", "2h"}) {
			t.Errorf("views %q", names)
		}
		recompute(t, e)
	}
}

// recompute sends an explanation through JSON and decides again.
func recompute(t *testing.T, e *detect.Explanation) {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var read detect.Explanation
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	d, err := detect.Decide(&read)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if math.Float64bits(d.Score) != math.Float64bits(float64(e.Score)) || d.Anomalous != e.Anomalous || d.Gate != e.Gate || d.After.Situation() != e.After {
		t.Fatalf("from the JSON alone it is %+v: %s", d, text)
	}
	held := slices.IndexFunc(e.Gates, func(a detect.Asked) bool { return !a.Passed })
	switch {
	case held >= 0 && e.Gate != e.Gates[held].Gate, held < 0 && e.Gate != detect.GateOpen:
		if e.Gate == detect.GateOpen && held >= 0 && e.Gates[held].Gate == detect.GateFor {
			break
		}
		t.Fatalf("%s decided, the gates say %+v: %s", e.Gate, e.Gates, text)
	}
	for i, v := range e.Views {
		if v.Limit == 0 || v.View == baseline.WindowName(i) { // that of a count is a quantile
			continue
		}
		if product := v.Threshold * v.Scale * v.Youth * e.Schedule; math.Abs(product-v.Limit) > 1e-9*v.Limit {
			t.Fatalf("view %d: limit %g, its factors give %g", i, v.Limit, product)
		}
	}
}

// TestTenThousandRandomPoints decides on random courses, rules and states, and again from their JSON.
func TestTenThousandRandomPoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	anomalous := map[detect.Gate]int{}
	for n := 0; n < 10_000; {
		d := loadSignal()
		d.Direction = series.Direction(rng.IntN(3))
		d.MinChange.Absolute, d.MinChange.Relative = float64(rng.IntN(3))*rng.Float64()*20, float64(rng.IntN(2))*rng.Float64()
		if rng.IntN(2) == 0 {
			d.For = d.Interval * 2
			d.KeepFiringFor = d.Interval + 1234567
		}
		core, err := NewCore([]signal.Definition{d})
		if err != nil {
			t.Fatal(err)
		}
		s := core.signals[0]
		sr := s.add(series.FromStrings("i", fmt.Sprint(n)))
		level, size := math.Exp2(rng.Float64()*40-20), math.Exp2(rng.Float64()*10-9)
		r := &rebuild{in: &Instance{}, core: core, signal: s, series: sr}
		first := n == 0
		for i := range 1000 {
			now := plantStart + int64(i)*plantStep
			pt := series.Point{T: now, Value: level * (1 + size*rng.NormFloat64())}
			if i >= 560 && rng.IntN(60) == 0 {
				pt.Value += level * size * 40 * rng.NormFloat64()
			}
			if rng.IntN(15) == 0 {
				pt = series.Point{T: now, Missing: series.Missing(1 + rng.IntN(9))}
			}
			if i < 560 && (!first || i%10 != 0) {
				s.stepSeries(sr, pt, &Output{})
				continue
			}
			e := r.decide(pt)
			recompute(t, e)
			anomalous[e.Gate]++
			n++
		}
	}
	t.Logf("decided by %v", anomalous)
	if len(anomalous) < 8 {
		t.Error("some gate never decided")
	}
}

func TestExplainOfThePastBeyondTheRecording(t *testing.T) {
	p, end := filled(t, 2)
	at := end - 3*dayMillis + 7*plantStep
	all, err := p.in.Explain(t.Context(), "load", `{machine="1"}`, at)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d explanations, %v", len(all), err)
	}
	e := all[0]
	if !e.Approximate || len(e.Notes) == 0 || e.At != at || !e.Known || e.Anomalous || math.Abs(float64(e.Value)-usual(at, 1)) > 0.5 {
		t.Errorf("%+v", e)
	}
	recompute(t, e)
	p.unlearn(at-hourMillis, at+hourMillis, `{machine="1"}`)
	if all, err = p.in.Explain(t.Context(), "load", `{machine="1"}`, at); err != nil || len(all[0].Forgotten) != 1 || all[0].Forgotten[0].Reason != "test" {
		t.Errorf("the window is not told: %+v, %v", all, err)
	}
}

func TestExplainRefusesWhatCannotBeMeant(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.run(plantStart + hourMillis)
	for _, ask := range []struct {
		signal, match string
		at            int64
	}{{"none", "", plantStart}, {"load", "{", plantStart}, {"load", `{machine="9"}`, plantStart}, {"load", "", plantStart - hourMillis}} {
		if all, err := p.in.Explain(t.Context(), ask.signal, ask.match, ask.at); err == nil {
			t.Errorf("%+v: %v", ask, all)
		}
	}
	all, err := p.in.Explain(t.Context(), "load", "load", plantStart+2*hourMillis)
	if err != nil || len(all) != 2 || all[0].Gate != detect.GateLearning || all[0].Learning == "" || !math.IsInf(float64(all[0].Upper), 1) {
		t.Errorf("%+v, %v", all, err)
	}
}
