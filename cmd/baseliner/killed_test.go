package main

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/web"
)

// TestKilledBinary kills the program whenever it likes, while anomalies begin and end. Each of them is told under one
// name, its begin before its end.
func TestKilledBinary(t *testing.T) {
	t.Parallel()
	const shards, rounds = 25, 3
	target := newShop(shards)
	page := httptest.NewServer(target)
	defer page.Close()
	pager := newReceiver(t)
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s, timezone: %s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['%s']}]
signals:
  - name: sessions
    layer: business
    expr: sum by (shard) (shop_sessions)
    min_change: {relative: 50%%}
alerting:
  route: {receiver: pager, group_by: [shard], group_wait: 1s, group_interval: 1s}
  receivers: [{name: pager, webhook_configs: [{url: '%s'}]}]
`, shopZone, page.Listener.Addr(), pager.url))
	storage := dir + "/data"
	columns := make([]string, shards)
	for i := range columns {
		columns[i] = fmt.Sprintf(`sessions{shard="%d"}`, i)
	}
	must(t, "backfill", "--from="+pastOf(t, 3, 10*time.Minute, columns...), "--config.file="+cfg, "--storage.path="+storage)
	in := runInstanceOf(t, cfg, storage)
	eventually(t, "all series are known and quiet", 40*time.Second, func() error { return in.inState("sessions", shards, web.StateOK) })

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	kill := func() { // somewhere between the first sign of the change and the notification of it
		time.Sleep(time.Duration(random.Int64N(int64(5 * time.Second))))
		in.kill()
		kills++
		in = runInstanceOf(t, cfg, storage)
	}
	for round := 1; round <= rounds; round++ {
		target.breaks(4)
		kill()
		eventually(t, "every begin is told", 40*time.Second, func() error { return everyEpisode(pager, shards, round, "firing") })
		target.breaks(1)
		kill()
		eventually(t, "every end is told", 40*time.Second, func() error { return everyEpisode(pager, shards, round, "resolved") })
	}
	in.stop()

	perSeries := map[string]int{}
	repeated := 0
	for k, e := range pager.episodes() {
		perSeries[k.fingerprint]++
		if e.labels["type"] != "anomaly" || e.labels["direction"] != "up" {
			t.Errorf("nobody planted %v", e.labels)
		}
		if e.statuses[0] != "firing" {
			t.Errorf("%v from %s was over before it began: %v", e.labels, k.startsAt, e.statuses)
		}
		if end := slices.Index(e.statuses, "resolved"); end < 0 || slices.Contains(e.statuses[end:], "firing") {
			t.Errorf("%v from %s: %v", e.labels, k.startsAt, e.statuses)
		}
		repeated += len(e.statuses) - 2
	}
	if len(perSeries) != shards {
		t.Errorf("%d series were told of, want %d", len(perSeries), shards)
	}
	for f, n := range perSeries {
		if n != rounds {
			t.Errorf("series %s: %d anomalies were planted and %d told", f, rounds, n)
		}
	}
	// A message that was accepted and not yet crossed off is sent again: no more than four are on their way at once.
	if repeated > 4*kills {
		t.Errorf("%d kills made it repeat %d messages", kills, repeated)
	}
	t.Logf("%d kills, %d anomalies in %d series, %d messages repeated", kills, rounds, shards, repeated)
}

// everyEpisode checks that so many anomalies of every series were told with that status last.
func everyEpisode(r *receiver, series, rounds int, status string) error {
	n := 0
	episodes := r.episodes()
	for _, e := range episodes {
		if slices.Contains(e.statuses, status) {
			n++
		}
	}
	if n < series*rounds {
		return fmt.Errorf("%d of %d episodes were told as %s", n, series*rounds, status)
	}
	return nil
}
