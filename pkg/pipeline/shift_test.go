package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// shifted steps one series through weeks of its day's course; by is what it is multiplied with from then on.
func shifted(t *testing.T, by float64, back, days int) (told []Transition, start int64) {
	t.Helper()
	d := loadSignal()
	d.Budget = signal.Budget{Signal: 7, Total: 7}
	c, err := NewCore([]signal.Definition{d})
	if err != nil {
		t.Fatal(err)
	}
	in := &Instance{}
	start = plantStart + 28*dayMillis + 10*hourMillis
	for at := plantStart; at < start+int64(days)*dayMillis; at += plantStep {
		v := usual(at, 0)
		if at >= start && (back == 0 || at < start+int64(back)*dayMillis) {
			v *= by
		}
		out := c.Step(at, []Input{{Signal: c.signals[0], Observations: []Observation{{Labels: series.FromStrings("machine", "0"), Point: series.Point{Value: v}}}}})
		for i := range out.Events {
			if at >= start {
				told = append(told, in.transition(t.Context(), &out.Events[i], at))
			}
		}
	}
	return told, start
}

func short(ts []Transition, since int64) (out []string) {
	for _, t := range ts {
		end := "fires"
		if !t.Firing {
			end = span(t.EndsAt - t.StartsAt)
		}
		out = append(out, fmt.Sprintf("+%s %s", span(t.StartsAt-since), end))
	}
	return out
}

// TestALevelShiftIsOneAlert: a level that changes for good is told once, ends when it is accepted, says so, and is not told
// again, whatever its size.
func TestALevelShiftIsOneAlert(t *testing.T) {
	for _, by := range []float64{0.2, 0.6, 1.3, 2.5, 6} {
		told, start := shifted(t, by, 0, 14)
		if len(told) != 2 || !told[0].Firing || told[1].Firing {
			t.Errorf("by %v: told %q", by, short(told, start))
			continue
		}
		a := told[1].Annotations
		if a["type"] != "shift" || !strings.Contains(a["summary"], "has a new level") || told[1].Labels["type"] != "anomaly" {
			t.Errorf("by %v: its end says %v", by, a)
		}
		if lasted := told[1].EndsAt - told[0].StartsAt; lasted < 24*hourMillis || lasted > 27*hourMillis {
			t.Errorf("by %v: accepted after %s", by, span(lasted))
		}
	}
}

// TestTheReturnOfALevelIsNoNews: what went back within a week is over within the hour.
func TestTheReturnOfALevelIsNoNews(t *testing.T) {
	for _, by := range []float64{0.2, 2.5} {
		told, start := shifted(t, by, 4, 14)
		if len(told) < 2 || len(told) > 4 {
			t.Errorf("by %v: told %q", by, short(told, start))
		}
		// Until the hour is over nobody can tell a return from an incident.
		for _, tr := range told[min(2, len(told)):] {
			if tr.StartsAt != start+4*dayMillis || !tr.Firing && (tr.EndsAt-tr.StartsAt > hourMillis || !strings.Contains(tr.Annotations["summary"], "back on its former level")) {
				t.Errorf("by %v: told %q, %v", by, short(told, start), tr.Annotations)
			}
		}
	}
}
