package pipeline

import (
	"testing"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

// TestADeployReachesTheSeriesItIsAbout looks for the flag in the hours of two series of which one was deployed.
func TestADeployReachesTheSeriesItIsAbout(t *testing.T) {
	core, err := NewCore([]signal.Definition{loadSignal()})
	if err != nil {
		t.Fatal(err)
	}
	const start = int64(1_790_000_000_000) / hourMillis * hourMillis
	deployed := start + 2*hourMillis + 10*60_000 + 1
	marks := NewMarks([]state.Annotation{{ID: "1", Type: DeployMark, Start: deployed, Labels: map[string]string{"machine": "1"}}})
	core.marks = func() *Marks { return marks }
	s := core.signals[0]
	flags := map[string][]int32{}
	step := s.Def.Interval.Milliseconds()
	for now := start; now < start+5*hourMillis; now += step {
		var seen []Observation
		for _, machine := range []string{"0", "1"} {
			seen = append(seen, Observation{Labels: series.FromMap(map[string]string{"machine": machine}), Point: series.Point{T: now, Value: 1}})
		}
		out := core.Step(now, []Input{{Signal: s, Observations: seen}})
		for _, c := range out.Closed {
			if c.Summary.Flags&baseline.FreshLevel != 0 {
				flags[c.Series.Labels.Get("machine")] = append(flags[c.Series.Labels.Get("machine")], c.Summary.Hour)
			}
		}
	}
	if len(flags["0"]) > 0 || len(flags["1"]) != 1 || int64(flags["1"][0]) != deployed/hourMillis {
		t.Errorf("fresh levels: %v, want one of machine 1 in hour %d", flags, deployed/hourMillis)
	}
}
