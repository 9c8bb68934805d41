package remotewrite_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
)

var errDisk = errors.New("no space left on device")

func TestVersion1(t *testing.T) {
	s := newStation(t)
	w := s.v1(prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: pairs("__name__", "a", "job", "x"), Samples: []prompb.Sample{{Timestamp: at(-time.Minute), Value: 1}, {Timestamp: at(0), Value: 2}}},
		{Labels: pairs("job", "y", "__name__", "a"), Samples: []prompb.Sample{{Timestamp: at(0), Value: 3}}}, // not sorted
	}})
	wantCode(t, w, http.StatusNoContent, "")
	if got := w.Header().Get("X-Prometheus-Remote-Write-Samples-Written"); got != "" {
		t.Errorf("1.0 knows no header of what was written, got %q", got)
	}
	s.wantStored(`{__name__="a", job="x"}`, stored{t: -60_000, v: 1}, stored{t: 0, v: 2})
	s.wantStored(`{__name__="a", job="y"}`, stored{t: 0, v: 3})

	// Sent again, nothing changes and nobody complains.
	wantCode(t, s.v1(prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: pairs("__name__", "a", "job", "x"), Samples: []prompb.Sample{{Timestamp: at(0), Value: 2}}},
	}}), http.StatusNoContent, "")
	s.wantStored(`{__name__="a", job="x"}`, stored{t: -60_000, v: 1}, stored{t: 0, v: 2})
	wantCode(t, s.v1(prompb.WriteRequest{}), http.StatusNoContent, "")
}

func TestVersion2(t *testing.T) {
	s := newStation(t)
	w := s.v2(writev2.Request{
		Symbols: []string{"", "__name__", "a_total", "job", "x", "help text", "b"},
		Timeseries: []writev2.TimeSeries{
			{
				LabelsRefs: []uint32{1, 2, 3, 4}, Metadata: writev2.Metadata{Type: writev2.Metadata_METRIC_TYPE_COUNTER, HelpRef: 5},
				Samples:   []writev2.Sample{{Timestamp: at(0), StartTimestamp: at(-time.Minute), Value: 5}},
				Exemplars: []writev2.Exemplar{{LabelsRefs: []uint32{3, 4}, Value: 1, Timestamp: at(0)}},
			},
			{LabelsRefs: []uint32{1, 6}, Samples: []writev2.Sample{{Timestamp: at(0), StartTimestamp: at(-24 * time.Hour), Value: 7}}},
		},
	})
	wantCode(t, w, http.StatusNoContent, "")
	for name, want := range map[string]string{"Samples": "2", "Histograms": "0", "Exemplars": "0"} {
		if got := w.Header().Get("X-Prometheus-Remote-Write-" + name + "-Written"); got != want {
			t.Errorf("%s written: %q, want %s", name, got, want)
		}
	}
	s.wantStored(`{__name__="a_total", job="x"}`, stored{t: -60_000, v: 0}, stored{t: 0, v: 5}) // born a minute ago
	s.wantStored(`{__name__="b"}`, stored{t: 0, v: 7})                                          // older than anybody looks
}

// A begin that cannot be one is none: in an empty store it would be the store's.
func TestStrangeBirths(t *testing.T) {
	s := newStation(t)
	var req writev2.Request
	req.Symbols = []string{"", "__name__"}
	for i, start := range []int64{math.MinInt64, -1, 1, at(-25 * time.Hour), at(0), at(time.Minute), math.MaxInt64} {
		req.Symbols = append(req.Symbols, fmt.Sprintf("born_%d", i))
		req.Timeseries = append(req.Timeseries, writev2.TimeSeries{
			LabelsRefs: []uint32{1, uint32(i + 2)}, Samples: []writev2.Sample{{Timestamp: at(0), StartTimestamp: start, Value: 1}},
		})
	}
	wantCode(t, s.v2(req), http.StatusNoContent, "")
	for name, got := range s.read() {
		if len(got) != 1 || got[0].t != 0 {
			t.Errorf("%s: %v, want its one sample", name, got)
		}
	}
	if oldest, ok := s.db.Oldest(); !ok || oldest != at(0) {
		t.Errorf("the store begins at %d, want %d", oldest, at(0))
	}
}

