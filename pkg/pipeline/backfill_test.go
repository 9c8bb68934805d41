package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// fill hands the points of machine 0 in [from, to] to the first of the definitions, as a stopped instance would take
// them from a file.
func (p *plant) fill(from, to int64, defs ...signal.Definition) {
	p.t.Helper()
	p.fillMachines(1, from, to, defs...)
}

func (p *plant) fillMachines(machines int, from, to int64, defs ...signal.Definition) {
	p.t.Helper()
	ctx := context.Background()
	if err := p.in.FlushHistory(ctx); err != nil {
		p.t.Fatal(err)
	}
	b, err := NewBackfill(p.ledger, filepath.Join(p.dir, "history"), 60*24*time.Hour, to, p.in.Core(), defs)
	if err != nil {
		p.t.Fatal(err)
	}
	defer b.Abort()
	s := b.Core().Signals()[0]
	for t := from; t <= to; t += plantStep {
		var o []Observation
		for m := range machines {
			o = append(o, Observation{Labels: series.FromStrings("machine", fmt.Sprint(m)), Point: series.Point{T: t, Value: usual(t, m)}})
		}
		if err := b.Step(ctx, t, []Input{{Signal: s, Observations: o, Otherwise: series.NoData}}); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.in.Finish(ctx, b); err != nil {
		p.t.Fatal(err)
	}
}

// stored lists what history keeps of a signal's values.
func (p *plant) stored(name string) (all []string) {
	p.t.Helper()
	err := p.history.Each(context.Background(), metricValue, 0, 1<<62, func(ls labels.Labels, samples []tsdb.Sample) error {
		for _, s := range samples {
			if ls.Get("signal") == name {
				all = append(all, fmt.Sprint(ls, s.T, s.V))
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// instants cuts the values off: they are rounded by what is known of their hour when it is copied.
func instants(stored []string) (all []string) {
	for _, s := range stored {
		all = append(all, s[:strings.LastIndexByte(s, ' ')])
	}
	return all
}

func TestBackfillTwiceChangesNothing(t *testing.T) {
	d := loadSignal()
	p := newPlant(t, d)
	end := plantKnown + 4*plantStep // within an hour
	p.fill(plantStart, end, d)
	p.restart(d)
	summaries, models, values := p.summaries(t), p.models(t), p.stored("load")
	p.fill(plantStart, end, d)
	p.restart(d)
	same(t, "summaries", summaries, p.summaries(t), 50)
	same(t, "values", values, p.stored("load"), 600)
	if p.models(t) != models {
		t.Error("the models are others")
	}

	// A part of it has no course to go on with, so it may see its own hours a little differently, and no others.
	p.fill(plantStart+20*hourMillis, plantStart+40*hourMillis, d)
	p.restart(d)
	after := p.summaries(t)
	same(t, "summaries before the part", summaries[:20], after[:min(20, len(after))], 20)
	same(t, "summaries after the part", summaries[40:], after[min(40, len(after)):], 13)
	if p.in.LastTick() != end {
		t.Errorf("the last tick is %s", clockText(p.in.LastTick()))
	}
	p.hears()
}

// What a past would have cost is known afterwards as if the instance had lived through it, in one piece or in two.
func TestBackfillTeachesBudgets(t *testing.T) {
	d := loadSignal()
	end := plantKnown + 4*dayMillis
	lived, err := NewCore([]signal.Definition{d})
	if err != nil {
		t.Fatal(err)
	}
	for at := plantStart; at <= end; at += plantStep {
		o := []Observation{{Labels: series.FromStrings("machine", "0"), Point: series.Point{T: at, Value: usual(at, 0)}}}
		lived.Step(at, []Input{{Signal: lived.signals[0], Observations: o, Otherwise: series.NoData}})
	}
	want := lived.signals[0]
	if want.budget.Today.Hours+want.budget.Past.Hours < 48 {
		t.Fatalf("%+v", want.budget.Today)
	}
	check := func(name string, p *plant) {
		t.Helper()
		p.restart(d)
		got := p.in.core.signals[0]
		if got.budget.BudgetState != want.budget.BudgetState || got.team.budget.BudgetState != want.team.budget.BudgetState {
			t.Errorf("%s: budgets know\n%+v, want\n%+v", name, got.budget.BudgetState, want.budget.BudgetState)
		}
		if got.realised != want.realised {
			t.Errorf("%s: another coverage", name)
		}
	}
	p := newPlant(t, d)
	p.fill(plantStart, end, d)
	check("filled", p)
	p.fill(plantStart, end, d)
	check("filled twice", p)
	p = newPlant(t, d)
	p.fill(plantStart, plantKnown+dayMillis-plantStep, d)
	p.fill(plantKnown+dayMillis, end, d)
	check("filled in two pieces", p)
}

func TestBackfillInPieces(t *testing.T) {
	d := loadSignal()
	end := plantKnown + 4*plantStep
	whole := newPlant(t, d)
	whole.fill(plantStart, end, d)
	whole.restart(d)
	if len(whole.in.core.signals[0].series) != 1 {
		t.Fatal("nothing was filled")
	}
	for name, cut := range map[string]int64{
		"within an hour":          plantStart + 30*hourMillis + 7*plantStep,
		"before an hour is final": plantStart + 30*hourMillis + plantStep,
		"between two hours":       plantStart + 30*hourMillis - plantStep,
		"between two days":        plantStart/dayMillis*dayMillis + dayMillis - plantStep,
		"after one point":         plantStart,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, d)
			p.fill(plantStart, cut, d)
			p.restart(d)
			p.fill(cut+plantStep, end, d)
			p.restart(d)
			same(t, "summaries", whole.summaries(t), p.summaries(t), 50)
			same(t, "values", whole.stored("load"), p.stored("load"), 600)
			if p.models(t) != whole.models(t) {
				t.Error("the models differ")
				differ(t, whole.in.core.signals[0], p.in.core.signals[0])
			}
		})
	}
}

func TestBackfillOfThePastBeforeALife(t *testing.T) {
	d := loadSignal()
	p := newPlant(t, d)
	p.run(plantStart + 6*hourMillis + 6*plantStep)
	p.restart(d)
	lived := len(p.summaries(t)) / 2
	before := memoryOf(p.in.core.signals[0].series[0].model)
	p.fill(plantStart-54*hourMillis, plantStart-plantStep, d)
	p.restart(d)
	after := memoryOf(p.in.core.signals[0].series[0].model)
	if want := 54 + lived; lived == 0 || int(after.Slow.Hours) != want {
		t.Errorf("%d hours of history, want %d", after.Slow.Hours, want)
	}
	p.wholeHistory()
	summaries := p.summaries(t)
	p.fill(plantStart-54*hourMillis, plantStart-plantStep, d)
	p.restart(d)
	same(t, "summaries filled again", summaries, p.summaries(t), 60)
	if after.Open != before.Open || after.Recent != before.Recent {
		t.Error("the recent course is another")
	}
	p.run(p.next())
	for i, known := range []bool{true, false} { // machine 0 was filled, machine 1 was not
		if sr := p.in.core.signals[0].series[i]; sr.verdict.Known != known {
			t.Errorf("%s: known %v, %s", sr.Labels, sr.verdict.Known, sr.verdict.Reason())
		}
	}
	p.hears()
}

// TestBackfillBeyondTheLastTickLosesNoEnd: a past that reaches beyond what a running instance has seen comes while an alert
// fires, and another of a machine that went silent. Both end with the ticks that follow.
func TestBackfillBeyondTheLastTickLosesNoEnd(t *testing.T) {
	d := loadSignal()
	d.AbsentFor = 10 * time.Minute
	p := newPlant(t, d)
	p.run(plantKnown)
	start := p.incident()
	p.silent[1] = true
	p.run(start + 4*plantStep)
	if p.firing() != 1 || !p.in.core.signals[0].series[1].absence.Firing {
		t.Fatalf("told %q", p.told.news)
	}
	p.load, p.silent[1] = usual, false
	ctx := context.Background()
	between := func(f func() error) error { return f() }
	_, err := p.in.Fill(ctx, time.UnixMilli(p.next()), between, func(b *Backfill) error {
		at := p.next()
		var o []Observation
		for m := range 2 {
			o = append(o, Observation{Labels: series.FromStrings("machine", fmt.Sprint(m)), Point: series.Point{T: at, Value: usual(at, m)}})
		}
		return b.Step(ctx, at, []Input{{Signal: b.Core().Signals()[0], Observations: o, Otherwise: series.NoData}})
	})
	if err != nil {
		t.Fatal(err)
	}
	p.run(start + 9*plantStep)
	if len(p.told.open) != 0 || len(p.told.news) != 4 {
		t.Errorf("told %q, and %d alerts never end", p.told.news, len(p.told.open))
	}
}

func TestBackfillLeavesTheHistoryOfOthersAlone(t *testing.T) {
	defs := []signal.Definition{loadSignal(), totalSignal()}
	end := plantStart + 10*hourMillis + 6*plantStep // blocks are of twelve hours: some of it is in memory only
	filled, spared := newPlant(t, defs...), newPlant(t, defs...)
	for _, p := range []*plant{filled, spared} {
		p.run(end)
	}
	filled.restart(defs...)
	filled.fill(plantStart, end-2*plantStep, defs...)
	filled.restart(defs...)
	for _, p := range []*plant{filled, spared} {
		p.run(end + 3*hourMillis)
	}
	same(t, "values of the other", instants(spared.stored("total")), instants(filled.stored("total")), 12*12)
	total := func(p *plant) string { return fmt.Sprintf("%v", memoryOf(p.in.core.Signal("total").series[0].model)) }
	if total(filled) != total(spared) {
		t.Error("the model of the other differs")
	}
	same(t, "summaries", spared.summaries(t), filled.summaries(t), 12*3)
}

func TestTicksAreAlignedAfterABackfillThatWasNot(t *testing.T) {
	d := loadSignal()
	p := newPlant(t, d)
	last := plantStart + 6*hourMillis + 13_000
	p.fill(plantStart+13_000, last, d)
	p.restart(d)
	if got := p.in.LastTick(); got != last {
		t.Fatalf("resumed at %s, filled up to %s", clockText(got), clockText(last))
	}
	s := Schedule{Interval: plantStep, Delay: 30_000, Last: p.in.LastTick()}
	var ticks []int64
	for wall := last; wall < last+hourMillis+60_000; wall += 1000 {
		plan := s.Next(wall, wall-last)
		if plan.Tick == 0 {
			continue
		}
		if plan.Tick%plantStep != 0 || plan.Tick <= last {
			t.Fatalf("tick at %d", plan.Tick)
		}
		ticks = append(ticks, plan.Tick)
		if err := p.tick(plan.Tick); err != nil {
			t.Fatal(err)
		}
	}
	if len(ticks) != 12 || ticks[0] != last/plantStep*plantStep+plantStep {
		t.Errorf("ticks %v", ticks)
	}
	sr := p.in.core.Signal("load").series[0]
	if sr.lastSeen != ticks[len(ticks)-1] || sr.model.Slow.Hours != 7 {
		t.Errorf("seen at %s, %d hours", clockText(sr.lastSeen), sr.model.Slow.Hours)
	}
}
