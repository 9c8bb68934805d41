package otlp_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/baseliner/baseliner/pkg/ingest/otlp"
)

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, b []byte, o ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, o...)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(b, nil)
}

func TestHTTP(t *testing.T) {
	s := newStation(t)
	md, ms := shop()
	counter(ms, "a", cumulative, 0, 0, 1)
	message := marshal(t, md)
	text, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	check := func(w *httptest.ResponseRecorder, code int, part string) {
		t.Helper()
		if w.Code != code || !strings.Contains(w.Body.String(), part) {
			t.Errorf("answer %d %q, want %d and %q", w.Code, w.Body, code, part)
		}
	}
	for _, bad := range []struct {
		kind    string
		body    []byte
		headers []string
		code    int
		part    string
	}{
		{"text/plain", message, nil, 415, "text/plain"},
		{"", message, nil, 415, "content type"},
		{protobuf, message, []string{"Content-Encoding", "br"}, 415, "gzip"},
		{protobuf, gzipped(t, gzipped(t, message)), []string{"Content-Encoding", "gzip, gzip"}, 415, "gzip"},
		{protobuf, []byte("no protobuf"), nil, 400, ""},
		{protobuf, message[:len(message)-2], nil, 400, ""},
		{protobuf, message, []string{"Content-Encoding", "gzip"}, 400, "gzip"},
		{protobuf, gzipped(t, message)[:30], []string{"Content-Encoding", "gzip"}, 400, ""},
		{protobuf, message, []string{"Content-Encoding", "zstd"}, 400, ""},
		{jsonText, []byte("{"), nil, 400, ""},
		{jsonText, []byte(`{"resourceMetrics": 7}`), nil, 400, ""},
		{jsonText, message, nil, 400, ""},
	} {
		check(s.post(bad.kind, bad.body, bad.headers...), bad.code, bad.part)
	}
	w := s.post(protobuf, []byte("no protobuf"))
	var told spb.Status
	if err := proto.Unmarshal(w.Body.Bytes(), &told); err != nil || told.GetMessage() == "" || w.Header().Get("Content-Type") != protobuf {
		t.Errorf("an error is told as %v %v (%v)", w.Header(), &told, err)
	}
	if w := s.post(jsonText, []byte("{")); !strings.HasPrefix(w.Body.String(), "{") || w.Header().Get("Content-Type") != jsonText {
		t.Errorf("an error is told as %v %s", w.Header(), w.Body)
	}
	get := httptest.NewRecorder()
	s.receiver.ServeHTTP(get, httptest.NewRequest(http.MethodGet, "/v1/metrics", nil))
	check(get, 405, "POST")
	if got := s.read(); len(got) != 0 {
		t.Errorf("the store holds %v, want nothing", got)
	}

	check(s.post(protobuf, message), 200, "")
	check(s.post(protobuf, gzipped(t, message), "Content-Encoding", "gzip"), 200, "")
	check(s.post(protobuf, zstandard(t, message), "Content-Encoding", "zstd"), 200, "")
	check(s.post("application/json; charset=utf-8", text), 200, "{}")
	check(s.post(jsonText, gzipped(t, text), "Content-Encoding", "gzip"), 200, "{}")
	// Values that JSON cannot write as numbers, and what nobody knows.
	check(s.post(jsonText, []byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"nan","unknown":[{}],
		"gauge":{"dataPoints":[{"timeUnixNano":"1795528800000000000","asDouble":"NaN"}]}}]}]}]}`)), 200, "{}")
	check(s.post(jsonText, []byte(`{}`)), 200, "{}")
	s.want(series("a_total"), stored{0, 1})
	if got := s.read()[`{__name__="nan"}`]; len(got) != 1 {
		t.Errorf("NaN: %v", s.read())
	}
}

func TestTooMuch(t *testing.T) {
	md, ms := shop()
	for range 100 {
		counter(ms, "a", cumulative, 0, 0, 1)
	}
	message := marshal(t, md)
	s := newStation(t, func(o *otlp.Options) { o.MaxBytes = 1000 })
	for _, w := range []*httptest.ResponseRecorder{
		s.post(protobuf, message), s.post(protobuf, gzipped(t, message), "Content-Encoding", "gzip"), s.post(protobuf, zstandard(t, message), "Content-Encoding", "zstd"),
	} {
		if w.Code != 413 {
			t.Errorf("answer %d %q, want 413", w.Code, w.Body)
		}
	}
	s = newStation(t)
	held := s.memory.Lease()
	if err := held.Take(s.memory.Limit() - 10_000); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/v1/metrics", bytes.NewReader(message))
	req.Header.Set("Content-Type", protobuf)
	w := httptest.NewRecorder()
	s.receiver.ServeHTTP(w, req)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("answer %d %q, want 503 and when to try again", w.Code, w.Body)
	}
	held.Release()
	if ps := s.send(md); ps.RejectedDataPoints() != 0 {
		t.Errorf("afterwards: %q", ps.ErrorMessage())
	}
}

// A bomb is small on the wire and claims or becomes much more.
func TestBombs(t *testing.T) {
	const budget = 64 << 20
	zeros := make([]byte, 40<<20)
	nested := []byte{}
	for range 10_000 { // values in values
		nested = protowire.AppendBytes([]byte{0x2a}, protowire.AppendBytes([]byte{0x0a}, nested))
	}
	wrap := func(b []byte, fields ...protowire.Number) []byte {
		for _, f := range fields {
			b = protowire.AppendBytes(protowire.AppendTag(nil, f, protowire.BytesType), b)
		}
		return b
	}
	many := func(unit ...byte) []byte { return bytes.Repeat(unit, (15<<20)/len(unit)) }
	for what, req := range map[string]struct {
		kind, encoding string
		body           []byte
	}{
		"gzip of 40 MiB":          {protobuf, "gzip", gzipped(t, zeros)},
		"zstd of 40 MiB":          {protobuf, "zstd", zstandard(t, zeros)},
		"zstd with a huge window": {protobuf, "zstd", zstandard(t, zeros[:30<<20], zstd.WithWindowSize(1<<28), zstd.WithSingleSegment(true))},
		"empty resources":         {protobuf, "gzip", gzipped(t, many(0x0a, 0x00))},
		"empty points":            {protobuf, "gzip", gzipped(t, wrap(many(0x0a, 0x00), 5, 2, 2, 1))},
		"empty attributes":        {protobuf, "gzip", gzipped(t, wrap(many(0x3a, 0x00), 1, 5, 2, 2, 1))},
		"buckets of a byte":       {protobuf, "gzip", gzipped(t, wrap(many(0x00), 2, 8, 1, 10, 2, 2, 1))},
		"values in values":        {protobuf, "gzip", gzipped(t, wrap(nested, 2, 7, 1, 5, 2, 2, 1))},
		"JSON in JSON":            {jsonText, "gzip", gzipped(t, []byte(strings.Repeat(`{"resourceMetrics":[`, 100_000)))},
		"JSON of nothing":         {jsonText, "gzip", gzipped(t, []byte(`{"resourceMetrics":[`+strings.Repeat(`{},`, 3_000_000)+`{}]}`))},
	} {
		s := newStation(t)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		w := s.post(req.kind, req.body, "Content-Encoding", req.encoding)
		runtime.ReadMemStats(&after)
		if w.Code != 400 && w.Code != 413 {
			t.Errorf("%s: answer %d %.100q", what, w.Code, w.Body)
		}
		if cost := after.TotalAlloc - before.TotalAlloc; cost > budget {
			t.Errorf("%s (%d bytes): cost %d MiB", what, len(req.body), cost>>20)
		}
	}
}
