package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// What comes later than a tick waits for is stored and not judged any more, but it is learnt: an hour's summary closes a
// quarter past the hour. If samples came late by then, the ticks of the hour are evaluated once more, and the series that show
// other values than were recorded learn the hour from those, as if it were filled from the past behind live data.

// sameValue is how far the same value may differ between an instant and a range query.
const sameValue = 1e-9

// closeHour takes what came late into the summaries of the hour that is final at the tick t. Where a driver runs, that happens
// beside the ticks, and the next tick tries again while the hour before is still at it.
func (in *Instance) closeHour(ctx context.Context, t int64) error {
	final := (t - finalAfter) / hourMillis // first hour that is not
	if in.o.Late == nil || in.o.Remote != nil || final == in.lateTo || in.relearning.Load() {
		return nil
	}
	if len(in.closed) > 0 { // history is not whole, and models are made of it
		return errors.New("the ledger has not taken every hour yet; the next tick tries again")
	}
	first := in.lateTo == 0
	in.lateTo = final
	if first { // what closed before is closed
		return nil
	}
	late := in.o.Late()
	came := late != in.lateSeen
	if in.lateSeen = late; !came {
		return nil
	}
	if in.beside == nil {
		return in.relearnHour(ctx, final-1, func(f func() error) error { return f() })
	}
	in.relearning.Store(true)
	in.beside(func(ctx context.Context, between Between) {
		defer in.relearning.Store(false)
		if err := in.relearnHour(ctx, final-1, between); err != nil && ctx.Err() == nil {
			in.o.Logger.Error("late samples are stored and not learnt", "err", err)
		}
	})
	return nil
}

// relearnHour evaluates an hour once more, signal by signal, and replaces the summaries of the series whose values have changed.
func (in *Instance) relearnHour(ctx context.Context, hour int64, between Between) error {
	var defs []signal.Definition
	err := between(func() error {
		defs = definitions(in.core)
		return nil
	})
	if err != nil {
		return err
	}
	behind, err := in.marked(unfoldedLate)
	if err != nil {
		return err
	}
	n := 0
	for _, d := range defs {
		if d.Interval == signal.Day {
			continue
		}
		changed, err := in.relearnSignal(ctx, d, hour, between)
		if err != nil {
			return fmt.Errorf("learn what came late in the hour of %s: signal %s: %w", clockText(hour*hourMillis), d.Name, err)
		}
		n += changed
	}
	if n == 0 {
		return nil
	}
	in.o.Logger.Info("an hour was learnt anew with what came late", "hour", clockText(hour*hourMillis), "series", n)
	return between(func() error {
		if behind { // of an hour that failed: the next start folds it
			return in.Snapshot()
		}
		return in.settle(unfoldedLate)
	})
}

// relearnSignal returns how many series of the signal have changed.
func (in *Instance) relearnSignal(ctx context.Context, d signal.Definition, hour int64, between Between) (int, error) {
	from, to := hour*hourMillis, (hour+1)*hourMillis
	var b *Backfill
	var intervals promql.Intervals
	err := between(func() (err error) {
		intervals = in.o.Intervals
		b, err = NewBackfill(in.o.Ledger, in.o.Dir, in.o.HistoryKeep, math.MaxInt64/2, in.core, []signal.Definition{d}) // so new that nothing is kept as history
		return err
	})
	if err != nil {
		return 0, err
	}
	defer b.Abort()
	b.mark, b.guard = unfoldedLate, in.mu.RLocker()
	recorded, err := in.recordedValues(ctx, d.Name, from, to)
	if err != nil {
		return 0, err
	}
	changed := map[string]bool{}
	type tick struct {
		t     int64
		input Input
	}
	var ticks []tick
	eval := Evaluator{Engine: in.o.Engine, Store: in.o.Samples, Intervals: func() promql.Intervals { return intervals }}
	err = eval.EachTick(ctx, b.Core(), from, to, paceOf(d), func(t int64, inputs []Input) error {
		for _, input := range inputs {
			for _, o := range input.Observations {
				v, ok := recorded[o.Labels.Key()][t]
				if o.Point.Missing == series.Observed && t < to && (!ok || !(math.Abs(v-o.Point.Value) <= sameValue*math.Abs(v))) {
					changed[o.Labels.Key()] = true
				}
			}
			ticks = append(ticks, tick{t, input})
		}
		return nil
	})
	if err != nil || len(changed) == 0 {
		return 0, err
	}
	for _, k := range ticks { // the last one, of the next hour, closes the hour
		k.input.Observations = slices.DeleteFunc(slices.Clone(k.input.Observations), func(o Observation) bool { return !changed[o.Labels.Key()] })
		if err := b.Step(ctx, k.t, []Input{k.input}); err != nil {
			return 0, err
		}
	}
	return len(changed), in.mergeSeries(ctx, b, between)
}

// recordedValues are the values of a signal's ticks in [from, to), by series.
func (in *Instance) recordedValues(ctx context.Context, name string, from, to int64) (map[string]map[int64]float64, error) {
	out := map[string]map[int64]float64{}
	err := in.o.Live.Each(ctx, metricValue, from, to-1, func(ls labels.Labels, samples []tsdb.Sample) error {
		at := make(map[int64]float64, len(samples))
		for _, s := range samples {
			if !value.IsStaleNaN(s.V) {
				at[s.T] = s.V
			}
		}
		out[tsdb.FromPrometheus(ls, model.MetricNameLabel, "signal", "layer").Key()] = at
		return nil
	}, labels.MustNewMatcher(labels.MatchEqual, "signal", name))
	return out, err
}

// paceOf is the longest interval at which a signal is due that also ends every hour, in milliseconds.
func paceOf(d signal.Definition) int64 {
	pace := hourMillis
	for q := min(d.Interval.Milliseconds(), hourMillis/4); q > 0; {
		pace, q = q, pace%q
	}
	return pace
}
