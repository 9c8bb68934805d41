package main

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"

	"github.com/baseliner/baseliner/pkg/web"
)

// TestStory is the job of the program: it learns from five weeks, a target breaks, somebody is told once, the target is
// repaired, and the same somebody is told once more.
func TestStory(t *testing.T) {
	t.Parallel()
	target := newShop(1)
	page := httptest.NewServer(target)
	defer page.Close()
	pager := newReceiver(t)
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 2s
  evaluation_delay: 1s
  timezone: %s
  external_labels: {cluster: test}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['%s']}]
signals:
  - name: checkout_sessions
    layer: business
    expr: sum by (job) (shop_sessions)
    unit: sessions
    severity: critical
    alert: CheckoutSessions
    team: shop
    runbook_url: https://runbooks.example/sessions
    labels: {service: checkout}
    annotations: {dashboard: 'https://dashboards.example/shop'}
alerting:
  route: {receiver: pager, group_by: [alertname], group_wait: 1s, group_interval: 1s}
  receivers: [{name: pager, webhook_configs: [{url: '%s'}]}]
`, shopZone, page.Listener.Addr(), pager.url))
	storage := dir + "/data"
	history := pastOf(t, 5, time.Minute, `checkout_sessions{job="shop"}`)
	t.Log(must(t, "backfill", "--from="+history, "--config.file="+cfg, "--storage.path="+storage))

	in := runInstanceOf(t, cfg, storage)
	eventually(t, "the signal is known and quiet", 30*time.Second, func() error { return in.inState("checkout_sessions", 1, web.StateOK) })
	lookAround(t, in)

	broken := time.Now()
	target.breaks(4)
	eventually(t, "the pager hears of it", 30*time.Second, func() error { return heardMessages(pager, 1) })
	eventually(t, "the page shows it", 10*time.Second, func() error { return in.inState("checkout_sessions", 1, web.StateFiring) })
	firing := pager.heard()[0]
	a := wantMessage(t, &firing, "firing")
	wantLabels(t, a, template.KV{
		"alertname": "CheckoutSessions", "signal": "checkout_sessions", "layer": "business", "severity": "critical", "direction": "up",
		"type": "anomaly", "job": "shop", "service": "checkout", "team": "shop", "cluster": "test",
	})
	wantAnnotations(t, a)
	if d := a.StartsAt.Sub(broken); d < -time.Second || d > 20*time.Second {
		t.Errorf("it broke at %s and starts at %s", broken, a.StartsAt)
	}
	if !a.EndsAt.IsZero() {
		t.Errorf("it fires and ends at %s", a.EndsAt)
	}
	if want := `{}:{alertname="CheckoutSessions"}`; firing.GroupKey != want {
		t.Errorf("group key %q, want %q", firing.GroupKey, want)
	}
	resp, err := http.Get(a.GeneratorURL)
	if err != nil {
		t.Fatal(err)
	}
	status, body := in.read(resp)
	wantStatus(t, a.GeneratorURL, status, http.StatusOK, body)
	if !strings.Contains(body, "checkout_sessions") {
		t.Errorf("%s shows something else:\n%s", a.GeneratorURL, body)
	}

	repaired := time.Now()
	target.breaks(1)
	eventually(t, "the pager hears that it is over", 30*time.Second, func() error { return heardMessages(pager, 2) })
	eventually(t, "the page shows that it is over", 10*time.Second, func() error { return in.inState("checkout_sessions", 1, web.StateOK) })
	over := pager.heard()[1]
	b := wantMessage(t, &over, "resolved")
	if b.Fingerprint != a.Fingerprint || !b.StartsAt.Equal(a.StartsAt) || over.GroupKey != firing.GroupKey {
		t.Errorf("another alert is over than fired:\n%+v\n%+v", a, b)
	}
	if d := b.EndsAt.Sub(repaired); d < -time.Second || d > 20*time.Second {
		t.Errorf("it was repaired at %s and ends at %s", repaired, b.EndsAt)
	}
	t.Logf("firing after %s: %s", a.StartsAt.Sub(broken).Round(time.Millisecond), a.Annotations["summary"])
	t.Logf("over after %s: %s", b.EndsAt.Sub(repaired).Round(time.Millisecond), b.Annotations["summary"])

	in.stop()
	if n := len(pager.heard()); n != 2 {
		t.Errorf("the pager heard %d messages, want one of the begin and one of the end: %+v", n, pager.heard())
	}
}

func heardMessages(r *receiver, n int) error {
	if heard := r.heard(); len(heard) < n {
		return fmt.Errorf("%d messages, want %d", len(heard), n)
	}
	return nil
}

// lookAround asks a healthy instance what an outsider would.
func lookAround(t *testing.T, in *running) {
	t.Helper()
	for _, path := range []string{"/-/healthy", "/-/ready", "/"} {
		status, body := in.get(path)
		wantStatus(t, path, status, http.StatusOK, body)
	}
	if status, _ := in.post("/-/reload"); status != http.StatusForbidden {
		t.Errorf("/-/reload without --web.enable-lifecycle: status %d", status)
	}
	now := usual(time.Now())
	near := func(what string, v float64) {
		t.Helper()
		if math.Abs(v/now-1) > 0.15 {
			t.Errorf("%s is %g, want about %g", what, v, now)
		}
	}
	s := in.signals()["checkout_sessions"].Series[0]
	near("value", float64(s.Value))
	near("expected", float64(s.Expected))
	if width := float64(s.Upper-s.Lower) / now; !(width > 0.04 && width < 1.2) { // the noise alone is 4 % wide
		t.Errorf("normal is %g to %g around %g, %.1f %% wide", s.Lower, s.Upper, s.Expected, 100*width)
	}
	if !strings.Contains(s.Knowledge, "5 weeks seen") && !strings.Contains(s.Knowledge, "4 weeks seen") {
		t.Errorf("knowledge: %q", s.Knowledge)
	}
	for _, expr := range []string{"sum(shop_sessions)", `baseliner_value{signal="checkout_sessions",layer="business",job="shop"}`, "baseliner_expected"} {
		if a := in.query(expr); len(a.Result) != 1 {
			t.Errorf("%s: %+v", expr, a)
		} else {
			near(expr, a.Result[0].Value.value)
		}
	}
	// A day ago is there as well: it was filled.
	if a := in.query(`baseliner_value{signal="checkout_sessions"} offset 1d`); len(a.Result) != 1 {
		t.Errorf("history: %+v", a)
	}
	eventually(t, "a tick shows all results", 10*time.Second, func() error { // one whose scrape came late has no value
		status, body := in.get("/metrics/results")
		wantStatus(t, "/metrics/results", status, http.StatusOK, body)
		for _, name := range []string{"value", "expected", "lower", "upper", "score"} {
			line := regexp.MustCompile(`(?m)^baseliner_` + name + `\{job="shop",layer="business",signal="checkout_sessions"\} \S+$`)
			if !line.MatchString(body) {
				return fmt.Errorf("there is no baseliner_%s:\n%s", name, body)
			}
		}
		return nil
	})
	if v, ok := in.metric("baseliner_config_last_reload_successful"); !ok || v != 1 {
		t.Errorf("baseliner_config_last_reload_successful is %g, %t", v, ok)
	}
}

func wantMessage(t *testing.T, m *webhook.Message, status string) template.Alert {
	t.Helper()
	if m.Version != "4" || m.Receiver != "pager" || m.Status != status || len(m.Alerts) != 1 || m.TruncatedAlerts != 0 {
		t.Fatalf("message: %+v", m)
	}
	a := m.Alerts[0]
	if a.Status != status || len(a.Fingerprint) != 16 || m.GroupLabels["alertname"] != a.Labels["alertname"] {
		t.Fatalf("alert: %+v in %+v", a, m)
	}
	return a
}

func wantLabels(t *testing.T, a template.Alert, want template.KV) {
	t.Helper()
	for n, v := range want {
		if a.Labels[n] != v {
			t.Errorf("label %s is %q, want %q", n, a.Labels[n], v)
		}
	}
	if len(a.Labels) != len(want) {
		t.Errorf("labels are %v, want %v", a.Labels, want)
	}
}

// summaryText is what a human reads at three in the morning.
var summaryText = regexp.MustCompile(`^checkout sessions .*[0-9].*; normal for (Mon|Tue|Wed|Thu|Fri|Sat|Sun) [0-9]{2}:[0-9]{2} is [0-9].*–[0-9].* \([45] weeks seen\)$`)

func wantAnnotations(t *testing.T, a template.Alert) {
	t.Helper()
	for _, n := range []string{"summary", "description", "observed", "expected", "lower", "upper", "score", "context", "runbook_url", "dashboard"} {
		if a.Annotations[n] == "" {
			t.Errorf("annotation %s is empty: %v", n, a.Annotations)
		}
	}
	if s := a.Annotations["summary"]; !summaryText.MatchString(s) {
		t.Errorf("summary: %q", s)
	}
	if c := a.Annotations["context"]; !strings.Contains(c, shopZone) || !strings.Contains(c, "weeks seen") {
		t.Errorf("context: %q", c)
	}
	number := func(n string) float64 {
		v, err := strconv.ParseFloat(a.Annotations[n], 64)
		if err != nil {
			t.Errorf("annotation %s: %v", n, err)
		}
		return v
	}
	observed, expected, lower, upper, score := number("observed"), number("expected"), number("lower"), number("upper"), number("score")
	if !(lower < expected && expected < upper && upper < observed && score > 1) {
		t.Errorf("not in order: %v", a.Annotations)
	}
	if ratio := observed / expected; ratio < 3.3 || ratio > 4.8 {
		t.Errorf("observed is %.2f times what is expected, want 4", ratio)
	}
}
