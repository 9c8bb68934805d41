package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestPacksSwitchOn starts an instance that nobody told what to watch: it watches itself. A target appears and its signals
// are switched on without a restart; it dies, and they stay on, through a restart too.
func TestPacksSwitchOn(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(recordings + "/shop.prom")
	if err != nil {
		t.Fatal(err)
	}
	var open atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !open.Load() {
			http.Error(w, "closed", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(page)
	}))
	defer target.Close()
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s}
scrape_configs: [{job_name: shop, static_configs: [{targets: ['%s']}]}]
signals: [{name: orders, layer: business, expr: sum(orders_total)}]
`, target.Listener.Addr()))
	in := runInstanceOf(t, cfg, dir+"/data")
	on := func(in *running, names ...string) func() error {
		return func() error {
			all := in.signals()
			for _, n := range names {
				if s, ok := all[n]; !ok || len(s.Series) == 0 {
					return fmt.Errorf("signal %s is on: %t, with %d series", n, ok, len(s.Series))
				}
			}
			return nil
		}
	}
	eventually(t, "it watches itself", 30*time.Second, on(in, "baseliner_series", "baseliner_memory", "go_goroutines", "process_memory"))
	if _, ok := in.signals()["http_latency_p95"]; ok {
		t.Error("a signal is on whose metrics nobody has")
	}
	open.Store(true)
	eventually(t, "the target's signals are on", 40*time.Second, on(in, "http_in_flight", "go_goroutines"))
	if s := in.signals()["orders"]; s.Expr != "sum(orders_total)" {
		t.Errorf("the pack's signal stands for the one of the configuration: %s", s.Expr)
	}
	out := must(t, "check", "--url="+in.url)
	for _, want := range []string{
		" on     seen: http_requests_in_flight\n", "none of its metrics was seen\n",
		"not seen: signups_total\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	open.Store(false)
	in.stop()
	again := runInstanceOf(t, cfg, dir+"/data")
	eventually(t, "what was on is on", 10*time.Second, on(again, "http_in_flight", "process_memory"))
	again.stop()
}

// TestNoPacks: who asks for none has none, and no metrics of ours either.
func TestNoPacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", "packs: [none]\n"+plainConfig)
	in := runInstanceOf(t, cfg, dir+"/data")
	eventually(t, "it ticks", 20*time.Second, func() error {
		if v, ok := in.metric("baseliner_ticks_total"); !ok || v < 3 {
			return fmt.Errorf("%g ticks", v)
		}
		return nil
	})
	if n := len(in.signals()); n != 1 {
		t.Errorf("%d signals", n)
	}
	if a := in.query("count(baseliner_ticks_total)"); len(a.Result) != 0 {
		t.Error("it watches itself")
	}
	in.stop()
}
