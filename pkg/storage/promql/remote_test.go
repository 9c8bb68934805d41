package promql

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	promengine "github.com/prometheus/prometheus/promql"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// serve is a server with Prometheus' query API over a store.
func serve(t *testing.T, db *tsdb.DB, before func(w http.ResponseWriter, r *http.Request) bool) *httptest.Server {
	t.Helper()
	engine := New(Options{}).Raw()
	instant := func(text string) time.Time {
		s, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Errorf("time %q: %v", text, err)
		}
		return time.UnixMilli(int64(math.Round(s * 1000))).UTC()
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before != nil && !before(w, r) {
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		var q promengine.Query
		var err error
		lookback := 5 * time.Minute
		if d, e := strconv.ParseFloat(strings.TrimSuffix(r.Form.Get("lookback_delta"), "s"), 64); e == nil {
			lookback = time.Duration(d * float64(time.Second))
		} else if d, e := time.ParseDuration(r.Form.Get("lookback_delta")); e == nil {
			lookback = d
		}
		o := promengine.NewPrometheusQueryOpts(false, lookback)
		if strings.HasSuffix(r.URL.Path, "/query_range") {
			step, _ := strconv.ParseFloat(r.Form.Get("step"), 64)
			q, err = engine.NewRangeQuery(r.Context(), db, o, r.Form.Get("query"), instant(r.Form.Get("start")), instant(r.Form.Get("end")), time.Duration(step*float64(time.Second)))
		} else {
			q, err = engine.NewInstantQuery(r.Context(), db, o, r.Form.Get("query"), instant(r.Form.Get("time")))
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": "bad_data", "error": err.Error()})
			return
		}
		defer q.Close()
		res := q.Exec(r.Context())
		if res.Err != nil {
			t.Error(res.Err)
		}
		if m, ok := res.Value.(promengine.Matrix); ok && m == nil {
			res.Value = promengine.Matrix{}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": res.Value.Type(), "result": res.Value}})
	}))
	t.Cleanup(s.Close)
	return s
}

