package otlp_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/otlp"
)

// keepless is a store that keeps nothing.
type keepless struct{}

type keeplessAppender struct{}

func (keepless) AppenderV2(context.Context) storage.AppenderV2 { return keeplessAppender{} }

func (keepless) Querier(int64, int64) (storage.Querier, error) { return storage.NoopQuerier(), nil }

func (keeplessAppender) Append(ref storage.SeriesRef, ls labels.Labels, _, _ int64, _ float64, h *histogram.Histogram, fh *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	if ls.Get("__name__") == "" {
		panic("a sample without a name")
	}
	if h != nil {
		return ref, h.Validate()
	}
	if fh != nil {
		return ref, fh.Validate()
	}
	return ref, nil
}

func (keeplessAppender) Commit() error   { return nil }
func (keeplessAppender) Rollback() error { return nil }

func seeds() []pmetric.Metrics {
	var out []pmetric.Metrics
	for _, temporality := range []pmetric.AggregationTemporality{cumulative, delta} {
		md, ms := shop()
		counter(ms, "a", temporality, -time.Minute, 0, 1).Attributes().PutEmptySlice("list").AppendEmpty().SetEmptyMap().PutBool("x", true)
		h := ms.AppendEmpty()
		h.SetName("h")
		h.SetEmptyHistogram().SetAggregationTemporality(temporality)
		p := h.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(stamp(0))
		p.BucketCounts().FromRaw([]uint64{1, 2})
		p.ExplicitBounds().FromRaw([]float64{1})
		p.Exemplars().AppendEmpty().SetIntValue(1)
		e := ms.AppendEmpty()
		e.SetName("e")
		e.SetEmptyExponentialHistogram().SetAggregationTemporality(temporality)
		ep := e.ExponentialHistogram().DataPoints().AppendEmpty()
		ep.SetTimestamp(stamp(0))
		ep.SetScale(12)
		ep.SetCount(1)
		ep.Positive().BucketCounts().FromRaw([]uint64{1})
		ep.Negative().BucketCounts().FromRaw([]uint64{0, 0, 0, 7})
		out = append(out, md)
	}
	return out
}

func fuzz(f *testing.F, kind string) {
	memory := ingest.NewMemory(64<<20, nil, nil)
	r := otlp.New(otlp.Options{
		Door: ingest.NewGuard(keepless{}, ingest.GuardOptions{Now: func() time.Time { return now }}), Store: keepless{}, Memory: memory,
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &station{t: t, memory: memory, receiver: r}
		if w := s.post(kind, body); w.Code != 200 && w.Code != 400 {
			t.Errorf("answer %d %q", w.Code, w.Body)
		}
	})
}

func FuzzProtobuf(f *testing.F) {
	for _, md := range seeds() {
		f.Add(marshal(f, md))
	}
	fuzz(f, protobuf)
}

func FuzzJSON(f *testing.F) {
	for _, md := range seeds() {
		b, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	fuzz(f, jsonText)
}
