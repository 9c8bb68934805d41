package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// What comes later than a tick waits for is stored and not judged any more, but it is learnt: an hour's summary closes a
// quarter past the hour. If samples came late by then, the ticks of the hour are evaluated once more, and the series that show
// other values than were recorded learn the hour from those, as if it were filled from the past behind live data.

// sameValue is how far the same value may differ between an instant and a range query.
const sameValue = 1e-9

// closeHour takes what came late into the summaries of the hour that is final at the tick t.
func (in *Instance) closeHour(ctx context.Context, t int64) error {
	final := (t - finalAfter) / hourMillis // first hour that is not
	if in.o.Late == nil || in.o.Remote != nil || final == in.lateTo {
		return nil
	}
	if len(in.closed) > 0 { // history is not whole, and models are made of it
		return errors.New("the ledger has not taken every hour yet; the next tick tries again")
	}
	first := in.lateTo == 0
	in.lateTo = final
	late := in.o.Late()
	if came := late - in.lateSeen; first || came == 0 {
		in.lateSeen = late
		return nil
	}
	in.lateSeen = late
	n, err := in.relearnHour(ctx, final-1)
	if err != nil {
		return fmt.Errorf("learn what came late in hour %d: %w", final-1, err)
	}
	if n > 0 {
		in.o.Logger.Info("an hour was learnt anew with what came late", "hour", clockText((final-1)*hourMillis), "series", n)
	}
	return nil
}

// relearnHour evaluates an hour once more and replaces the summaries of the series whose values have changed. It returns how
// many these are.
func (in *Instance) relearnHour(ctx context.Context, hour int64) (int, error) {
	from, to := hour*hourMillis, (hour+1)*hourMillis
	recorded, err := in.recordedValues(ctx, from, to)
	if err != nil {
		return 0, err
	}
	b, err := NewBackfill(in.o.Ledger, in.o.Dir, in.o.HistoryKeep, math.MaxInt64/2, in.core, definitions(in.core)) // so new that nothing is kept as history
	if err != nil {
		return 0, err
	}
	defer b.Abort()
	changed := map[string]bool{}
	type tick struct {
		t      int64
		inputs []Input
	}
	var ticks []tick
	err = in.eval.EachTick(ctx, b.Core(), from, to, in.pace(), func(t int64, inputs []Input) error {
		for _, input := range inputs {
			if input.Signal.daily() {
				continue
			}
			for _, o := range input.Observations {
				key := input.Signal.Def.Name + "\xff" + o.Labels.Key()
				if v, ok := recorded[key][t]; o.Point.Missing == series.Observed && t < to && (!ok || !(math.Abs(v-o.Point.Value) <= sameValue*math.Abs(v))) {
					changed[key] = true
				}
			}
		}
		ticks = append(ticks, tick{t, append([]Input(nil), inputs...)})
		return nil
	})
	if err != nil || len(changed) == 0 {
		return 0, err
	}
	for _, k := range ticks {
		var inputs []Input
		for _, input := range k.inputs {
			kept := Input{Signal: input.Signal, Otherwise: input.Otherwise}
			for _, o := range input.Observations {
				if changed[input.Signal.Def.Name+"\xff"+o.Labels.Key()] {
					kept.Observations = append(kept.Observations, o)
				}
			}
			if len(kept.Observations) > 0 || len(input.Signal.series) > 0 {
				inputs = append(inputs, kept)
			}
		}
		if err := b.Step(ctx, k.t, inputs); err != nil { // the last one, of the next hour, closes the hour
			return 0, err
		}
	}
	in.mu.Lock()
	err = b.Finish(ctx, in.core)
	in.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return len(changed), in.Snapshot()
}

// recordedValues are the values of ticks in [from, to), by signal and series.
func (in *Instance) recordedValues(ctx context.Context, from, to int64) (map[string]map[int64]float64, error) {
	out := map[string]map[int64]float64{}
	err := in.o.Live.Each(ctx, metricValue, from, to-1, func(ls labels.Labels, samples []tsdb.Sample) error {
		key := ls.Get("signal") + "\xff" + tsdb.FromPrometheus(ls, model.MetricNameLabel, "signal", "layer").Key()
		at := make(map[int64]float64, len(samples))
		for _, s := range samples {
			if !value.IsStaleNaN(s.V) {
				at[s.T] = s.V
			}
		}
		out[key] = at
		return nil
	})
	return out, err
}

// pace is the longest interval at which every signal is due, in milliseconds.
func (in *Instance) pace() int64 {
	pace := hourMillis
	for _, s := range in.core.signals {
		for q := min(s.Def.Interval.Milliseconds(), hourMillis/4); q > 0; {
			pace, q = q, pace%q
		}
	}
	return pace
}
