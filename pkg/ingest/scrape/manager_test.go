package scrape_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/scrape"
)

func static(job, address string) string {
	return fmt.Sprintf("- job_name: %s\n  static_configs: [{targets: [%q]}]\n", job, address)
}

func TestTargetLivesAndDies(t *testing.T) {
	server, addr := serve(t, "queue_depth{queue=\"mail\"} 7\n")
	f := start(t, static("shop", addr))
	f.eventuallyIs(7, "__name__", "queue_depth", "queue", "mail", "job", "shop", "instance", addr)
	f.eventuallyIs(1, "__name__", "up", "job", "shop")

	got := f.target("shop", "up", "")
	if got.LastScrape.IsZero() || got.URL != "http://"+addr+"/metrics" || got.Interval != 250*time.Millisecond || got.Timeout != 250*time.Millisecond {
		t.Errorf("target = %+v", got)
	}
	if got.Labels["job"] != "shop" || got.Labels["instance"] != addr || got.Discovered["__address__"] != addr {
		t.Errorf("labels = %v, discovered %v", got.Labels, got.Discovered)
	}

	server.Close()
	f.eventuallyIs(0, "__name__", "up", "job", "shop")
	f.eventuallyStale("__name__", "queue_depth")
	f.target("shop", "down", "refused")
}

func TestMalformedExposition(t *testing.T) {
	_, addr := serve(t, "good 1\nthis is } not a metric\n")
	f := start(t, static("broken", addr))
	f.eventuallyIs(0, "__name__", "up", "job", "broken")
	f.target("broken", "down", "parsing")
	if v, n := f.last("__name__", "good"); n != 0 {
		t.Errorf("half a scrape was kept: %v", v)
	}
}

func TestOneBadTimestampSparesTheRest(t *testing.T) {
	_, addr := serve(t, fmt.Sprintf("before 1\nnext_year 1 %d\nepoch 1 1000\nafter 1\n", time.Now().AddDate(1, 0, 0).UnixMilli()))
	f := start(t, static("skewed", addr))
	f.eventuallyIs(1, "__name__", "up", "job", "skewed")
	f.eventuallyIs(1, "__name__", "before")
	f.eventuallyIs(1, "__name__", "after")
	for _, name := range []string{"next_year", "epoch"} {
		if _, n := f.last("__name__", name); n != 0 {
			t.Errorf("%s was stored", name)
		}
	}
}

func TestFormatsAreNegotiated(t *testing.T) {
	reg := prometheus.NewRegistry()
	requests := prometheus.NewCounter(prometheus.CounterOpts{Name: "requests_total", Help: "Requests."})
	latency := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "latency_seconds", Help: "Latency.", NativeHistogramBucketFactor: 1.1})
	reg.MustRegister(requests, latency)
	requests.Add(42)
	latency.Observe(0.3)
	handler := promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})

	protocols := map[string]string{
		"PrometheusProto":      "application/vnd.google.protobuf",
		"OpenMetricsText1.0.0": "application/openmetrics-text",
		"PrometheusText0.0.4":  "text/plain",
	}
	seen := make(chan [2]string, 1000)
	var configs strings.Builder
	for protocol := range protocols {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(w, r)
			select {
			case seen <- [2]string{protocol, w.Header().Get("Content-Type")}:
			default:
			}
		}))
		t.Cleanup(s.Close)
		fmt.Fprintf(&configs, "- job_name: %s\n  scrape_protocols: [%s]\n  scrape_native_histograms: true\n  static_configs: [{targets: [%q]}]\n", protocol, protocol, address(s))
	}
	f := start(t, configs.String())
	for protocol := range protocols {
		f.eventuallyIs(42, "__name__", "requests_total", "job", protocol)
	}
	f.eventuallyIs(1, "__name__", "latency_seconds", "job", "PrometheusProto") // the count of a native histogram
	f.eventuallyIs(1, "__name__", "latency_seconds_count", "job", "OpenMetricsText1.0.0")
	for range len(seen) {
		if got := <-seen; !strings.HasPrefix(got[1], protocols[got[0]]) {
			t.Errorf("%s answered with %s", got[0], got[1])
		}
	}
}