func remote(t *testing.T, o RemoteOptions) *Remote {
	t.Helper()
	o.Client, o.Pause = http.DefaultClient, time.Millisecond
	r, err := NewRemote(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// From afar the same points are seen as on the store itself, outages included, and the same are missing.
func TestRemoteEqualsEmbedded(t *testing.T) {
	db := open(t)
	from, to := start+60*minute, start+100*minute
	feed(t, db, start, start+70*minute, "a", "job", "x")
	feed(t, db, start+80*minute, start+110*minute, "a", "job", "x") // ten minutes are missing
	feed(t, db, start, start+110*minute, "b", "job", "x")
	feed(t, db, start+75*minute, start+110*minute, "late", "job", "x") // nobody knew it before
	for i := range 6 {                                                 // one is gone for ten minutes, another for good
		end := []int64{110, 110, 110, 85, 110, 75}[i]
		shop := []string{"job", "shop", "zone", fmt.Sprint(i % 2), "instance", fmt.Sprint(i)}
		feed(t, db, start, start+min(end, 70)*minute, "c", shop...)
		feed(t, db, start+(70+int64(i/5*10))*minute+15*second, start+end*minute, "c", shop...)
		feed(t, db, start, start+110*minute, "d", shop...)
	}
	feed(t, db, start, start+110*minute, "own", "queue", "x") // without an instance
	feed(t, db, start, start+72*minute, "own", "queue", "y")
	var counted atomic.Int64
	server := serve(t, db, func(_ http.ResponseWriter, r *http.Request) bool {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if strings.HasPrefix(r.Form.Get("query"), "count by") {
			counted.Add(1)
		}
		return true
	})
	engine := New(Options{})
	for _, expr := range []string{
		"sum(rate(c[5m]))", "sum by (zone) (rate(c[5m]))", "sum(rate(c[5m] offset 5m))", "sum(rate(c[5m])) / sum(rate(d[5m]))", "sum(own)",
		`sum by (z) (label_replace(rate(c[5m]), "z", "$1", "zone", "(.*)"))`, "histogram_quantile(0.9, sum by (le) (rate(c[5m])))",
		"a", "rate(a[5m])", "sum by (job) (increase(a[10m]))", "a offset 5m", "a / b", "rate(a[5m]) + on (job) rate(b[5m])",
		"sum(rate(late[5m])) or vector(0)", "sum(rate(a[5m])) or vector(0)", "max_over_time(rate(a[2m])[6m:1m])", "vector(1)", "nothing", "late",
	} {
		q, err := engine.Parse(expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		want, err := engine.Range(context.Background(), db, q, from, to, minute, every15)
		if err != nil {
			t.Fatal(err)
		}
		r := remote(t, RemoteOptions{URL: server.URL, Interval: 15 * time.Second})
		var got []Result
		for at := from; at <= to; at += 10 * minute { // in pieces, as a backfill does
			part, offset, err := r.Evaluate(context.Background(), expr, 0, at, min(at+9*minute, to), minute)
			if err != nil {
				t.Fatal(err)
			}
			if offset != q.Offset() {
				t.Errorf("%s: offset %s, want %s", expr, offset, q.Offset())
			}
			got = append(got, part...)
		}
		a, b := points(want), points(got)
		for k, v := range a {
			if b[k] != v {
				t.Errorf("%s at %s: %s, the embedded engine says %s", expr, k, b[k], v)
			}
			delete(b, k)
		}
		for k, v := range b {
			t.Errorf("%s at %s: %s, the embedded engine says nothing", expr, k, v)
		}
	}
	counted.Store(0)
	r := remote(t, RemoteOptions{URL: server.URL, Interval: 15 * time.Second})
	for at := from; at <= to; at += minute {
		for _, expr := range []string{"sum(a)", "sum(d)"} {
			if _, _, err := r.Evaluate(context.Background(), expr, 0, at, at, minute); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := counted.Load(); n != 41+6 { // six exporters at each of 41 ticks; the only one after 1, 2, 4 … minutes
		t.Errorf("exporters were counted %d times", n)
	}
}

// points prints every point, by labels and minute.
func points(results []Result) map[string]string {
	out := map[string]string{}
	for _, r := range results {
		for _, p := range r.Points {
			v := fmt.Sprintf("%.9g of %d", p.Value, p.Reporters)
			if p.Missing != series.Observed {
				v = p.Missing.String()
			}
			out[fmt.Sprintf("%s %d", r.Labels, (p.T-start)/minute)] = v
		}
	}
	return out
}

func TestRemoteFailures(t *testing.T) {
	db := open(t)
	feed(t, db, start, start+30*minute, "a")
	var mtx sync.Mutex
	var codes []int // to be answered, in this order
	asked := 0
	server := serve(t, db, func(w http.ResponseWriter, r *http.Request) bool {
		mtx.Lock()
		defer mtx.Unlock()
		asked++
		if len(codes) == 0 {
			return true
		}
		w.WriteHeader(codes[0])
		codes = codes[1:]
		return false
	})
	evaluate := func(r *Remote, expr string, answers ...int) (string, int) {
		t.Helper()
		codes, asked = answers, 0
		rs, _, err := r.Evaluate(context.Background(), expr, 0, start+20*minute, start+20*minute, minute)
		if err != nil {
			return err.Error(), asked
		}
		return fmt.Sprint(len(rs)), asked
	}
	r := remote(t, RemoteOptions{URL: strings.Replace(server.URL, "://", "://user:hush@", 1)})
	if got, _ := evaluate(r, "a", 503, 429); got != "1" {
		t.Errorf("a server that was busy twice: %s", got)
	}
	if got, n := evaluate(r, "a", 503, 500, 502); n != 3 || strings.Contains(got, "hush") || !strings.Contains(got, "502") {
		t.Errorf("a server that is down was asked %d times: %s", n, got)
	}
	// The client asks by GET what a proxy forbids by POST.
	if got, n := evaluate(r, "a", 403, 403); n != 2 || !strings.Contains(got, "403") {
		t.Errorf("a server that does not let us in was asked %d times: %s", n, got)
	}
	if got, n := evaluate(r, "sum(a", 0); n != 0 || !strings.Contains(got, "parse") {
		t.Errorf("no PromQL was asked %d times: %s", n, got)
	}
	codes = nil
	if err := r.Ping(context.Background()); err != nil {
		t.Error(err)
	}
	server.Close()
	if got, _ := evaluate(r, "a"); strings.Contains(got, "hush") || !strings.Contains(got, "refused") {
		t.Errorf("nobody there: %s", got)
	}
}

func TestRemoteIsGentle(t *testing.T) {
	db := open(t)
	feed(t, db, start, start+30*minute, "a")
	var now, most atomic.Int64
	server := serve(t, db, func(http.ResponseWriter, *http.Request) bool {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
		return true
	})
	r := remote(t, RemoteOptions{URL: server.URL, Parallel: 3})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, _, err := r.Evaluate(context.Background(), fmt.Sprintf("a + %d", i), 0, start+20*minute, start+20*minute, minute); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got > 3 {
		t.Errorf("%d queries at once, want at most 3", got)
	}
}
