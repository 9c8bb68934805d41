package otlp

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// appender takes what the translation gives. A refused sample is noted and swallowed, or the translation would leave out
// the points after it.
type appender struct {
	storage.AppenderV2
	told   *reasons
	points int // refused
}

// Append implements storage.AppenderV2.
func (a *appender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	if ref, ok := a.offer(ref, ls, st, t, v, h, fh, opts); ok {
		return ref, nil
	}
	return 0, nil
}

func (a *appender) offer(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, bool) {
	if k := opts.Metadata.Type; k == model.MetricTypeGauge || k == model.MetricTypeUnknown {
		st = 0 // it has a start time, but it did not start at zero
	}
	opts.Exemplars = nil
	ref, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	if ingest.ReasonOf(err) == "" {
		return ref, true
	}
	a.refuse(ls, h != nil || fh != nil, opts, err)
	return 0, false
}

// refuse notes a sample. Of the series that a histogram or a summary becomes, the count stands for the point.
func (a *appender) refuse(ls labels.Labels, native bool, opts storage.AppendV2Options, err error) {
	name := ls.Get(model.MetricNameLabel)
	switch opts.Metadata.Type {
	case model.MetricTypeHistogram, model.MetricTypeSummary:
		if !native && !strings.HasSuffix(name, "_count") {
			return
		}
	default:
		if name == "target_info" {
			return
		}
	}
	a.points++
	a.told.add(fmt.Sprintf("%s: %s", name, err))
}
