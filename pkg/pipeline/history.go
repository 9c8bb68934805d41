package pipeline

import (
	"context"
	"fmt"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	hourMillis = int64(3600_000)
	// finalAfter is when an hour's recording is complete: late points come until a quarter past.
	finalAfter = hourMillis / 4
	// historySteps is how many steps of a value fill its band: a chart of an old day shows no more.
	historySteps = 48
)

// bands are kept once an hour and drawn by interpolation.
var bands = [...]string{metricExpected, metricLower, metricUpper}

// CopyHour derives the history of one UTC hour from the live store: the value of every tick, rounded to a fraction of
// its band, the denominators of ratios, and the band at the middle of the hour. Doing it twice changes nothing.
func CopyHour(ctx context.Context, live *tsdb.DB, history storage.Appendable, hour int64) error {
	return copyHour(ctx, live, history, hour, (hour+1)*hourMillis-1)
}

// copyHour copies the hour up to the instant to.
func copyHour(ctx context.Context, live *tsdb.DB, history storage.Appendable, hour, to int64) error {
	from := hour * hourMillis
	app := &appender{Appender: history.Appender(ctx), again: true}
	grains := map[string]float64{}
	middle := map[string][len(bands)]float64{}
	for i, metric := range bands {
		err := live.Each(ctx, metric, from, to, func(ls labels.Labels, samples []tsdb.Sample) error {
			s, ok := nearest(samples, from+hourMillis/2)
			if !ok {
				return nil
			}
			key := keyOf(ls)
			m := middle[key]
			m[i] = s.V
			middle[key] = m
			if i < len(bands)-1 {
				return nil
			}
			g := grain(m[1], m[2], m[0], historySteps)
			grains[key] = g
			if to < from+hourMillis/2 {
				return nil // the middle is yet to come
			}
			for j, band := range bands {
				var ref storage.SeriesRef
				app.put(&ref, from+hourMillis/2, roundTo(m[j], g), func() labels.Labels { return renamed(ls, band) })
			}
			return app.err
		})
		if err != nil {
			return fmt.Errorf("copy hour %d to history: %w", hour, err)
		}
	}
	err := live.Each(ctx, metricValue, from, to, func(ls labels.Labels, samples []tsdb.Sample) error {
		g, ok := grains[keyOf(ls)]
		if !ok {
			g = plainGrain(samples)
		}
		var ref storage.SeriesRef
		for _, s := range samples {
			if !value.IsStaleNaN(s.V) {
				app.put(&ref, s.T, roundTo(s.V, g), func() labels.Labels { return ls })
			}
		}
		return app.err
	})
	if err != nil {
		_ = app.Rollback() // the first error is the one to tell
		return fmt.Errorf("copy hour %d to history: %w", hour, err)
	}
	err = live.Each(ctx, metricDenominator, from, to, func(ls labels.Labels, samples []tsdb.Sample) error {
		var ref storage.SeriesRef
		for _, s := range samples {
			if !value.IsStaleNaN(s.V) {
				app.put(&ref, s.T, roundCount(s.V), func() labels.Labels { return ls })
			}
		}
		return app.err
	})
	if err != nil {
		_ = app.Rollback()
		return fmt.Errorf("copy hour %d to history: %w", hour, err)
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("copy hour %d to history: %w", hour, err)
	}
	return nil
}

// roundCount rounds the denominator of a ratio to a quarter of a percent: enough to sum up what was lost, whose own noise is
// larger.
func roundCount(v float64) float64 { return roundTo(v, grain(0, v, v, 4*historySteps)) }

func nearest(samples []tsdb.Sample, t int64) (best tsdb.Sample, ok bool) {
	for _, s := range samples {
		if value.IsStaleNaN(s.V) {
			continue
		}
		if !ok || abs(s.T-t) < abs(best.T-t) {
			best, ok = s, true
		}
	}
	return best, ok
}

// plainGrain is for series without a band yet: fine enough for any band they may get.
func plainGrain(samples []tsdb.Sample) float64 {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, s := range samples {
		if !value.IsStaleNaN(s.V) {
			lo, hi = min(lo, s.V), max(hi, s.V)
		}
	}
	if !(hi > lo) {
		return 0
	}
	return grain(lo, hi, hi, 4*historySteps)
}

func keyOf(ls labels.Labels) string { return renamed(ls, "").String() }

func renamed(ls labels.Labels, metric string) labels.Labels {
	return labels.NewBuilder(ls).Set(model.MetricNameLabel, metric).Labels()
}

func abs(x int64) int64 { return max(x, -x) }
