package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestProbes(t *testing.T) {
	o := options(t)
	var ready, healthy error
	o.Ready, o.Healthy = func() error { return ready }, func() error { return healthy }
	main := newTestHandler(t, o)
	o.RoutePrefix = "/ignored"
	probes, err := ProbeHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	check := func(path string, code int, text string) {
		t.Helper()
		for _, h := range []http.Handler{main, probes} {
			if w := get(t, h, path); w.Code != code || !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s: %d %s, want %d %s", path, w.Code, w.Body, code, text)
			}
		}
	}
	check("/-/healthy", 200, "healthy")
	check("/-/ready", 200, "ready")
	check("/metrics", 200, "baseliner_http_requests_total")
	check("/metrics/results", 200, "baseliner_value")
	ready, healthy = errors.New("replaying"), errors.New("no tick for 5 min")
	check("/-/healthy", 503, "no tick for 5 min")
	check("/-/ready", 503, "replaying")
	for _, path := range []string{"/", "/api/v1/query?query=1", "/-/reload", "/api/v1/status/config"} {
		if w := do(t, probes, http.MethodPost, path, nil); w.Code == http.StatusOK {
			t.Errorf("the probe address serves %s", path)
		}
		if w := get(t, probes, path); w.Code != http.StatusNotFound {
			t.Errorf("the probe address answers %s with %d", path, w.Code)
		}
	}
}

func TestRoutePrefix(t *testing.T) {
	for _, prefix := range []string{"/baseliner", "baseliner/", "/baseliner/"} {
		o := options(t)
		o.RoutePrefix = prefix
		h := newTestHandler(t, o)
		check := func(path string, code int, location string) {
			t.Helper()
			if w := get(t, h, path); w.Code != code || w.Header().Get("Location") != location {
				t.Errorf("prefix %q, %s: %d to %q, want %d to %q", prefix, path, w.Code, w.Header().Get("Location"), code, location)
			}
		}
		check("/", 302, "/baseliner/")
		check("/baseliner", 302, "/baseliner/")
		check("/baseliner/", 200, "")
		check("/baseliner/signal?name=orders", 200, "")
		check("/baseliner/static/vendor/uplot/uPlot.iife.min.js", 200, "")
		check("/baseliner/-/ready", 200, "")
		check("/baseliner/api/v1/query?query=1", 200, "")
		check("/-/ready", 404, "")
		check("/api/v1/query?query=1", 404, "")
	}
	w := get(t, newTestHandler(t, options(t)), "/")
	for _, absolute := range []string{`href="/`, `src="/`, `action="/`} {
		if strings.Contains(w.Body.String(), absolute) {
			t.Errorf("a link with %s breaks behind a prefix", absolute)
		}
	}
}

func TestRequiredOptions(t *testing.T) {
	if _, err := NewHandler(Options{}); err == nil {
		t.Error("a handler without views")
	}
}

