package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/state"
)

// pour hands the points of so many machines in [from, to] to a running instance.
func (p *plant) pour(machines int, from, to int64, between Between) error {
	p.t.Helper()
	_, err := p.in.Fill(context.Background(), time.UnixMilli(p.next()), between, func(b *Backfill) error {
		for t := from; t <= to; t += plantStep {
			var o []Observation
			for m := range machines {
				o = append(o, Observation{Labels: series.FromStrings("machine", fmt.Sprint(m)), Point: series.Point{T: t, Value: usual(t, m)}})
			}
			if err := b.Step(context.Background(), t, []Input{{Signal: b.Core().Signals()[0], Observations: o, Otherwise: series.NoData}}); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func (p *plant) marked() (marked bool) {
	p.t.Helper()
	err := p.ledger.View(func(tx *bbolt.Tx) error {
		marked = state.Meta(tx, unfoldedBackfill) != nil
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return marked
}

// Whenever a process ends while a past is merged, the next start knows all that the ledger has.
func TestAFillThatWasCutShortIsFoldedAtTheNextStart(t *testing.T) {
	const from, to = plantStart - 54*hourMillis, plantStart - plantStep
	d := loadSignal()
	run := func(calls int) *plant { // killed before that many calls between ticks
		p := newPlant(t, d)
		p.run(plantStart + 6*hourMillis + 6*plantStep)
		n, killed := 0, errors.New("killed")
		err := p.pour(20, from, to, func(f func() error) error {
			if n++; n == calls {
				return killed
			}
			return f()
		})
		if errors.Is(err, killed) != (calls > 0) || calls == 0 && err != nil {
			t.Fatal(err)
		}
		if want := calls > 1; p.marked() != want {
			t.Fatalf("killed before call %d of %d: marked %v", calls, n, p.marked())
		}
		p.restart(d)
		if p.marked() {
			t.Error("the mark stays")
		}
		return p
	}
	whole, late := run(0), run(4) // the latter before it is saved
	if s := whole.in.core.signals[0].series[0].model.Slow; s.Hours < 54 {
		t.Fatalf("%d hours", s.Hours)
	}
	if fmt.Sprint(slowOf(late)) != fmt.Sprint(slowOf(whole)) {
		t.Error("the models differ from those that were saved")
	}
	whole.run(whole.next() + hourMillis) // closes the last hour of what was filled and is not seen live
	for _, calls := range []int{2, 3} {  // before and amid the merge
		p := run(calls)
		for i, sr := range p.in.core.signals[0].series {
			if n := sr.model.Slow.Hours; n < 52 {
				t.Errorf("killed before call %d: series %d knows %d hours", calls, i, n)
			}
		}
		if err := p.pour(20, from, to, func(f func() error) error { return f() }); err != nil {
			t.Fatal(err)
		}
		if p.run(p.next() + hourMillis); fmt.Sprint(slowOf(p)) != fmt.Sprint(slowOf(whole)) {
			t.Errorf("killed before call %d and filled again, the models differ", calls)
		}
	}
}

// A later fill of one series does not hide that another was left behind; the recent course of all of them stays.
func TestAMarkStaysUntilAllIsFolded(t *testing.T) {
	const from, to = plantStart - 54*hourMillis, plantStart - plantStep
	d := loadSignal()
	p := newPlant(t, d)
	p.run(plantStart + 6*hourMillis + 6*plantStep)
	p.restart(d)
	recent := fmt.Sprint(p.in.core.signals[0].series[0].model.Recent)
	killed := errors.New("killed")
	n := 0
	err := p.pour(2, from, to, func(f func() error) error {
		if n++; n == 2 {
			return killed
		}
		return f()
	})
	if !errors.Is(err, killed) {
		t.Fatal(err)
	}
	if err := p.pour(1, from, to, func(f func() error) error { return f() }); err != nil {
		t.Fatal(err)
	}
	p.restart(d)
	for _, sr := range p.in.core.signals[0].series {
		if sr.model.Slow.Hours < 52 {
			t.Errorf("%s knows %d hours", sr.Labels, sr.model.Slow.Hours)
		}
	}
	if got := fmt.Sprint(p.in.core.signals[0].series[0].model.Recent); got != recent {
		t.Error("the recent course is another")
	}
}

// What is unlearned while a past is filled is not learnt by it.
func TestUnlearnedWhileAPastIsFilled(t *testing.T) {
	const from, to = plantStart - 54*hourMillis, plantStart - plantStep
	p := newPlant(t, loadSignal())
	p.run(plantStart + 6*hourMillis)
	n := 0
	err := p.pour(1, from, to, func(f func() error) error {
		if n++; n == 2 {
			if _, err := p.unlearned.Put(state.Unlearned{From: from, To: from + 20*hourMillis}); err != nil {
				return err
			}
			if err := p.tick(p.next()); err != nil {
				return err
			}
		}
		return f()
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := p.in.core.signals[0].series[0].model.Slow.Hours; n < 32 || n > 42 {
		t.Errorf("%d hours are known of 60 without 20", n)
	}
}

// Ticks go on while a past is merged, and see the same as after it.
func TestTicksGoOnWhileAPastIsMerged(t *testing.T) {
	const end = plantStart + 6*hourMillis + 3*plantStep
	d := loadSignal()
	run := func(ticks bool) *plant {
		p := newPlant(t, d)
		p.run(end)
		n := 0
		err := p.pour(70, plantStart-54*hourMillis, plantStart-plantStep, func(f func() error) error {
			if n++; ticks && n > 1 {
				if err := p.tick(p.next()); err != nil {
					return err
				}
			}
			return f()
		})
		if err != nil {
			t.Fatal(err)
		}
		if n < 6 {
			t.Fatalf("%d calls between ticks", n)
		}
		p.run(end + 12*plantStep)
		return p
	}
	still, ticking := run(false), run(true)
	// What was judged meanwhile was judged by models that did not know all of the past; it is the same points all the same.
	of := func(p *plant) (all []string) {
		for _, sr := range p.in.core.signals[0].series {
			err := p.ledger.View(func(tx *bbolt.Tx) error {
				ss, err := state.Summaries(tx, sr.ID, 0, wholeHistory)
				for i := range ss {
					all = append(all, fmt.Sprint(sr.Labels, ss[i].Hour, ss[i].N, ss[i].Mean, ss[i].First, ss[i].Second, ss[i].Flags))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	same(t, "summaries", of(still), of(ticking), 54*70)
	before := fmt.Sprint(slowOf(ticking))
	for _, sr := range ticking.in.core.signals[0].series {
		s := ticking.in.core.signals[0]
		err := ticking.ledger.View(func(tx *bbolt.Tx) error {
			_, history, err := s.recall(tx, nil, sr.ID, s.Label(sr), wholeHistory)
			sr.model.Refold(history)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(slowOf(ticking)) != before {
		t.Error("the models are not the fold of the ledger")
	}
}
