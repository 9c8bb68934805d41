package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// replaySpan is how much of the recording is held in memory at once.
const replaySpan = int64(30 * time.Minute / time.Millisecond)

// Replay steps the core through the recorded ticks in (after, newest of the store] and hands every output to f. It asks
// no PromQL: what was observed is what was written down. What was recorded of the signals in changed belongs to another
// definition of theirs and is passed over.
func Replay(ctx context.Context, live *tsdb.DB, core *Core, after int64, changed map[string]bool, f func(Output) error) error {
	newest, ok := live.Newest()
	if !ok {
		return nil
	}
	oldest, _ := live.Oldest()
	for from := max(after+1, oldest); from <= newest; from += replaySpan {
		ticks, err := readRecording(ctx, live, core, from, min(from+replaySpan-1, newest), changed)
		if err != nil {
			return fmt.Errorf("replay recorded points: %w", err)
		}
		for _, tick := range ticks {
			if err := f(core.Step(tick.t, tick.inputs())); err != nil {
				return err
			}
		}
	}
	return nil
}

// recordedTick is one marker with the observations under it, by signal in the order of the core.
type recordedTick struct {
	t            int64
	signals      []*Signal
	observations [][]Observation
}

func (r *recordedTick) inputs() []Input {
	in := make([]Input, 0, len(r.signals))
	for i, s := range r.signals {
		if due(s, r.t) {
			in = append(in, Input{Signal: s, Observations: r.observations[i], Otherwise: series.NoData, KeepReasons: true})
		}
	}
	return in
}

func readRecording(ctx context.Context, live *tsdb.DB, core *Core, from, to int64, changed map[string]bool) ([]*recordedTick, error) {
	var ticks []*recordedTick
	at := map[int64]*recordedTick{}
	err := live.Each(ctx, metricTick, from, to, func(_ labels.Labels, samples []tsdb.Sample) error {
		for _, s := range samples {
			r := &recordedTick{t: s.T, signals: core.signals, observations: make([][]Observation, len(core.signals))}
			ticks = append(ticks, r)
			at[s.T] = r
		}
		return nil
	})
	if err != nil || len(ticks) == 0 {
		return nil, err
	}
	index := map[string]int{}
	for i, s := range core.signals {
		if !changed[s.Def.Name] {
			index[s.Def.Name] = i
		}
	}
	// each calls g with every recorded sample of a metric and the place where its observation belongs.
	each := func(metric string, g func(r *recordedTick, signal int, ls series.Labels, v float64)) error {
		return live.Each(ctx, metric, from, to, func(pls labels.Labels, samples []tsdb.Sample) error {
			i, ok := index[pls.Get("signal")]
			if !ok {
				return nil // no longer configured
			}
			ls := tsdb.FromPrometheus(pls, model.MetricNameLabel, "signal", "layer")
			for _, s := range samples {
				if r := at[s.T]; r != nil && !value.IsStaleNaN(s.V) {
					g(r, i, ls, s.V)
				}
			}
			return nil
		})
	}
	type place struct {
		t      int64
		signal int
		key    string
	}
	denominators, reporters := map[place]float64{}, map[place]uint16{}
	err = each(metricDenominator, func(r *recordedTick, i int, ls series.Labels, v float64) {
		denominators[place{r.t, i, ls.Key()}] = v
	})
	if err != nil {
		return nil, err
	}
	err = each(metricReporters, func(r *recordedTick, i int, ls series.Labels, v float64) {
		reporters[place{r.t, i, ls.Key()}] = uint16(v)
	})
	if err != nil {
		return nil, err
	}
	err = each(metricValue, func(r *recordedTick, i int, ls series.Labels, v float64) {
		p := series.Point{T: r.t, Value: v}
		if len(denominators)+len(reporters) > 0 {
			at := place{r.t, i, ls.Key()}
			p.Denominator, p.Reporters = denominators[at], reporters[at]
		}
		r.observations[i] = append(r.observations[i], Observation{ls, p})
	})
	if err != nil {
		return nil, err
	}
	err = each(metricMissing, func(r *recordedTick, i int, ls series.Labels, v float64) {
		r.observations[i] = append(r.observations[i], Observation{ls, series.Point{T: r.t, Missing: series.Missing(v)}})
	})
	return ticks, err
}
