package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// churnFor is how long memory is watched while series come and go, after churnWarm; growth is how much of it may be added. Under the build tag
// soak the warm-up is longer than a series lives, ten minutes: until then the samples of those that live become more.
var churnWarm, churnFor, growth = 10 * time.Second, time.Minute, 0.35

// A target has 10,000 series of which a thousand are replaced every minute. Memory grows no further once all have been there: what
// ended leaves it.
func TestChurn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	const series, everyMinute = 10_000, 1000
	began := time.Now()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		gone := int(time.Since(began).Minutes() * everyMinute)
		var b strings.Builder
		for i := gone; i < gone+series; i++ {
			fmt.Fprintf(&b, "load{path=\"/orders/%d\",code=\"200\"} %d\n", i, i%7)
		}
		_, _ = w.Write([]byte(b.String()))
	}))
	defer target.Close()
	dir := t.TempDir()
	cfg := write(t, dir, "c.yml", fmt.Sprintf(`
global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 5s, evaluation_delay: 1s}
scrape_configs: [{job_name: churn, static_configs: [{targets: ['%s']}]}]
signals: [{name: paths, layer: infrastructure, expr: count(load)}]
`, target.Listener.Addr()))
	r := runInstanceOf(t, cfg, dir+"/data")
	eventually(t, "the target is scraped", 30*time.Second, func() error {
		if a := r.query("count(load)"); len(a.Result) != 1 || a.Result[0].Value.value < series {
			return fmt.Errorf("%v", a.Result)
		}
		return nil
	})
	time.Sleep(churnWarm)
	// By thirds of the time: what is usual, and the highest, which is while what ended is written to a block.
	var usual, highest []int64
	var most float64
	for range 3 {
		var held []int64
		for until := time.Now().Add(churnFor / 3); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
			held = append(held, anonymous(t, r.cmd.Process.Pid)>>20)
		}
		slices.Sort(held)
		usual, highest = append(usual, held[len(held)/2]), append(highest, held[len(held)-1])
		head, _ := r.metric(`prometheus_tsdb_head_series{store="live"}`)
		most = max(most, head)
	}
	t.Logf("by thirds of %s usually %d MiB, at most %d; at most %.0f series in memory", churnFor, usual, highest, most)
	if float64(usual[2]) > (1+growth)*float64(usual[0]) || highest[2] > 3*usual[0] {
		t.Errorf("memory grows from %d to %d MiB, at most %d", usual[0], usual[2], highest[2])
	}
	if most > 1.35*series+everyMinute {
		t.Errorf("%v series are in memory, %d are alive", most, series)
	}
}
