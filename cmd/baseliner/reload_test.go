package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/web"
)

// TestReload changes the configuration of a running instance in the three ways there are, for better and for worse.
func TestReload(t *testing.T) {
	t.Parallel()
	target := newShop(1)
	page := httptest.NewServer(target)
	defer page.Close()
	dir := t.TempDir()
	head := fmt.Sprintf(`
packs: [none]
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s, timezone: %s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['%s']}]
signals:
  - {name: sessions, layer: business, expr: sum(shop_sessions)}
`, shopZone, page.Listener.Addr())
	cfg := write(t, dir, "baseliner.yml", head)
	storage := dir + "/data"
	must(t, "backfill", "--from="+pastOf(t, 3, 10*time.Minute, "sessions"), "--config.file="+cfg, "--storage.path="+storage)
	in := runInstanceOf(t, cfg, storage, "--web.enable-lifecycle")
	eventually(t, "the signal is known and quiet", 30*time.Second, func() error { return in.inState("sessions", 1, web.StateOK) })
	learnt, began := profile(in, "sessions"), time.Now()
	target.breaks(4) // what is going on shall go on
	eventually(t, "the break is noticed", 30*time.Second, func() error { return in.inState("sessions", 1, web.StateFiring) })
	since := in.signals()["sessions"].Series[0].Since

	// An hour may close while this runs and add a sight of itself; none is forgotten.
	kept := func(signals ...string) {
		t.Helper()
		eventually(t, "the new signals are there and the old one goes on", 20*time.Second, func() error {
			for _, s := range signals {
				if _, ok := in.signals()[s]; !ok {
					return fmt.Errorf("no signal %s", s)
				}
			}
			return in.inState("sessions", 1, web.StateFiring)
		})
		if now := in.signals()["sessions"].Series[0].Since; !now.Equal(since) || since.IsZero() {
			t.Errorf("what went on since %s goes on since %s", since, now)
		}
		if n := len(in.signals()); n != len(signals) {
			t.Errorf("%d signals, want %v", n, signals)
		}
		now, forgotten, moved := profile(in, "sessions"), 0, 0
		for h, before := range learnt.Hours {
			if now.Hours[h].WeeksSeen < before.WeeksSeen {
				forgotten++
			}
			if now.Hours[h].Expected != before.Expected {
				moved++
			}
		}
		if learnt.Hours[0].WeeksSeen == 0 || forgotten > 0 {
			t.Errorf("%d hours of the week were forgotten", forgotten)
		}
		if moved > 0 && time.Now().Truncate(time.Hour).Add(15*time.Minute).Sub(began).Abs() > 2*time.Minute {
			t.Errorf("the expectation of %d hours of the week moved", moved)
		}
	}
	succeeded := func(want float64) {
		t.Helper()
		if v, ok := in.metric("baseliner_config_last_reload_successful"); !ok || v != want {
			t.Errorf("baseliner_config_last_reload_successful is %g, %t; want %g", v, ok, want)
		}
	}

	head += "  - {name: requests, layer: application, expr: 'sum(rate(shop_requests_total[5s]))'}\n"
	write(t, dir, "baseliner.yml", head)
	if err := in.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	kept("sessions", "requests")
	eventually(t, "the new signal is evaluated", 20*time.Second, func() error { return in.inState("requests", 1, web.StateLearning) })
	succeeded(1)

	write(t, dir, "baseliner.yml", head+"  - {name: broken, layer: busyness, expr: sum(}\n")
	status, body := in.post("/-/reload")
	wantStatus(t, "reload of a bad configuration", status, http.StatusInternalServerError, body)
	for _, want := range []string{"signals[2].layer", "signals[2].expr", cfg + ":"} {
		if !strings.Contains(body, want) {
			t.Errorf("the answer does not speak of %s: %s", want, body)
		}
	}
	succeeded(0)
	kept("sessions", "requests")

	head += "  - {name: more, layer: application, expr: count(shop_sessions)}\n"
	write(t, dir, "baseliner.yml", head)
	status, body = in.post("/-/reload")
	wantStatus(t, "reload of a good configuration", status, http.StatusOK, body)
	succeeded(1)
	kept("sessions", "requests", "more")

	// Nobody says anything: the content is looked at.
	write(t, dir, "baseliner.yml", strings.Replace(head, "expr: sum(shop_sessions)", "severity: critical, expr: sum(shop_sessions)", 1))
	eventually(t, "the changed content is noticed", 30*time.Second, func() error {
		if s := in.signals()["sessions"].Severity; s != "critical" {
			return fmt.Errorf("the severity is %s", s)
		}
		return nil
	})
	kept("sessions", "requests", "more")
	in.stop()
}

// profile is what an instance has learnt of the only series of a signal.
func profile(in *running, signal string) web.BaselineView {
	in.t.Helper()
	var list []web.BaselineView
	in.data(&list, "/api/baseliner/v1/baseline", "signal", signal)
	if len(list) != 1 {
		b, _ := json.Marshal(list)
		in.t.Fatalf("baselines of %s: %s", signal, b)
	}
	return list[0]
}