func TestTLSAndBasicAuth(t *testing.T) {
	const secret = "s3cret-pass"
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != secret {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintln(w, "guarded 1")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	job := func(name, rest string) string {
		return fmt.Sprintf("- job_name: %s\n  scheme: https\n  static_configs: [{targets: [%q]}]\n%s", name, address(s), rest)
	}
	f := start(t, job("right", fmt.Sprintf("  tls_config: {ca_file: %s}\n  basic_auth: {username: reader, password_file: %s}\n", ca, write(t, "password", secret)))+
		job("wrong_password", fmt.Sprintf("  tls_config: {ca_file: %s}\n  basic_auth: {username: reader, password: not-%s}\n", ca, secret))+
		job("unknown_authority", fmt.Sprintf("  basic_auth: {username: reader, password: %s}\n", secret)))

	f.eventuallyIs(1, "__name__", "guarded", "job", "right")
	check := func(job, want string) {
		t.Helper()
		f.eventuallyIs(0, "__name__", "up", "job", job)
		if got := f.target(job, "down", want); strings.Contains(got.LastError, secret) {
			t.Errorf("%s: error %q shows the password", job, got.LastError)
		}
	}
	check("wrong_password", "401")
	check("unknown_authority", "certificate")
}

func TestFileDiscoveryFollowsTheFile(t *testing.T) {
	_, a := serve(t, "who{name=\"a\"} 1\n")
	_, b := serve(t, "who{name=\"b\"} 1\n")
	file := write(t, "targets.json", fmt.Sprintf(`[{"targets": [%q], "labels": {"shop": "north"}}]`, a))
	f := start(t, fmt.Sprintf("- job_name: files\n  file_sd_configs: [{files: [%q], refresh_interval: 1s}]\n", file))
	f.eventuallyIs(1, "__name__", "who", "name", "a", "shop", "north")

	if err := os.WriteFile(file, fmt.Appendf(nil, `[{"targets": [%q]}]`, b), 0o600); err != nil {
		t.Fatal(err)
	}
	f.eventuallyIs(1, "__name__", "who", "name", "b")
	f.eventuallyStale("__name__", "who", "name", "a")
	if ts := f.Targets(); len(ts) != 1 || ts[0].Labels["instance"] != b {
		t.Errorf("targets = %+v", ts)
	}
}

func TestRelabellingAndIntervals(t *testing.T) {
	_, addr := serve(t, "m 1\n")
	f := start(t, fmt.Sprintf(`
- job_name: plain
  scrape_interval: 300ms
  static_configs: [{targets: [%q]}]
- job_name: renamed
  static_configs: [{targets: [%q, "dropped:1"]}]
  relabel_configs:
  - {source_labels: [__address__], regex: "dropped:1", action: drop}
  - {target_label: job, replacement: shop}
  - {target_label: __scrape_interval__, replacement: 400ms}
`, addr, addr))
	f.eventuallyIs(1, "__name__", "m", "job", "shop")
	f.target("plain", "up", "")
	got := f.Intervals()
	for job, want := range map[string]time.Duration{"plain": 300 * time.Millisecond, "shop": 400 * time.Millisecond} {
		if got[job] != want {
			t.Errorf("interval of %s is %v, want %v", job, got[job], want)
		}
	}
	dropped, counts := f.Dropped()
	if len(dropped) != 1 || dropped[0].Job != "renamed" || dropped[0].Discovered["__address__"] != "dropped:1" || counts["renamed"] != 1 {
		t.Errorf("dropped = %+v, counts %v", dropped, counts)
	}
}

func TestReload(t *testing.T) {
	_, addr := serve(t, "m 1\n")
	f := start(t, static("old", addr))
	f.eventuallyIs(1, "__name__", "m", "job", "old")

	bad := static("new", addr) + "  tls_config: {ca_file: /no/such/ca.pem}\n"
	if err := f.apply(bad); err == nil || !strings.Contains(err.Error(), `job "new"`) || !strings.Contains(err.Error(), "/no/such/ca.pem") {
		t.Fatalf("apply of an unreadable CA: %v", err)
	}
	_, before := f.last("__name__", "m", "job", "old")
	f.eventually("scrapes after a bad reload", func() bool { _, n := f.last("__name__", "m", "job", "old"); return n > before })

	if err := f.apply(static("new", addr)); err != nil {
		t.Fatal(err)
	}
	f.eventuallyIs(1, "__name__", "m", "job", "new")
	f.eventually("end of the old job", func() bool {
		ts := f.Targets()
		return len(ts) == 1 && ts[0].Job == "new"
	})
	if got := f.Intervals(); len(got) != 1 || got["new"] == 0 {
		t.Errorf("intervals = %v", got)
	}
}

func TestLifecycle(t *testing.T) {
	if _, err := scrape.New(scrape.Options{}); err == nil {
		t.Error("a manager without a store was made")
	}
	m, err := scrape.New(scrape.Options{Appendable: ingest.NewGuard(nil, ingest.GuardOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Run(ctx); err != nil {
		t.Errorf("Run with an ended context: %v", err)
	}
	if err := m.Run(ctx); err == nil {
		t.Error("Run worked twice")
	}
	f := &fixture{Manager: m, t: t}
	if err := f.apply(static("late", "localhost:1")); err == nil {
		t.Error("configuration applied after the end")
	}
}
