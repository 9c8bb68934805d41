package pipeline

import (
	"bytes"
	"math"
	"testing"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// TestARatioIsJudgedOnItsCounts: the same conversion rate of a busy and of a quiet shop halves; only where many visitors
// say so it fires. Where there are few it says why it does not.
func TestARatioIsJudgedOnItsCounts(t *testing.T) {
	d := loadSignal()
	d.Name, d.Expr, d.Ratio, d.Window = "conversion", "", &signal.Ratio{Numerator: "orders", Denominator: "visits"}, 2*d.Interval
	c, err := NewCore([]signal.Definition{d})
	if err != nil {
		t.Fatal(err)
	}
	busy, quiet := series.FromStrings("shop", "busy"), series.FromStrings("shop", "quiet")
	begun := map[string]bool{}
	var last Output
	for at := plantStart; at < plantKnown+2*hourMillis; at += plantStep {
		ratio := 0.05
		if at >= plantKnown {
			ratio = 0.02
		}
		last = c.Step(at, []Input{{Signal: c.signals[0], Observations: []Observation{
			{busy, series.Point{Value: ratio, Denominator: 1600}}, {quiet, series.Point{Value: ratio, Denominator: 2}},
		}}})
		for _, e := range last.Events {
			begun[e.Series.Labels.Get("shop")] = true
			if at < plantKnown {
				t.Errorf("an event before anything happened: %+v", e)
			}
		}
	}
	if !begun["busy"] || begun["quiet"] {
		t.Errorf("fired: %v", begun)
	}
	for _, j := range last.Judged {
		few := j.Series.Labels.Get("shop") == "quiet"
		if j.Verdict.Known == few || few && j.Verdict.Why != baseline.Thin {
			t.Errorf("%v: %+v", j.Series.Labels, j.Verdict.Expectation)
		}
		if why := knowledge(j.Signal, j.Verdict); few && why != j.Verdict.Reason() || why == "" {
			t.Errorf("knowledge %q", why)
		}
		if math.IsNaN(j.Verdict.Center) {
			t.Error("a thin ratio has an expectation all the same")
		}
	}
	if per := c.signals[0].series[0].model.PerHour; math.Abs(per/(1600*6)-1) > 0.01 {
		t.Errorf("%v denominators an hour: windows that overlap by half count half", per)
	}
	saved, err := c.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := NewCore([]signal.Definition{d})
	if dropped, err := again.UnmarshalBinary(saved); err != nil || len(dropped) > 0 {
		t.Fatal(dropped, err)
	}
	if b, _ := again.AppendBinary(nil); !bytes.Equal(b, saved) {
		t.Error("a saved core is another one")
	}
	other, _ := NewCore([]signal.Definition{totalSignal()})
	if dropped, err := other.UnmarshalBinary(saved); err != nil || len(dropped) != 1 {
		t.Error("a ratio that is gone cannot be skipped:", dropped, err)
	}
}
