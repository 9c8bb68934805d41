package otlp_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/otlp"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	protobuf = "application/x-protobuf"
	jsonText = "application/json"
)

var (
	now     = time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)
	errDisk = errors.New("no space left on device")
)

// station is a receiver in front of a real store.
type station struct {
	t        testing.TB
	dir      string
	db       *tsdb.DB
	reg      *prometheus.Registry
	memory   *ingest.Memory
	receiver *otlp.Receiver
}

func newStation(t testing.TB, change ...func(*otlp.Options)) *station {
	t.Helper()
	s := &station{t: t, dir: t.TempDir()}
	t.Cleanup(func() { s.close() })
	s.open(change...)
	return s
}

// open starts a receiver that knows nothing but what is in the store.
func (s *station) open(change ...func(*otlp.Options)) {
	s.t.Helper()
	db, err := tsdb.Open(tsdb.Options{Dir: s.dir, Name: "live", Retention: 48 * time.Hour, OutOfOrder: time.Hour})
	if err != nil {
		s.t.Fatal(err)
	}
	s.db, s.reg, s.memory = db, prometheus.NewRegistry(), ingest.NewMemory(64<<20, nil, nil)
	o := otlp.Options{
		Door:   ingest.NewGuard(db, ingest.GuardOptions{Now: func() time.Time { return now }, Registerer: s.reg}),
		Store:  db,
		Memory: s.memory,
	}
	for _, c := range change {
		c(&o)
	}
	s.receiver = otlp.New(o)
}

func (s *station) close() {
	if err := s.db.Close(); err != nil {
		s.t.Error(err)
	}
}

// post sends a body as it is.
func (s *station) post(contentType string, body []byte, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/v1/metrics", bytes.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.receiver.ServeHTTP(w, req)
	if used := s.memory.Used(); used != 0 {
		s.t.Errorf("after the request %d bytes are held", used)
	}
	return w
}

// send sends metrics as protobuf and returns the answer to what was taken.
func (s *station) send(md pmetric.Metrics) pmetricotlp.ExportPartialSuccess {
	s.t.Helper()
	w := s.post(protobuf, marshal(s.t, md))
	resp := pmetricotlp.NewExportResponse()
	if err := resp.UnmarshalProto(w.Body.Bytes()); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("answer %d %q (%v)", w.Code, w.Body, err)
	}
	return resp.PartialSuccess()
}

func marshal(t testing.TB, md pmetric.Metrics) []byte {
	t.Helper()
	b, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type stored struct {
	t int64 // milliseconds after now
	v float64
}

// read returns every sample of the store by series; of native histograms the count. Markers of staleness are -1.
func (s *station) read() map[string][]stored {
	s.t.Helper()
	q, err := s.db.Querier(0, now.Add(time.Hour).UnixMilli())
	if err != nil {
		s.t.Fatal(err)
	}
	defer q.Close()
	out := map[string][]stored{}
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".*"))
	for set.Next() {
		name := set.At().Labels().String()
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			var t int64
			var v float64
			if kind == chunkenc.ValFloat {
				t, v = it.At()
			} else {
				var h *histogram.FloatHistogram
				t, h = it.AtFloatHistogram(nil)
				v = h.Count
			}
			if math.IsNaN(v) {
				v = -1
			}
			out[name] = append(out[name], stored{t: t - now.UnixMilli(), v: v})
		}
	}
	if err := set.Err(); err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *station) want(name string, want ...stored) {
	s.t.Helper()
	all := s.read()
	got := all[name]
	same := len(got) == len(want)
	for i := range got {
		same = same && got[i] == want[i]
	}
	if !same {
		s.t.Errorf("%s: %v, want %v; the store holds %v", name, got, want, all)
	}
}

func (s *station) refused(reason ingest.Reason) (n float64) {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "baseliner_ingest_rejected_samples_total" && m.GetLabel()[0].GetValue() == string(reason) {
				n = m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// shop is a resource with a scope to put metrics in.
func shop() (pmetric.Metrics, pmetric.MetricSlice) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "shop")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("lib")
	return md, sm.Metrics()
}

// counter adds a sum with one point.
func counter(to pmetric.MetricSlice, name string, temporality pmetric.AggregationTemporality, start, at time.Duration, v float64) pmetric.NumberDataPoint {
	m := to.AppendEmpty()
	m.SetName(name)
	m.SetEmptySum().SetIsMonotonic(true)
	m.Sum().SetAggregationTemporality(temporality)
	p := m.Sum().DataPoints().AppendEmpty()
	p.SetStartTimestamp(stamp(start))
	p.SetTimestamp(stamp(at))
	p.SetDoubleValue(v)
	return p
}

func stamp(d time.Duration) pcommon.Timestamp { return pcommon.NewTimestampFromTime(now.Add(d)) }

// broken is a store that fails to commit.
type broken struct{ storage.AppendableV2 }

func (b broken) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return brokenAppender{b.AppendableV2.AppenderV2(ctx)}
}

type brokenAppender struct{ storage.AppenderV2 }

func (b brokenAppender) Commit() error {
	if err := b.Rollback(); err != nil {
		return err
	}
	return errDisk
}
