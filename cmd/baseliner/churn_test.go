package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// churnFor is how long series come and go; ten minutes under the build tag soak.
var churnFor = time.Minute

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
	time.Sleep(churnFor / 6) // caches fill
	// The highest of each sixth of the time.
	var held []int64
	var heads []float64
	for range 6 {
		until, highest := time.Now().Add(churnFor/6), int64(0)
		for time.Now().Before(until) {
			highest = max(highest, anonymous(t, r.cmd.Process.Pid))
			time.Sleep(100 * time.Millisecond)
		}
		head, _ := r.metric(`prometheus_tsdb_head_series{store="live"}`)
		held, heads = append(held, highest>>20), append(heads, head)
	}
	t.Logf("held at most, by sixths of %s: %d MiB; series in memory %.0f", churnFor, held, heads)
	first := max(held[0], held[1])
	if last := max(held[4], held[5]); last > first+first/8+4 {
		t.Errorf("memory grows from %d to %d MiB", first, last)
	}
	if last := heads[5]; last > 1.35*series+everyMinute {
		t.Errorf("%v series are in memory, %d are alive", last, series)
	}
}
