package web

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/baseliner/baseliner/pkg/series"
)

// hostile is a label value that breaks everything that pastes instead of escaping.
const hostile = "a\"b\\c\n</script><script>alert(1)</script>{{.}}\u2028} 1"

var (
	testNow = time.Date(2026, 11, 23, 13, 0, 30, 0, time.UTC)
	inf     = Float(math.Inf(1))
	nan     = Float(math.NaN())
)

// fakeViews answers from plain fields.
type fakeViews struct {
	status    StatusView
	signals   []SignalView
	baselines []BaselineView
	anomalies []AnomalyView
	targets   TargetsView
	metadata  map[string][]MetadataView
}

func (f *fakeViews) Status() StatusView                  { return f.status }
func (f *fakeViews) Signals() []SignalView               { return f.signals }
func (f *fakeViews) Anomalies() []AnomalyView            { return f.anomalies }
func (f *fakeViews) Targets() TargetsView                { return f.targets }
func (f *fakeViews) Metadata() map[string][]MetadataView { return f.metadata }
func (f *fakeViews) Baselines(signal string, match func(series.Labels) bool) []BaselineView {
	var out []BaselineView
	for _, b := range f.baselines {
		if b.Signal == signal && match(series.FromMap(b.Labels)) {
			out = append(out, b)
		}
	}
	return out
}

func shop() *fakeViews {
	b := BaselineView{Signal: "checkout_latency_p95", Labels: map[string]string{"route": "/checkout"}, Zone: "Europe/Berlin"}
	for i := range b.Hours {
		b.Hours[i] = HourView{Expected: Float(0.3 + float64(i%24)/100), Lower: 0.2, Upper: 0.6, WeeksSeen: 6}
	}
	b.Hours[3] = HourView{Expected: nan, Lower: -inf, Upper: inf}
	return &fakeViews{
		status: StatusView{
			Version: "1.2.3", Started: testNow.Add(-26 * time.Hour), LastTick: testNow.Add(-30 * time.Second), Interval: 60,
			Timezone: "Europe/Berlin", Signals: 2, Series: 4,
		},
		signals: []SignalView{
			{
				Name: "checkout_latency_p95", Layer: "application", Unit: "seconds", Expr: "p95", Direction: "up", Alert: "CheckoutSlow",
				Severity: "warning", For: 120, Interval: 60, RunbookURL: "https://wiki.example/slow",
				Series: []SeriesView{
					{Labels: map[string]string{"route": "/cart"}, State: StateOK, Value: 0.2, Expected: 0.21, Lower: 0.1, Upper: 0.4, LastTick: testNow},
					{Labels: map[string]string{"route": "/checkout"}, State: StateFiring, Value: 1.84, Expected: 0.4, Lower: 0.31, Upper: 0.52, Score: 6.2, LastTick: testNow, Knowledge: "normal for Mon 14:00 Europe/Berlin, 6 weeks seen"},
					{Labels: map[string]string{"route": hostile, "signal": "theirs"}, State: StateLearning, Value: 3, Expected: nan, Lower: -inf, Upper: inf, Score: 0, LastTick: testNow, Knowledge: "learning: need 2 days of history, have 5h"},
				},
			},
			{
				Name: "orders", Layer: "business", Unit: "per_second", Expr: "orders", Direction: "down", Severity: "info", Interval: 60,
				Series: []SeriesView{{State: StateMissing, Reason: "no_data", Value: nan, Expected: 4, Lower: 3, Upper: 5, Score: nan, LastTick: testNow}},
			},
		},
		baselines: []BaselineView{b},
		anomalies: []AnomalyView{
			{
				Signal: "checkout_latency_p95", Layer: "application", Labels: map[string]string{"route": "/checkout"}, Alertname: "CheckoutSlow",
				Severity: "warning", Type: "anomaly", Direction: "up", StartsAt: testNow.Add(-12 * time.Minute), State: "firing", Unit: "seconds",
				Observed: 1.84, Expected: 0.4, Lower: 0.31, Upper: 0.52, Score: 6.2, Summary: "checkout p95 1.84 s & " + hostile,
			},
			{
				Signal: "orders", Layer: "business", Alertname: "orders", Severity: "info", Type: "anomaly", StartsAt: testNow.Add(-3 * time.Hour),
				EndsAt: testNow.Add(-2 * time.Hour), State: "resolved", Observed: 1, Lower: 3, Upper: inf, Summary: "orders 1/s",
			},
		},
		targets: TargetsView{
			Active: []TargetView{
				{ScrapePool: "shop", ScrapeURL: "http://shop:8080/metrics", Health: "up", Labels: map[string]string{"job": "shop"}},
				{ScrapePool: "pay", ScrapeURL: "http://pay:8080/metrics", Health: "down", LastError: "connection refused"},
			},
			Dropped: []DroppedTargetView{{ScrapePool: "shop"}}, DroppedCounts: map[string]int{"shop": 1},
		},
		metadata: map[string][]MetadataView{"b_total": {{Type: "counter", Help: "B."}}, "a": {{Type: "gauge"}, {Type: "counter"}}},
	}
}

// options are those of an instance over the store of storeFor.
func options(t *testing.T) Options {
	t.Helper()
	return Options{
		Views: shop(), Engine: newEngine(), Storage: newStore(t), Now: func() time.Time { return testNow },
		Build: BuildInfo{Version: "1.2.3"}, Flags: map[string]string{"web.listen-address": "127.0.0.1:9780"},
		ConfigYAML: func() string { return "signals: []\n" },
	}
}

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples: 100_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{}),
	})
}

// newStore holds x{i="0"} = 0, 1, … and x{i="1"} = 0, 10, … once a minute over the hour before testNow, one
// infinity, and a label that is hostile.
func newStore(t *testing.T) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	app := db.Appender(t.Context())
	add := func(at time.Time, v float64, ls ...string) {
		if _, err := app.Append(0, labels.FromStrings(ls...), at.UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
	}
	start := testNow.Truncate(time.Minute).Add(-time.Hour)
	for i := range 61 {
		at := start.Add(time.Duration(i) * time.Minute)
		add(at, float64(i), "__name__", "x", "i", "0")
		add(at, float64(10*i), "__name__", "x", "i", "1")
		add(at, math.Inf(1), "__name__", "baseliner_upper", "signal", "new")
		add(at, 1, "__name__", "evil", "route", hostile)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return db
}

func newTestHandler(t *testing.T, o Options) http.Handler {
	t.Helper()
	h, err := NewHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// do sends a request as a local client would: with a body, as a form.
func do(t *testing.T, h http.Handler, method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, body)
	r.Host = "localhost:9780"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, h, http.MethodGet, target, nil)
}