// envelopeOf decodes an answer of the API.
func envelopeOf[T any](t *testing.T, h http.Handler, target string) T {
	t.Helper()
	w := get(t, h, target)
	var e struct {
		Status string
		Data   T
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusOK || e.Status != "success" {
		t.Fatalf("%s: %d %v %s", target, w.Code, err, w.Body)
	}
	return e.Data
}

func TestPrometheusStatus(t *testing.T) {
	o := options(t)
	h := newTestHandler(t, o)
	if got := envelopeOf[BuildInfo](t, h, "/api/v1/status/buildinfo"); got.Version != "1.2.3" {
		t.Errorf("build info %+v", got)
	}
	if got := envelopeOf[map[string]string](t, h, "/api/v1/status/config"); got["yaml"] != "signals: []\n" {
		t.Errorf("config %v", got)
	}
	if got := envelopeOf[map[string]string](t, h, "/api/v1/status/flags"); got["web.listen-address"] != "127.0.0.1:9780" {
		t.Errorf("flags %v", got)
	}
	if got := envelopeOf[map[string]any](t, h, "/api/v1/status/runtimeinfo"); got["goroutineCount"].(float64) < 1 || got["serverTime"] != "2026-11-23T13:00:30Z" {
		t.Errorf("runtime info %v", got)
	}
	if w := get(t, h, "/api/v1/status/tsdb"); w.Code != http.StatusNotImplemented {
		t.Errorf("tsdb status without a source: %d", w.Code)
	}
	var limit int
	o.TSDB = func(n int) (TSDBStatus, error) {
		limit = n
		return TSDBStatus{HeadStats: HeadStats{NumSeries: 3}}, nil
	}
	h = newTestHandler(t, o)
	if got := envelopeOf[TSDBStatus](t, h, "/api/v1/status/tsdb"); got.HeadStats.NumSeries != 3 || limit != 10 {
		t.Errorf("tsdb status %+v with limit %d", got, limit)
	}
	if w := get(t, h, "/api/v1/status/tsdb?limit=10001"); w.Code != http.StatusBadRequest {
		t.Errorf("tsdb status of everything: %d", w.Code)
	}
}

func TestTargetsAndMetadata(t *testing.T) {
	h := newTestHandler(t, options(t))
	check := func(query string, active, dropped int) {
		t.Helper()
		got := envelopeOf[TargetsView](t, h, "/api/v1/targets?"+query)
		if len(got.Active) != active || len(got.Dropped) != dropped || got.Active == nil || got.Dropped == nil {
			t.Errorf("targets?%s: %+v, want %d and %d", query, got, active, dropped)
		}
	}
	check("", 2, 1)
	check("state=active", 2, 0)
	check("state=dropped", 0, 1)
	check("scrapePool=pay", 1, 0)
	meta := func(query string, want int) {
		t.Helper()
		if got := envelopeOf[map[string][]MetadataView](t, h, "/api/v1/metadata?"+query); len(got) != want {
			t.Errorf("metadata?%s: %v, want %d", query, got, want)
		}
	}
	meta("", 2)
	meta("limit=1", 1)
	meta("metric=b_total", 1)
	meta("metric=unknown", 0)
	if got := envelopeOf[map[string][]MetadataView](t, h, "/api/v1/metadata?limit_per_metric=1"); len(got["a"]) != 1 {
		t.Errorf("one description per metric, got %v", got)
	}
}

func TestRulesAndAlerts(t *testing.T) {
	h := newTestHandler(t, options(t))
	alerts := envelopeOf[struct{ Alerts []alert }](t, h, "/api/v1/alerts").Alerts
	if len(alerts) != 1 || alerts[0].State != "firing" || alerts[0].Value != "1.84e+00" || alerts[0].Labels["alertname"] != "CheckoutSlow" || alerts[0].Labels["route"] != "/checkout" {
		t.Errorf("alerts %+v", alerts)
	}
	type groups struct{ Groups []ruleGroup }
	got := envelopeOf[groups](t, h, "/api/v1/rules").Groups
	if len(got) != 2 || got[0].Name != "application" || got[1].Name != "business" {
		t.Fatalf("groups %+v", got)
	}
	slow := got[0].Rules[0]
	if slow.State != "firing" || slow.Type != "alerting" || slow.Health != "ok" || slow.Duration != 120 || len(slow.Alerts) != 1 || slow.Annotations["runbook_url"] == "" {
		t.Errorf("rule %+v", slow)
	}
	if got[1].Rules[0].State != "inactive" {
		t.Errorf("rule %+v", got[1].Rules[0])
	}
	check := func(query string, want int) {
		t.Helper()
		if got := envelopeOf[groups](t, h, "/api/v1/rules?"+query).Groups; len(got) != want {
			t.Errorf("rules?%s: %+v", query, got)
		}
	}
	check("type=record", 0)
	check("type=alert", 2)
	check("rule_name[]=CheckoutSlow", 1)
	check("rule_group[]=business", 1)
	check("file[]=other", 0)
	if got := envelopeOf[groups](t, h, "/api/v1/rules?exclude_alerts=true").Groups; len(got[0].Rules[0].Alerts) != 0 {
		t.Errorf("alerts not excluded: %+v", got)
	}
	if w := get(t, h, "/api/v1/rules?type=other"); w.Code != http.StatusBadRequest {
		t.Errorf("unknown type: %d", w.Code)
	}
}
