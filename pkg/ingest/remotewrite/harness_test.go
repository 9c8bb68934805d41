package remotewrite_test

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	v1Type = "application/x-protobuf"
	v2Type = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

var now = time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)

// station is a receiver in front of a real store.
type station struct {
	t       testing.TB
	db      *tsdb.DB
	reg     *prometheus.Registry
	memory  *ingest.Memory
	handler http.Handler
}

func newStation(t testing.TB, change ...func(*remotewrite.Options)) *station {
	t.Helper()
	db, err := tsdb.Open(tsdb.Options{Dir: t.TempDir(), Name: "live", Retention: 48 * time.Hour, OutOfOrder: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &station{t: t, db: db, reg: prometheus.NewRegistry(), memory: ingest.NewMemory(64<<20, nil, nil)}
	o := remotewrite.Options{
		Door:   ingest.NewGuard(db, ingest.GuardOptions{Now: func() time.Time { return now }, Registerer: s.reg}),
		Memory: s.memory, MaxSamples: 50_000,
	}
	for _, c := range change {
		c(&o)
	}
	s.handler = remotewrite.NewHandler(o)
	return s
}

// post sends a body as it is.
func (s *station) post(contentType string, body []byte, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, req)
	if used := s.memory.Used(); used != 0 {
		s.t.Errorf("after the request %d bytes are held", used)
	}
	return w
}

func (s *station) v1(req prompb.WriteRequest) *httptest.ResponseRecorder {
	s.t.Helper()
	b, err := req.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.post(v1Type, snappy.Encode(nil, b))
}

func (s *station) v2(req writev2.Request) *httptest.ResponseRecorder {
	s.t.Helper()
	b, err := req.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.post(v2Type, snappy.Encode(nil, b))
}

// stored is a sample of the store.
type stored struct {
	t int64 // milliseconds after now
	v float64
	h *histogram.FloatHistogram
}

// read returns every sample of the store by series.
func (s *station) read() map[string][]stored {
	s.t.Helper()
	q, err := s.db.Querier(0, math.MaxInt64)
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
			if kind == chunkenc.ValFloat {
				t, v := it.At()
				out[name] = append(out[name], stored{t: t - now.UnixMilli(), v: v})
				continue
			}
			t, h := it.AtFloatHistogram(nil)
			out[name] = append(out[name], stored{t: t - now.UnixMilli(), v: h.Count, h: h})
		}
	}
	if err := set.Err(); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// wantStored compares times and values of a series.
func (s *station) wantStored(name string, want ...stored) {
	s.t.Helper()
	got := s.read()[name]
	if len(got) != len(want) {
		s.t.Errorf("%s: %v, want %v", name, got, want)
		return
	}
	for i := range got {
		if got[i].t != want[i].t || got[i].v != want[i].v {
			s.t.Errorf("%s: %v, want %v", name, got, want)
			return
		}
	}
}

func (s *station) wantRefused(reason ingest.Reason, n float64) {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "baseliner_ingest_rejected_samples_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == string(reason) && m.GetCounter().GetValue() != n {
				s.t.Errorf("%v samples were refused as %s, want %v", m.GetCounter().GetValue(), reason, n)
			}
		}
	}
}

func (s *station) wantNothing() {
	s.t.Helper()
	if got := s.read(); len(got) != 0 {
		s.t.Errorf("the store holds %v, want nothing", got)
	}
	if err := testutil.GatherAndCompare(s.reg, strings.NewReader("# HELP baseliner_ingest_samples_total Samples written to the live store.\n# TYPE baseliner_ingest_samples_total counter\nbaseliner_ingest_samples_total 0\n"), "baseliner_ingest_samples_total"); err != nil {
		s.t.Error(err)
	}
}

func wantCode(t testing.TB, w *httptest.ResponseRecorder, code int, part string) {
	t.Helper()
	if w.Code != code || !strings.Contains(w.Body.String(), part) {
		t.Errorf("answer %d %q, want %d and %q", w.Code, w.Body, code, part)
	}
}

func pairs(ls ...string) []prompb.Label {
	var out []prompb.Label
	for i := 0; i < len(ls); i += 2 {
		out = append(out, prompb.Label{Name: ls[i], Value: ls[i+1]})
	}
	return out
}

func at(d time.Duration) int64 { return now.Add(d).UnixMilli() }

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
