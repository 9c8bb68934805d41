package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// The recorded series. Value, denominator, reporters, missing and tick are what recovery steps through, bit by bit; the others are
// for people and rounded to what a screen can show.
const (
	metricTick        = "baseliner_tick"
	metricValue       = "baseliner_value"
	metricDenominator = "baseliner_denominator"
	metricMissing     = "baseliner_missing"
	metricExpected    = "baseliner_expected"
	metricLower       = "baseliner_lower"
	metricUpper       = "baseliner_upper"
	metricScore       = "baseliner_score"
	metricReporters   = "baseliner_reporters" // exporters behind the value, of those that stand on several
	metricLack        = "baseliner_lack"      // share of them that a sum lacks; where it lacks any
)

var recorded = [...]string{metricValue, metricExpected, metricLower, metricUpper, metricScore, metricMissing, metricDenominator, metricReporters, metricLack}

// resultSteps is how many steps of a result fill its band, scoreSteps how many a score has between 0 and 1: finer than
// any screen.
const (
	resultSteps = 512
	scoreSteps  = 128
)

const (
	refValue = iota
	refExpected
	refLower
	refUpper
	refScore
	refMissing
	refDenominator
	refReporters
	refLack
	refCount
)

// Recorder writes ticks to the live store. It is not safe for concurrent use.
type Recorder struct {
	Store storage.Appendable
	refs  map[*Series]*[refCount]storage.SeriesRef
	tick  storage.SeriesRef
}

// Record appends the tick in one transaction: its marker and its points, all or nothing.
func (r *Recorder) Record(ctx context.Context, out *Output) error {
	if r.refs == nil {
		r.refs = map[*Series]*[refCount]storage.SeriesRef{}
	}
	app := &appender{Appender: r.Store.Appender(ctx)}
	app.put(&r.tick, out.T, 1, func() labels.Labels { return labels.FromStrings(model.MetricNameLabel, metricTick) })
	for i := range out.Judged {
		r.point(app, out.T, &out.Judged[i])
	}
	for _, s := range out.Dropped {
		delete(r.refs, s)
	}
	if app.err != nil {
		return fmt.Errorf("record tick: %w", errors.Join(app.err, app.Rollback()))
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("record tick: %w", err)
	}
	return nil
}

func (r *Recorder) point(app *appender, t int64, j *Judged) {
	refs := r.refs[j.Series]
	if refs == nil {
		refs = new([refCount]storage.SeriesRef)
		r.refs[j.Series] = refs
	}
	put := func(i int, v float64) { app.put(&refs[i], t, v, func() labels.Labels { return j.labels(recorded[i]) }) }
	v := j.Verdict
	if v.Missing != series.Observed {
		if j.Changed {
			// The markers end the lines on every screen at once.
			stale := math.Float64frombits(value.StaleNaN)
			for i := refValue; i <= refScore; i++ {
				put(i, stale)
			}
			put(refMissing, float64(v.Missing))
		}
		return
	}
	if j.Changed {
		put(refMissing, math.Float64frombits(value.StaleNaN))
	}
	put(refValue, v.Value)
	if v.Denominator != 0 {
		put(refDenominator, v.Denominator)
	}
	if j.Series.coverage != nil && v.Reporters > 0 {
		put(refReporters, float64(v.Reporters))
	}
	if j.Series.lack > 0 {
		put(refLack, j.Series.lack)
	}
	if math.IsNaN(v.Center) {
		return
	}
	grain := grain(v.Lower, v.Upper, v.Center, resultSteps)
	put(refExpected, roundTo(v.Center, grain))
	put(refLower, roundTo(v.Lower, grain))
	put(refUpper, roundTo(v.Upper, grain))
	put(refScore, roundTo(v.Score, 1.0/scoreSteps))
}

// labels of a recorded series of the point.
func (j *Judged) labels(metric string) labels.Labels {
	return tsdb.ToPrometheus(j.Series.Labels, model.MetricNameLabel, metric, "signal", j.Signal.Def.Name, "layer", j.Signal.Def.Layer.String())
}

// appender stops at the first error.
type appender struct {
	storage.Appender
	again bool // what is there already is no error
	err   error
}

func (a *appender) put(ref *storage.SeriesRef, t int64, v float64, ls func() labels.Labels) {
	if a.err != nil {
		return
	}
	var got storage.SeriesRef
	var err error
	if *ref != 0 {
		got, err = a.Append(*ref, labels.EmptyLabels(), t, v)
	}
	if *ref == 0 || err != nil { // new, or swept out of memory since
		got, err = a.Append(0, ls(), t, v)
	}
	if a.again && (errors.Is(err, storage.ErrOutOfOrderSample) || errors.Is(err, storage.ErrDuplicateSampleForTimestamp) || errors.Is(err, storage.ErrOutOfBounds)) {
		return
	}
	if err != nil {
		a.err = fmt.Errorf("%s at %d: %w", ls(), t, err)
		return
	}
	*ref = got
}

// grain is the power of two nearest to 1/steps of the band, so that rounded values compress well. Without a band it is
// relative to the value.
func grain(lower, upper, center, steps float64) float64 {
	w := upper - lower
	if math.IsInf(w, 0) || math.IsNaN(w) || w <= 0 {
		w = math.Abs(center)
	}
	if w == 0 || math.IsNaN(w) {
		return 0
	}
	return math.Exp2(math.Round(math.Log2(w / steps)))
}

func roundTo(x, grain float64) float64 {
	if grain == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	r := math.Round(x/grain) * grain
	if math.IsInf(r, 0) || math.IsNaN(r) {
		return x
	}
	return r
}
