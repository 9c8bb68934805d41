package main

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The past is filled in behind an instance that runs and has live data: it then knows what a stopped one would, goes on
// ticking meanwhile, and a second time changes nothing, over a restart neither.
func TestBackfillIntoARunningInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "queue_length %g\n", usual(time.Now()))
	}))
	defer target.Close()
	cfg := write(t, dir, "c.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s}
scrape_configs: [{job_name: shop, static_configs: [{targets: ['%s']}]}]
signals: [{name: queue, layer: application, expr: sum(queue_length)}]
`, target.Listener.Addr()))
	past := pastOf(t, 2, 10*time.Minute, "queue")
	expected := func(r *running) (hours []float64) {
		var profile []struct{ Hours []struct{ Expected float64 } }
		r.data(&profile, "/api/baseliner/v1/baseline", "signal", "queue")
		if len(profile) != 1 {
			t.Fatalf("%d series", len(profile))
		}
		for _, h := range profile[0].Hours {
			hours = append(hours, h.Expected)
		}
		return hours
	}
	same := func(what string, a, b []float64) {
		t.Helper()
		for i := range a {
			if !(math.Abs(a[i]-b[i]) <= 0.02*math.Abs(b[i])) { // the hours of the test are those of different seconds
				t.Errorf("%s: hour %d of the week is expected to be %v, want %v", what, i, a[i], b[i])
			}
		}
	}
	stopped := filepath.Join(dir, "stopped")
	must(t, "backfill", "--from="+past, "--config.file="+cfg, "--storage.path="+stopped)
	r := runInstanceOf(t, cfg, stopped)
	want := expected(r)
	r.stop()

	live := filepath.Join(dir, "live")
	r = runInstanceOf(t, cfg, live, "--web.enable-admin-api")
	ticks := func() float64 {
		n, _ := r.metric("baseliner_ticks_total")
		return n
	}
	eventually(t, "it has live data", 20*time.Second, func() error {
		if s := r.signals()["queue"].Series; len(s) == 0 {
			return fmt.Errorf("no series")
		}
		return nil
	})
	fill := func(storage string) string {
		return must(t, "backfill", "--from="+past, "--config.file="+cfg, "--storage.path="+storage, "--url="+r.url)
	}
	before := ticks()
	if said := fill(live); !strings.Contains(said, "1 series, 2017 points, 0 missing") {
		t.Errorf("said %q", said)
	}
	once := expected(r)
	same("behind live data", once, want)
	fill(live)
	same("the second time", expected(r), once)
	eventually(t, "it ticks on", 10*time.Second, func() error {
		if n := ticks(); n <= before {
			return fmt.Errorf("%v ticks", n)
		}
		return nil
	})
	post := func(body, wantStatus string) {
		t.Helper()
		resp, err := http.Post(r.url+"/api/baseliner/v1/backfill", "application/x-ndjson", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if got := fmt.Sprint(resp.StatusCode, " ", string(text)); err != nil || !strings.Contains(got, wantStatus) {
			t.Errorf("%q: %s, want %s", body, got, wantStatus)
		}
	}
	post("nonsense", `400 {"error":"line 1: is not JSON`)
	post(`{"time":1700000000,"signal":"other","value":1}`, "no signal other is configured")
	post(`{"time":99999999999,"signal":"queue","value":1}`, "is in the future")
	post(`{"signals":{"queue":"x"}}`+"\n"+`{"time":1700000000,"signal":"queue","value":1}`, "defined otherwise")
	same("after requests that were refused", expected(r), once)
	r.stop()
	r = runInstanceOf(t, cfg, live)
	same("after a restart", expected(r), once)
	status, _, stderr := command(t, "backfill", "--from="+past, "--config.file="+cfg, "--storage.path="+live, "--url="+r.url)
	if status != 1 || !strings.Contains(stderr, "--web.enable-admin-api") {
		t.Errorf("without the admin API: %d %q", status, stderr)
	}
}
