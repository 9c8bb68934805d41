package otlp

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// resource appends what one resource sends, which it may change. Numbers whose series are all known go to the store directly; else
// everything is translated, and the series of the numbers are remembered.
func (r *Receiver) resource(ctx context.Context, rm pmetric.ResourceMetrics, app *appender, settings prometheusremotewrite.Settings, told *reasons) error {
	md := pmetric.NewMetrics()
	ms := numbersOf(rm)
	if len(ms) == 0 {
		rm.MoveTo(md.ResourceMetrics().AppendEmpty())
		return r.convert(ctx, md, app, settings, told)
	}
	series, all := r.memo.recall(ms, time.Now())
	if all {
		first, last := app.known(ms, series)
		leaveTimes(rm, first, last)
		rm.MoveTo(md.ResourceMetrics().AppendEmpty())
		return r.convert(ctx, md, &rest{app}, settings, told)
	}
	rm.MoveTo(md.ResourceMetrics().AppendEmpty())
	l := &learner{appender: app, were: series}
	if !r.Door.Full() { // nothing is worth memory that is short
		for _, one := range ms {
			for i := range one.points.Len() {
				l.points = append(l.points, one.points.At(i))
			}
		}
	}
	if err := r.convert(ctx, md, l, settings, told); err != nil {
		return err
	}
	if len(l.points) > 0 && len(l.series) == len(l.points) && !l.lost {
		r.memo.keep(ms, series, l.series, time.Now())
	}
	return nil
}

// known appends points to their series, and returns when the first and the last were.
func (a *appender) known(ms []numbers, series []*known) (first, last pcommon.Timestamp) {
	first = math.MaxUint64
	for _, one := range ms {
		for i := range one.points.Len() {
			p, k := one.points.At(i), series[i]
			first, last = min(first, p.Timestamp()), max(last, p.Timestamp())
			st, t, v := number(p)
			was := storage.SeriesRef(k.ref.Load())
			if ref, ok := a.offer(was, k.ls, st, t, v, nil, nil, storage.AppendV2Options{Metadata: metadata.Metadata{Type: k.kind}}); ok && ref != was {
				k.ref.Store(uint64(ref))
			}
		}
		series = series[one.points.Len():]
	}
	return first, last
}

// timesOnly is the metric that stands in for numbers that are stored already.
const timesOnly = "baseliner_times_only"

// leaveTimes replaces the numbers of a resource by when they were: from that and from the attributes the translation makes target_info.
func leaveTimes(rm pmetric.ResourceMetrics, first, last pcommon.Timestamp) {
	rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
		sm.Metrics().RemoveIf(isNumbers)
		return sm.Metrics().Len() == 0
	})
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(timesOnly)
	points := m.SetEmptyGauge().DataPoints()
	points.AppendEmpty().SetTimestamp(first)
	points.AppendEmpty().SetTimestamp(last)
}

// rest appends what is left of a resource after leaveTimes.
type rest struct{ *appender }

// Append implements storage.AppenderV2.
func (r *rest) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	if opts.MetricFamilyName == timesOnly && opts.Metadata.Type == model.MetricTypeGauge {
		return 0, nil
	}
	return r.appender.Append(ref, ls, st, t, v, h, fh, opts)
}

// learner appends and notes which series the numbers belong to. That a sample belongs to the next point is checked by its time and value.
type learner struct {
	*appender
	points []pmetric.NumberDataPoint // in the order of the translation; none: nothing is learnt
	were   []*known                  // what is known of them already
	series []*known                  // what will be; nil: not stored, or without a value
	lost   bool                      // the samples are not those of the points
}

// Append implements storage.AppenderV2.
func (l *learner) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	ref, err := l.appender.Append(ref, ls, st, t, v, h, fh, opts)
	if k := opts.Metadata.Type; k == model.MetricTypeHistogram || k == model.MetricTypeSummary || opts.MetricFamilyName == "target_info" {
		return ref, err
	}
	if l.lost = l.lost || len(l.series) >= len(l.points); l.lost {
		return ref, err
	}
	p := l.points[len(l.series)]
	var k *known
	if !p.Flags().NoRecordedValue() {
		_, at, is := number(p)
		l.lost = at != t || math.Float64bits(is) != math.Float64bits(v)
		if k = l.were[len(l.series)]; k == nil && ref != 0 {
			k = &known{ls: ls, kind: opts.Metadata.Type}
		}
		if ref != 0 {
			k.ref.Store(uint64(ref))
		}
	}
	l.series = append(l.series, k)
	return ref, err
}
