package remotewrite_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
)

// keepless is a store that keeps nothing.
type keepless struct{}

type keeplessAppender struct{}

func (keepless) AppenderV2(context.Context) storage.AppenderV2 { return keeplessAppender{} }

func (keeplessAppender) Append(ref storage.SeriesRef, ls labels.Labels, _, _ int64, _ float64, h *histogram.Histogram, fh *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	if ls.IsEmpty() {
		panic("a sample without labels")
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

// What Prometheus' own decoder makes of a message, and encodes again as it should be, ours takes; nothing makes it fall over.
func fuzz(f *testing.F, contentType string, again func([]byte) ([]byte, bool)) {
	s := &station{t: f, memory: ingest.NewMemory(64<<20, nil, nil)}
	s.handler = remotewrite.NewHandler(remotewrite.Options{
		Door: ingest.NewGuard(keepless{}, ingest.GuardOptions{Now: func() time.Time { return now }}), Memory: s.memory,
	})
	f.Fuzz(func(t *testing.T, message []byte) {
		s := &station{t: t, memory: s.memory, handler: s.handler}
		if w := s.post(contentType, snappy.Encode(nil, message)); w.Code/100 == 5 {
			t.Errorf("answer %d %q", w.Code, w.Body)
		}
		if sound, ok := again(message); ok {
			if w := s.post(contentType, snappy.Encode(nil, sound)); w.Code != 204 && !partial(w.Body.String()) {
				t.Errorf("Prometheus takes it, we say %d %q", w.Code, w.Body)
			}
		}
	})
}

// partial reports whether a message was understood and not liked, or carries unknown fields that are none.
func partial(text string) bool {
	for _, part := range []string{"samples were refused", "larger than", "symbol", "without samples", "group", "field number", "integer overflow"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func FuzzVersion1(f *testing.F) {
	for _, req := range []prompb.WriteRequest{
		{},
		{Timeseries: []prompb.TimeSeries{{Labels: pairs("__name__", "a", "b", "c"), Samples: []prompb.Sample{{Timestamp: at(0), Value: 1}}}}},
		{Timeseries: []prompb.TimeSeries{{Labels: pairs("__name__", "a"), Histograms: []prompb.Histogram{prompb.FromIntHistogram(at(0), someHistogram)}}}},
		{Timeseries: []prompb.TimeSeries{{Labels: pairs("__name__", "a"), Histograms: []prompb.Histogram{prompb.FromFloatHistogram(at(0), someHistogram.ToFloat(nil))}}}},
	} {
		b, err := req.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	fuzz(f, v1Type, func(b []byte) ([]byte, bool) {
		var req prompb.WriteRequest
		if req.Unmarshal(b) != nil {
			return nil, false
		}
		sound, err := req.Marshal()
		return sound, err == nil
	})
}

func FuzzVersion2(f *testing.F) {
	for _, req := range []writev2.Request{
		{},
		{Symbols: []string{"", "__name__", "a"}, Timeseries: []writev2.TimeSeries{{LabelsRefs: []uint32{1, 2}, Samples: []writev2.Sample{{Timestamp: at(0), StartTimestamp: at(-1), Value: 1}}}}},
		{Symbols: []string{"", "__name__", "a"}, Timeseries: []writev2.TimeSeries{{LabelsRefs: []uint32{1, 2}, Histograms: []writev2.Histogram{writev2.FromIntHistogram(0, at(0), someHistogram)}}}},
	} {
		b, err := req.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	fuzz(f, v2Type, func(b []byte) ([]byte, bool) {
		var req writev2.Request
		if req.Unmarshal(b) != nil {
			return nil, false
		}
		sound, err := req.Marshal()
		return sound, err == nil
	})
}

var someHistogram = &histogram.Histogram{
	Schema: 20, ZeroThreshold: 1e-128, Count: 5, Sum: 12, PositiveSpans: []histogram.Span{{Offset: -3, Length: 1}, {Offset: 4, Length: 1}}, PositiveBuckets: []int64{2, 1},
}
