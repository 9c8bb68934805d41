package main

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/template"

	"github.com/baseliner/baseliner/pkg/web"
)

// TestDeadTarget kills a target: for seconds PromQL goes on giving a rate that decays. None of it may be observed, and
// the silence is told as what it is.
func TestDeadTarget(t *testing.T) {
	t.Parallel()
	target, address := spawnTarget(t, "")
	pager := newReceiver(t)
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s, timezone: %s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['%s']}]
signals:
  - name: requests
    layer: application
    expr: sum(rate(shop_requests_total[6s]))
    absent: {for: 5s}
    min_change: {relative: 50%%}
alerting:
  route: {receiver: pager, group_by: ['...'], group_wait: 1s, group_interval: 1s}
  receivers: [{name: pager, webhook_configs: [{url: '%s'}]}]
`, shopZone, address, pager.url))
	storage := dir + "/data"
	must(t, "backfill", "--from="+pastOf(t, 3, time.Minute, "requests"), "--config.file="+cfg, "--storage.path="+storage)
	in := runInstanceOf(t, cfg, storage)
	eventually(t, "the signal is known and quiet", 40*time.Second, func() error { return in.inState("requests", 1, web.StateOK) })

	target.kill()
	died := time.Now()
	eventually(t, "the silence is told", 40*time.Second, func() error { return heardMessages(pager, 1) })
	a := wantMessage(t, &pager.heard()[0], "firing")
	wantLabels(t, a, template.KV{"alertname": "requests", "signal": "requests", "layer": "application", "severity": "warning", "type": "absent"})
	if d := a.StartsAt.Sub(died); d < -2*time.Second || d > 5*time.Second {
		t.Errorf("it died at %s, and its silence starts at %s", died, a.StartsAt)
	}
	eventually(t, "the series is missing", 5*time.Second, func() error { return in.inState("requests", 1, web.StateMissing) })

	// Long enough for a rate over six seconds to have run dry.
	eventually(t, "the rate has run dry", 20*time.Second, func() error {
		if r := in.query("sum(rate(shop_requests_total[6s]))").Result; len(r) != 0 {
			return fmt.Errorf("it is %v", r)
		}
		return nil
	})
	born := time.Now()
	spawnTarget(t, address)
	eventually(t, "the end of the silence is told", 40*time.Second, func() error { return heardMessages(pager, 2) })
	b := wantMessage(t, &pager.heard()[1], "resolved")
	if b.Fingerprint != a.Fingerprint || !b.StartsAt.Equal(a.StartsAt) || b.EndsAt.Before(born.Add(-time.Second)) {
		t.Errorf("another alert is over than fired:\n%+v\n%+v", a, b)
	}
	wantNoDecay(t, in, died, born)
	in.stop()
	for _, m := range pager.heard() {
		for _, a := range m.Alerts {
			if a.Labels["type"] != "absent" {
				t.Errorf("silence was told as something else: %+v", a)
			}
		}
	}
	if n := len(pager.heard()); n != 2 {
		t.Errorf("the pager heard %d messages, want 2: %+v", n, pager.heard())
	}
}

// wantNoDecay looks at what was recorded around a death and a new birth: true values, and nothing in between.
func wantNoDecay(t *testing.T, in *running, died, born time.Time) {
	t.Helper()
	var a answer
	seconds := func(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
	in.data(&a, "/api/v1/query_range", "query", `baseliner_value{signal="requests"}`, "start", seconds(died.Add(-5*time.Second).Truncate(time.Second)),
		"end", seconds(time.Now()), "step", "1")
	if len(a.Result) != 1 || len(a.Result[0].Values) == 0 {
		t.Fatalf("recorded: %+v", a)
	}
	before, between, after := 0, 0, 0
	for _, s := range a.Result[0].Values {
		at := time.UnixMilli(int64(s.at * 1000))
		// Two intervals of six may be unseen at either end of the range, three are not observed any more.
		if want := usual(at); math.Abs(s.value/want-1) > 0.3 {
			t.Errorf("%s after the death, %g was recorded, want about %g or nothing", at.Sub(died), s.value, want)
		}
		switch {
		case at.Before(died):
			before++
		case at.After(died.Add(2*time.Second)) && at.Before(born): // two intervals are fresh
			between++
		case at.After(born):
			after++
		}
	}
	if before == 0 || between > 0 || after == 0 {
		t.Errorf("%d points before the death, %d between, %d after the birth: %+v", before, between, after, a.Result[0].Values)
	}
}
