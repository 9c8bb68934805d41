package business_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/business"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

var begin = time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)

type shop struct {
	t        testing.TB
	dir      string
	now      time.Time
	ledger   *state.Ledger
	db       *tsdb.DB
	memory   *ingest.Memory
	receiver *business.Receiver
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{t: t, dir: t.TempDir(), now: begin}
	if err := os.WriteFile(filepath.Join(s.dir, "token"), []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.open()
	t.Cleanup(func() { s.close() })
	return s
}

func (s *shop) open() {
	s.t.Helper()
	var err error
	if s.ledger, err = state.OpenLedger(s.dir, state.Options{NoSync: true}); err != nil {
		s.t.Fatal(err)
	}
	if s.db, err = tsdb.Open(tsdb.Options{Dir: s.dir + "/live", Name: "live", Retention: 48 * time.Hour, OutOfOrder: time.Hour}); err != nil {
		s.t.Fatal(err)
	}
	s.memory = ingest.NewMemory(8<<20, nil, nil)
	clock := func() time.Time { return s.now }
	s.receiver, err = business.New(business.Options{
		DB: s.ledger.DB(), Memory: s.memory, MaxBytes: 64 << 10, TokenFile: filepath.Join(s.dir, "token"), Interval: time.Minute, Now: clock,
		Door: ingest.NewGuard(s.db, ingest.GuardOptions{Now: clock, Limits: ingest.Limits{Labels: 4, LabelValueBytes: 20}}),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) close() {
	if err := s.db.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.ledger.Close(); err != nil {
		s.t.Error(err)
	}
}

func (s *shop) post(token, body string) (int, string) {
	req := httptest.NewRequest(http.MethodPost, "/api/baseliner/v1/business", strings.NewReader(body))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.receiver.ServeHTTP(w, req)
	if used := s.memory.Used(); used != 0 {
		s.t.Errorf("after the request %d bytes are held", used)
	}
	return w.Code, w.Body.String()
}

// send sends lines; what they came to is events, repeated, values and refused.
func (s *shop) send(want [4]int, lines ...string) string {
	s.t.Helper()
	code, body := s.post("hush", strings.Join(lines, "\n"))
	var got struct {
		Data struct{ Events, Repeated, Values, Refused int }
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		s.t.Fatalf("%d %q: %v", code, body, err)
	}
	d := got.Data
	if [4]int{d.Events, d.Repeated, d.Values, d.Refused} != want || (code == http.StatusOK) != (want[3] == 0) {
		s.t.Errorf("answer %d %s, want %v", code, body, want)
	}
	return body
}

// want compares the samples of a series: seconds after begin and value.
func (s *shop) want(name string, want ...float64) {
	s.t.Helper()
	q, err := s.db.Querier(0, 1<<62)
	if err != nil {
		s.t.Fatal(err)
	}
	defer q.Close()
	got := []float64{}
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", name))
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() != chunkenc.ValNone {
			at, v := it.At()
			got = append(got, float64(at-begin.UnixMilli())/1000, v)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(append([]float64{}, want...)) {
		s.t.Errorf("%s: %v, want %v", name, got, want)
	}
}

func TestEventsAndValues(t *testing.T) {
	s := newShop(t)
	s.send([4]int{2, 0, 1, 0},
		`{"type":"event","name":"orders_total","labels":{"country":"de"},"id":"a"}`,
		``,
		`{"type":"event","name":"orders_total","labels":{"country":"de"},"value":2.5,"time":"2026-11-24T13:59:30Z","id":"b"}`,
		`{"type":"value","name":"stock","value":7,"time":1795528800}`,
	)
	s.want("orders_total", -60, 0, 0, 3.5) // the first events count
	s.want("stock", 0, 7)

	// What is sent again counts once, through a restart too.
	again := func() {
		t.Helper()
		s.send([4]int{1, 2, 1, 0},
			`{"type":"event","name":"orders_total","labels":{"country":"de"},"id":"a"}`,
			`{"type":"event","name":"orders_total","labels":{"country":"de"},"id":"b"}`,
			`{"type":"event","name":"orders_total","labels":{"country":"de"}}`,
			`{"type":"value","name":"stock","value":7,"time":"2026-11-24T14:00:00Z"}`,
		)
	}
	s.now = s.now.Add(10 * time.Second)
	again()
	s.close()
	s.open()
	s.now = s.now.Add(10 * time.Second)
	again()
	s.want("orders_total", -60, 0, 0, 3.5, 10, 4.5, 20, 5.5)

	// No event is zero, not silence.
	s.now = s.now.Add(time.Minute)
	if err := s.receiver.Write(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.want("orders_total", -60, 0, 0, 3.5, 10, 4.5, 20, 5.5, 80, 5.5)
	s.want("stock", 0, 7)
	s.close()
	s.open()
	s.now = s.now.Add(time.Minute)
	if err := s.receiver.Write(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.want("orders_total", -60, 0, 0, 3.5, 10, 4.5, 20, 5.5, 80, 5.5, 140, 5.5)

	// Ids are not remembered for ever.
	s.now = s.now.Add(8 * 24 * time.Hour)
	s.send([4]int{1, 0, 0, 0}, `{"type":"event","name":"orders_total","labels":{"country":"de"},"id":"a"}`)
}

// A line that is wrong costs itself alone, and the answer says which and why.
func TestBadLines(t *testing.T) {
	s := newShop(t)
	for _, bad := range []struct{ line, part string }{
		{`{`, "unexpected EOF"},
		{`[]`, "where an object is wanted"},
		{`{"type":"event","name":"a","nmae":1}`, "nmae"},
		{`{"type":"event","name":"a"} {}`, "one a line"},
		{`{"type":"evnet","name":"a"}`, "neither"},
		{`{"type":"event","name":"a b"}`, "metric name"},
		{`{"type":"event","name":""}`, "metric name"},
		{`{"type":"event","name":"a","value":-1}`, "negative"},
		{`{"type":"event","name":"a","value":1e999}`, "value is a number 1e999"},
		{`{"type":"event","name":"a","value":NaN}`, "invalid"},
		{`{"type":"value","name":"a"}`, "value is missing"},
		{`{"type":"value","name":"a","value":1,"id":"x"}`, "only events"},
		{`{"type":"event","name":"a","id":"` + strings.Repeat("x", 300) + `"}`, "256 bytes"},
		{`{"type":"event","name":"a","labels":{"__x":"1"}}`, "label name"},
		{`{"type":"event","name":"a","labels":{"a-b":"1"}}`, "label name"},
		{`{"type":"event","name":"a","labels":{"a":"1","b":"1","c":"1","d":"1"}}`, "limits.labels"},
		{`{"type":"event","name":"a","labels":{"a":"` + strings.Repeat("x", 21) + `"}}`, "limits.label_value_bytes"},
		{`{"type":"event","name":"a","time":"yesterday"}`, "RFC 3339"},
		{`{"type":"event","name":"a","time":1795528800000}`, "unix seconds"},
		{`{"type":"event","name":"a","time":"2026-11-24T14:11:00Z"}`, "limits.future"},
		{`{"type":"event","name":"a","time":"2026-11-24T12:00:00Z"}`, "backfill"},
		{`{"type":"value","name":"good","value":2,"time":"2026-11-24T14:00:00Z"}`, "duplicate"},
	} {
		body := s.send([4]int{0, 0, 1, 1}, `{"type":"value","name":"good","value":1,"time":"2026-11-24T14:00:00Z"}`, bad.line)
		if !strings.Contains(body, `"line":2`) || !strings.Contains(body, bad.part) {
			t.Errorf("%s: answer %s, want line 2 and %q", bad.line, body, bad.part)
		}
	}
	s.want("good", 0, 1)
	s.want("a")
}

func TestToken(t *testing.T) {
	s := newShop(t)
	line := `{"type":"event","name":"a"}`
	check := func(token, body string, code int) {
		t.Helper()
		if got, text := s.post(token, body); got != code {
			t.Errorf("answer %d %s, want %d", got, text, code)
		}
	}
	check("", line, 401)
	check("wrong", line, 401)
	check("hush", line, 200)
	if err := os.WriteFile(filepath.Join(s.dir, "token"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("hush", line, 401)
	check("new", line, 200)
	check("new", strings.Repeat(line+"\n", 4000), 413)
	for _, empty := range []func() error{
		func() error { return os.WriteFile(filepath.Join(s.dir, "token"), nil, 0o600) },
		func() error { return os.Remove(filepath.Join(s.dir, "token")) },
	} {
		if err := empty(); err != nil {
			t.Fatal(err)
		}
		check("", line, 401)
		check("new", line, 401)
	}
	s.want("a", -60, 0, 0, 1, 0.001, 2)
}

// Whatever comes is answered, and nothing but what is right is stored.
func FuzzLines(f *testing.F) {
	s := newShop(f)
	f.Add(`{"type":"event","name":"orders_total","labels":{"country":"de"},"value":2,"time":"2026-11-24T13:59:30Z","id":"b"}`)
	f.Add(`{"type":"value","name":"stock","value":7,"time":1795528800}` + "\n" + `{"type":"value","name":"stock","value":-0}`)
	f.Fuzz(func(t *testing.T, body string) {
		one := &shop{t: t, receiver: s.receiver, memory: s.memory}
		if code, text := one.post("hush", body); code != 200 && code != 400 && code != 413 {
			t.Errorf("answer %d %s", code, text)
		}
	})
}
