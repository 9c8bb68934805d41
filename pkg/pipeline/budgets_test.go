package pipeline

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

const budgetStep = int64(300_000)

// crew steps two signals of one team and one of another, each with as many series, and lets some break out at once.
func crew(t *testing.T, total float64) *Core {
	t.Helper()
	def := func(name, team string) signal.Definition {
		return signal.Definition{
			Name: name, Alert: name, Team: team, Interval: 5 * time.Minute, Zone: "UTC", Severity: "warning",
			Budget: signal.Budget{Signal: 100, Total: total},
		}
	}
	c, err := NewCore([]signal.Definition{def("a", "shop"), def("b", "shop"), def("c", "")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// crewTick is row k; by is what all series are off by, in deviations of their noise.
func crewTick(c *Core, k int, by float64) Output {
	at := 1_767_571_200_000 + int64(k)*budgetStep
	var in []Input
	for i, s := range c.signals {
		var obs []Observation
		for n := range 6 {
			v := 100 + float64(noise(int64(k), i*6+n, 11)%1000)/100 + 5*by
			obs = append(obs, Observation{Labels: series.FromMap(map[string]string{"pod": string(rune('a' + n))}), Point: series.Point{Value: v}})
		}
		in = append(in, Input{Signal: s, Observations: obs, Otherwise: series.NoData})
	}
	return c.Step(at, in)
}

// TestBeyondTheBudget: a storm pages as far as a team's budget goes, the rest is told without paging, to the end; other
// teams have their own.
func TestBeyondTheBudget(t *testing.T) {
	c := crew(t, 8)
	begun, quiet, ended := map[string]int{}, map[string]int{}, map[string]int{}
	for k := range 14*288 + 8 {
		by := 0.0
		if k >= 14*288 && k < 14*288+3 {
			by = 4
		}
		out := crewTick(c, k, by)
		for _, o := range out.Events {
			if k < 14*288 {
				continue
			}
			w := Describe(&o, out.T, nil, nil)
			if (w.Annotations["paging"] == "false") != o.Quiet || w.Labels["paging"] != "" {
				t.Fatalf("quiet %v, annotations %v, labels %v", o.Quiet, w.Annotations, w.Labels)
			}
			team := o.Signal.Def.Team
			if o.Event.Kind == detect.Begin {
				if math.Abs(o.Event.Peak) >= detect.Certain {
					t.Fatalf("score %v: the storm is too strong for this test", o.Event.Peak)
				}
				begun[team]++
			} else {
				ended[team]++
			}
			if o.Quiet && o.Event.Kind == detect.Begin {
				quiet[team]++
			} else if o.Quiet {
				quiet[team+" ended"]++
			}
		}
	}
	// Of a week's budget of eight 4.8 are saved up, of which an hour may spend half: two page.
	for team, series := range map[string]int{"shop": 12, "": 6} {
		if begun[team] < series || ended[team] != begun[team] {
			t.Errorf("team %q: %d alerts of %d series, %d ended", team, begun[team], series, ended[team])
		}
		if quiet[team] != begun[team]-2 || quiet[team+" ended"] != quiet[team] {
			t.Errorf("team %q: %d of %d alerts do not page, %d at their ends", team, quiet[team], begun[team], quiet[team+" ended"])
		}
	}
}

// TestWhatGrowsPagesAfterAll: an alert that began beyond the budget says once that it pages when its score is certain, and
// its end does not deny it; one that does not grow says nothing.
func TestWhatGrowsPagesAfterAll(t *testing.T) {
	c := crew(t, 8)
	type news struct{ begun, quiet, grown, ended int }
	all := map[*Series]*news{}
	for k := range 14*288 + 20 {
		by := 0.0
		switch {
		case k >= 14*288 && k < 14*288+3:
			by = 4
		case k >= 14*288+3 && k < 14*288+6:
			by = 40
		}
		for _, o := range crewTick(c, k, by).Events {
			if k < 14*288 {
				continue
			}
			n := all[o.Series]
			if n == nil {
				n = &news{}
				all[o.Series] = n
			}
			switch tr := (&Instance{}).transition(t.Context(), &o, 1); o.Event.Kind {
			case detect.Begin:
				n.begun++
				if o.Quiet {
					n.quiet++
				}
			case detect.Grow:
				n.grown++
				if n.begun != 1 || n.ended > 0 || !tr.Firing || !tr.Escalated || tr.Annotations["paging"] != "" || math.Abs(o.Event.Peak) < detect.Certain {
					t.Errorf("grown: %+v after %+v", tr, n)
				}
			case detect.End:
				if n.ended++; n.quiet > 0 && tr.Annotations["paging"] != "" {
					t.Errorf("its end: %+v", tr)
				}
			}
		}
	}
	quiet := 0
	for sr, n := range all {
		if quiet += n.quiet; n.quiet != n.grown {
			t.Errorf("%s: %+v", sr.Labels, n)
		}
	}
	if quiet < 8 {
		t.Errorf("only %d alerts began quietly", quiet)
	}
}

// TestBudgetsSurvive: a core that was stored and read in the middle of a storm goes on bit by bit, and one that was stored
// before there were budgets is read.
func TestBudgetsSurvive(t *testing.T) {
	whole, halves := crew(t, 8), crew(t, 8)
	for k := range 6 * 288 {
		by := 0.0
		if k%(2*288) > 2*288-20 {
			by = 4
		}
		crewTick(whole, k, by)
		crewTick(halves, k, by)
		if k == 6*288-10 {
			b, err := halves.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			halves = crew(t, 8)
			if dropped, err := halves.UnmarshalBinary(b); err != nil || len(dropped) > 0 {
				t.Fatal(dropped, err)
			}
		}
	}
	a, err := whole.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := halves.AppendBinary(nil)
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("states differ (%v)", err)
	}
	budgets, err := whole.appendBudgets(nil)
	if err != nil {
		t.Fatal(err)
	}
	coverage, err := whole.appendCoverage(nil)
	if err != nil {
		t.Fatal(err)
	}
	stories, err := whole.appendStories(nil)
	if err != nil {
		t.Fatal(err)
	}
	a = a[:len(a)-len(stories)] // which came later
	a = a[:len(a)-len(coverage)]
	if _, err := crew(t, 8).UnmarshalBinary(a); err != nil {
		t.Errorf("a snapshot without coverage: %v", err)
	}
	old := a[:len(a)-len(budgets)]
	if _, err := crew(t, 8).UnmarshalBinary(old); err != nil {
		t.Errorf("a snapshot without budgets: %v", err)
	}
	for cut := len(old) + 1; cut < len(a); cut += 97 {
		if _, err := crew(t, 8).UnmarshalBinary(a[:cut]); err == nil {
			t.Fatalf("a snapshot cut at %d of %d is read", cut, len(a))
		}
	}
}

// TestBudgetOfBacktest: the budget moves which alerts begin, and nothing else.
func TestBudgetOfBacktest(t *testing.T) {
	run := func(perWeek float64) (alerts, anomalous int) {
		def := signal.Definition{Name: "a", Alert: "a", Interval: 5 * time.Minute, Zone: "UTC", Budget: signal.Budget{Signal: perWeek, Total: perWeek}}
		b, err := NewBacktest(def)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 8 * 2016 {
			v := 0.0
			for i := range 4 { // heavier than a Gaussian's tail
				v += float64(noise(int64(k), i, 5)%1000)/1000 - 0.5
			}
			j := b.Step(series.Point{T: 1_767_571_200_000 + int64(k)*budgetStep, Value: 100 + v*v*v})
			if j.Anomalous() {
				anomalous++
			}
		}
		return len(b.Alerts), anomalous
	}
	few, rows := run(1)
	many, same := run(20)
	if many < 4*few || many > 20*8*3/2 {
		t.Errorf("%d alerts at 1/w, %d at 20/w in eight weeks", few, many)
	}
	if rows != same {
		t.Errorf("%d anomalous rows at 1/w, %d at 20/w: the column is not the budget's", rows, same)
	}
}

// TestFigures: what is published of a signal is what was counted, and nothing before anything was.
func TestFigures(t *testing.T) {
	c := crew(t, 8)
	in := &Instance{core: c, metrics: newMetrics(nil)}
	if f := in.Status()[0].Figures; !math.IsNaN(f.Coverage) || !math.IsNaN(f.EpisodesPerWeek) || f.Budget != 100 {
		t.Errorf("figures of nothing: %+v", f)
	}
	told := 0
	for k := range 7 * 288 {
		by := 0.0
		if k > 5*288 && k%200 == 0 {
			by = 4
		}
		out := crewTick(c, k, by)
		for _, o := range out.Events {
			if o.Event.Kind == detect.Begin && o.Signal == c.signals[0] {
				told++
			}
		}
		in.publish(out.T)
	}
	f := in.Status()[0].Figures
	if told == 0 || !(f.Coverage > 0.9 && f.Coverage < 1) || !(f.Low <= f.Coverage && f.Coverage <= f.High) {
		t.Errorf("%d told, figures %+v", told, f)
	}
	if perWeek := float64(told) / 5 * 7; math.Abs(f.EpisodesPerWeek-perWeek) > 0.1*perWeek { // of seven days two were learning
		t.Errorf("%v episodes a week, want about %v", f.EpisodesPerWeek, perWeek)
	}
	if got := testutil.ToFloat64(in.metrics.coverage.WithLabelValues("a")); got != f.Coverage {
		t.Errorf("metric says %v, status %v", got, f.Coverage)
	}
	if got := testutil.ToFloat64(in.metrics.left.WithLabelValues("shop")); got != c.teams[0].budget.Left {
		t.Errorf("metric says %v are left", got)
	}
}