func TestNativeHistograms(t *testing.T) {
	integers := &histogram.Histogram{
		Schema: 3, ZeroThreshold: 1e-128, ZeroCount: 1, Count: 6, Sum: 12,
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []int64{2, 1},
	}
	floats := integers.ToFloat(nil)
	fine := integers.Copy()
	fine.Schema = 12 // finer than PromQL knows
	s := newStation(t)
	wantCode(t, s.v1(prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: pairs("__name__", "i1"), Histograms: []prompb.Histogram{prompb.FromIntHistogram(at(0), integers)}},
		{Labels: pairs("__name__", "f1"), Histograms: []prompb.Histogram{prompb.FromFloatHistogram(at(0), floats)}},
	}}), http.StatusNoContent, "")
	born := writev2.FromIntHistogram(at(-time.Minute), at(0), integers)
	w := s.v2(writev2.Request{Symbols: []string{"", "__name__", "i2", "f2", "fine"}, Timeseries: []writev2.TimeSeries{
		{LabelsRefs: []uint32{1, 2}, Histograms: []writev2.Histogram{born}},
		{LabelsRefs: []uint32{1, 3}, Histograms: []writev2.Histogram{writev2.FromFloatHistogram(0, at(0), floats)}},
		{LabelsRefs: []uint32{1, 4}, Histograms: []writev2.Histogram{writev2.FromIntHistogram(0, at(0), fine)}},
	}})
	wantCode(t, w, http.StatusNoContent, "")
	if got := w.Header().Get("X-Prometheus-Remote-Write-Histograms-Written"); got != "3" {
		t.Errorf("%q histograms were written, want 3", got)
	}
	s.wantStored(`{__name__="i2"}`, stored{t: -60_000, v: 0}, stored{t: 0, v: 6})
	for _, name := range []string{"i1", "f1", "f2"} {
		got := s.read()[`{__name__="`+name+`"}`]
		if len(got) != 1 || got[0].h == nil || !got[0].h.Equals(floats) {
			t.Errorf("%s: %v, want %v", name, got, floats)
		}
	}
	if got := s.read()[`{__name__="fine"}`]; len(got) != 1 || got[0].h.Schema != histogram.ExponentialSchemaMax || got[0].h.Count != 6 {
		t.Errorf("fine histogram: %v", got)
	}

	// One that does not add up costs itself alone.
	bad := integers.Copy()
	bad.Count = 1
	wantCode(t, s.v1(prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: pairs("__name__", "bad"), Histograms: []prompb.Histogram{prompb.FromIntHistogram(at(0), bad)}},
		{Labels: pairs("__name__", "good"), Histograms: []prompb.Histogram{prompb.FromIntHistogram(at(0), integers)}},
	}}), http.StatusBadRequest, "1 samples were refused, 1 were kept")
	s.wantStored(`{__name__="good"}`, stored{t: 0, v: 6})
	s.wantRefused(ingest.Invalid, 1)
}

// What is wrong with a sample costs that sample alone.
func TestPartial(t *testing.T) {
	one := func(v float64, d time.Duration) []prompb.Sample { return []prompb.Sample{{Timestamp: at(d), Value: v}} }
	s := newStation(t)
	wantCode(t, s.v1(prompb.WriteRequest{Timeseries: []prompb.TimeSeries{{Labels: pairs("__name__", "dup"), Samples: one(1, 0)}}}), http.StatusNoContent, "")
	w := s.v1(prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: pairs("__name__", "future"), Samples: one(1, 11*time.Minute)},
		{Labels: pairs("__name__", "max"), Samples: []prompb.Sample{{Timestamp: 1<<63 - 1}, {Timestamp: -1 << 63}, {Timestamp: 0}}},
		{Labels: pairs("__name__", "old"), Samples: one(1, -8*24*time.Hour)},
		{Labels: pairs("__name__", "dup"), Samples: one(2, 0)},
		{Labels: pairs("job", "nameless"), Samples: one(1, 0)},
		{Samples: one(1, 0)},
		{Labels: pairs("__name__", "twice", "a", "1", "a", "2"), Samples: one(1, 0)},
		{Labels: pairs("__name__", "utf8", "a", "\xff"), Samples: one(1, 0)},
		{Labels: pairs("__name__", "good"), Samples: one(1, 0)},
		{Labels: pairs("__name__", "late"), Samples: one(1, -50*time.Minute)},
		{Labels: pairs("__name__", "emoji", "who", "\u202e🙂\n\""), Samples: one(1, 0)},
	}})
	wantCode(t, w, http.StatusBadRequest, "10 samples were refused, 3 were kept")
	if got := w.Body.String(); strings.Count(got, ";") != 3 || !strings.Contains(got, "limits.future") || !strings.Contains(got, "and 7 more") {
		t.Errorf("the answer names neither the first few nor their number: %q", got)
	}
	s.wantStored(`{__name__="good"}`, stored{t: 0, v: 1})
	s.wantStored(`{__name__="late"}`, stored{t: -50 * 60_000, v: 1})
	s.wantStored(`{__name__="dup"}`, stored{t: 0, v: 1})
	s.wantRefused(ingest.TooFarInFuture, 2)
	s.wantRefused(ingest.TooFarInPast, 2)
	s.wantRefused(ingest.BadLabels, 4)
	s.wantRefused(ingest.Duplicate, 1)
	s.wantRefused(ingest.TooOld, 1)

	w = s.v2(writev2.Request{Symbols: []string{"", "__name__", "v2"}, Timeseries: []writev2.TimeSeries{
		{LabelsRefs: []uint32{1, 9}, Samples: []writev2.Sample{{Timestamp: at(0)}, {Timestamp: at(1)}}}, // no such symbol
		{LabelsRefs: []uint32{1}, Samples: []writev2.Sample{{Timestamp: at(0)}}},                        // a name without a value
		{LabelsRefs: []uint32{1, 2}, Samples: []writev2.Sample{{Timestamp: at(0), Value: 1}}},
	}})
	wantCode(t, w, http.StatusBadRequest, "3 samples were refused, 1 were kept")
	if got := w.Header().Get("X-Prometheus-Remote-Write-Samples-Written"); got != "1" {
		t.Errorf("%q samples were written, want 1", got)
	}
	s.wantRefused(ingest.BadLabels, 7)
}

