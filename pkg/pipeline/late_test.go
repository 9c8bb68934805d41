package pipeline

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/state"
)

// One machine's samples of half an hour arrive twenty minutes after they were measured: what is learnt of the hour is what
// would have been learnt had they come in time. After the hour has closed nothing changes any more.
func TestLateSamplesAreLearntUntilTheHourCloses(t *testing.T) {
	summaries := func(p *plant, machine int, hour int64) (s []baseline.Summary) {
		t.Helper()
		sr := p.in.core.signals[0].series[machine]
		err := p.ledger.View(func(tx *bbolt.Tx) (err error) {
			s, err = state.Summaries(tx, sr.ID, int32(hour), int32(hour)+1)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const gap = plantStart + 5*hourMillis + 20*60_000 // the machine is cut off from here …
	const back = gap + 30*60_000                      // … to here
	beside := func(p *plant) {                        // as where a driver runs: while it is at it, ticks go on
		var works []func(context.Context, Between)
		p.in.beside = func(work func(context.Context, Between)) { works = append(works, work) }
		p.after = func() {
			for _, work := range works {
				work(context.Background(), func(f func() error) error { return f() })
			}
			works = nil
		}
	}
	run := func(cut bool, deliver int64, how ...func(*plant)) *plant {
		p := newPlant(t, loadSignal())
		for _, f := range how {
			f(p)
		}
		late := int64(0)
		p.in.o.Late = func() int64 { return late }
		if err := p.live.TakeLate(2 * time.Hour); err != nil {
			t.Fatal(err)
		}
		for at := plantStart; at <= plantStart+8*hourMillis; at += plantStep {
			p.silent[1] = cut && at >= gap && at < back
			if cut && at == deliver {
				app := p.live.Appender(context.Background())
				for old := gap; old < back; old += plantStep {
					ls := labels.FromStrings(model.MetricNameLabel, "load", "machine", "1")
					if _, err := app.Append(0, ls, old, p.load(old, 1)); err != nil {
						t.Fatal(err)
					}
					late++
				}
				if err := app.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.tick(at); err != nil {
				t.Fatal(err)
			}
			if p.restarts == at {
				p.restart(loadSignal())
				late = 0
				p.in.o.Late = func() int64 { return late }
				if err := p.live.TakeLate(2 * time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			if p.after != nil && at%(3*plantStep) == 0 {
				p.after()
			}
		}
		return p
	}
	const hour = gap / hourMillis
	whole, in, after := run(false, 0), run(true, back+10*60_000), run(true, plantStart+6*hourMillis+25*60_000)
	for machine := range 2 {
		want, got := summaries(whole, machine, hour), summaries(in, machine, hour)
		what := func(s []baseline.Summary) (texts []string) { // how the first row moved from the one before the hour is not known any more
			for i := range s {
				texts = append(texts, fmt.Sprint(s[i].N, s[i].Mean, s[i].First, s[i].Second, s[i].Flags))
			}
			return texts
		}
		if fmt.Sprint(what(got)) != fmt.Sprint(what(want)) || len(got) != 1 {
			t.Errorf("machine %d learnt\n%+v\nin time it would have been\n%+v", machine, got, want)
		}
	}
	if a, b := slowOf(in), slowOf(whole); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("the models differ from those that saw it in time")
	}
	if a, b := slowOf(run(true, back+10*60_000, beside)), slowOf(in); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("beside ticks the models differ from those learnt at once")
	}
	restarted := run(true, back+10*60_000, func(p *plant) { p.restarts = back + 15*60_000 })
	if got := summaries(restarted, 1, hour); len(got) != 1 || got[0].N != 12 {
		t.Errorf("after a restart before the hour has closed it learnt %+v", got)
	}
	if got := summaries(after, 1, hour); len(got) != 1 || got[0].N != 6 {
		t.Errorf("after the hour had closed it learnt %+v", got)
	}
}