func TestProtocol(t *testing.T) {
	s := newStation(t)
	message, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: pairs("__name__", "a"), Samples: []prompb.Sample{{Timestamp: at(0), Value: 1}}},
	}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	packed := snappy.Encode(nil, message)
	var framed strings.Builder
	z := snappy.NewBufferedWriter(&framed)
	if _, err := z.Write(message); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(code int, part string, w *httptest.ResponseRecorder) {
		t.Helper()
		wantCode(t, w, code, part)
		s.wantNothing()
	}
	check(415, "content-type", s.post("text/plain", packed))
	check(415, "application/json", s.post("application/json", []byte("garbage")))
	check(415, "unknown type", s.post("application/x-protobuf;proto=io.prometheus.write.v9.Request", packed))
	check(415, "gzip", s.post(v1Type, packed, "Content-Encoding", "gzip"))
	check(400, "snappy", s.post(v1Type, message))
	check(400, "snappy", s.post(v1Type, []byte(framed.String())))
	check(400, "snappy", s.post(v1Type, nil))
	check(400, "", s.post(v1Type, snappy.Encode(nil, message[:len(message)-3])))
	check(400, "", s.post(v1Type, snappy.Encode(nil, []byte("garbage that is no protobuf"))))
	check(400, "type", s.post(v1Type, snappy.Encode(nil, []byte{0x08, 0x01})))                 // a number where a series belongs
	check(400, "", s.post(v1Type, snappy.Encode(nil, []byte(strings.Repeat("\x0b", 20_000))))) // groups 20,000 deep
	check(204, "", s.post(v2Type, snappy.Encode(nil, message)))                                // 1.0 said to be 2.0: its fields are reserved there
	check(405, "", func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/write", nil))
		return w
	}())
	wantCode(t, s.post("application/x-protobuf; proto=prometheus.WriteRequest", packed), 204, "") // with a space
	s.wantStored(`{__name__="a"}`, stored{t: 0, v: 1})
}

func TestNothingKeptMeansTryAgain(t *testing.T) {
	s := newStation(t)
	req := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: pairs("__name__", "a"), Samples: []prompb.Sample{{Timestamp: at(0), Value: 1}}},
	}}
	s.handler = remotewrite.NewHandler(remotewrite.Options{Door: ingest.NewGuard(broken{s.db}, ingest.GuardOptions{Now: func() time.Time { return now }}), Memory: s.memory})
	w := s.v1(req)
	wantCode(t, w, http.StatusServiceUnavailable, "no space")
	if w.Header().Get("Retry-After") == "" {
		t.Error("the answer does not say when to try again")
	}
	s.wantNothing()

	s = newStation(t, func(o *remotewrite.Options) { o.Memory = ingest.NewMemory(40, nil, nil) })
	w = s.v1(req)
	wantCode(t, w, http.StatusServiceUnavailable, "limits.in_flight_bytes")
	if w.Header().Get("Retry-After") == "" {
		t.Error("the answer does not say when to try again")
	}
	s.wantNothing()
}

func TestTooMuch(t *testing.T) {
	s := newStation(t, func(o *remotewrite.Options) { o.MaxSamples, o.MaxBytes = 3, 1000 })
	var req prompb.WriteRequest
	for i := range 4 {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels: pairs("__name__", "a"), Samples: []prompb.Sample{{Timestamp: at(time.Duration(i))}},
		})
	}
	wantCode(t, s.v1(req), http.StatusRequestEntityTooLarge, "limits.samples_per_scrape")
	wantCode(t, s.post(v1Type, make([]byte, 2000)), http.StatusRequestEntityTooLarge, "limits.body_bytes")
	wantCode(t, s.post(v1Type, snappy.Encode(nil, make([]byte, 2000))), http.StatusRequestEntityTooLarge, "limits.body_bytes")
	s.wantNothing()
}
