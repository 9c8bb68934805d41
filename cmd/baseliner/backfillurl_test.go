package main

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const pastSignals = `
global: {scrape_interval: 1m}
signals:
  - {name: orders, layer: business, expr: 'sum by (shop) (rate(orders_total[5m]))', direction: both}
  - {name: queue, layer: application, expr: queue_length}
`

// pastText is so many days of a shop, a sample a minute, in OpenMetrics.
func pastText(days int, until time.Time) string {
	var b strings.Builder
	begin := until.Add(-time.Duration(days) * 24 * time.Hour)
	var total [2]float64
	b.WriteString("# TYPE orders counter\n")
	for shop := range total {
		for t := begin; t.Before(until); t = t.Add(time.Minute) {
			total[shop] += 60 + 30*math.Sin(2*math.Pi*float64(t.Unix())/86400)
			fmt.Fprintf(&b, "orders_total{shop=\"%d\"} %.3f %d\n", shop, total[shop], t.Unix())
		}
	}
	b.WriteString("# TYPE queue_length gauge\n")
	for t := begin; t.Before(until); t = t.Add(time.Minute) {
		fmt.Fprintf(&b, "queue_length %.3f %d\n", 10+3*math.Sin(2*math.Pi*float64(t.Unix())/86400), t.Unix())
	}
	b.WriteString("# EOF\n")
	return b.String()
}

// A real Prometheus has a past; it is learnt from there.
func TestBackfillFromRealPrometheus(t *testing.T) {
	t.Parallel()
	prometheus, promtool := peer(t, "apt-get install prometheus", "prometheus"), peer(t, "apt-get install prometheus", "promtool")
	dir := t.TempDir()
	text := write(t, dir, "past.om", pastText(5, time.Now().Truncate(time.Minute)))
	if out, err := exec.Command(promtool, "tsdb", "create-blocks-from", "openmetrics", text, dir+"/prometheus").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	address := freeAddress(t)
	spawn(t, exec.Command(prometheus, "--config.file="+write(t, dir, "prometheus.yml", ""), "--storage.tsdb.path="+dir+"/prometheus", "--web.listen-address="+address))
	learnFrom(t, dir, "http://"+address)
}

// The same from a real VictoriaMetrics.
func TestBackfillFromRealVictoriaMetrics(t *testing.T) {
	t.Parallel()
	victoria := peer(t, "apt-get install victoria-metrics", "victoria-metrics", "victoria-metrics-prod")
	dir := t.TempDir()
	address := freeAddress(t)
	spawn(t, exec.Command(victoria, "-storageDataPath="+dir+"/victoria", "-httpListenAddr="+address, "-retentionPeriod=12"))
	// Its import wants milliseconds.
	var text strings.Builder
	for line := range strings.Lines(pastText(5, time.Now().Truncate(time.Minute))) {
		if !strings.HasPrefix(line, "#") {
			text.WriteString(strings.TrimSuffix(line, "\n") + "000\n")
		}
	}
	eventually(t, "VictoriaMetrics takes the past", 20*time.Second, func() error {
		resp, err := http.Post("http://"+address+"/api/v1/import/prometheus", "text/plain", strings.NewReader(text.String()))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("answer %d", resp.StatusCode)
		}
		flush, err := http.Get("http://" + address + "/internal/force_flush")
		if err != nil {
			return err
		}
		return flush.Body.Close()
	})
	learnFrom(t, dir, "http://"+address)
}

func learnFrom(t *testing.T, dir, server string) {
	t.Helper()
	configured := write(t, dir, "baseliner.yml", pastSignals)
	eventually(t, "the server answers", 20*time.Second, func() error {
		resp, err := http.Get(server + "/api/v1/query?query=1")
		if err != nil {
			return err
		}
		return resp.Body.Close()
	})
	said := must(t, "backfill", "--from="+server, "--range=5d", "--config.file="+configured, "--storage.path="+dir+"/data")
	var points, missing int
	if _, err := fmt.Sscanf(said[strings.Index(said, "days), ")+7:], "3 series, %d points, %d missing", &points, &missing); err != nil {
		t.Fatalf("it says %q: %v", said, err)
	}
	if points < 3*5*1440*99/100 {
		t.Errorf("%d points were found, want nearly %d: %s", points, 3*5*1440, said)
	}
	again := must(t, "backfill", "--from="+server, "--range=5d", "--config.file="+configured, "--storage.path="+dir+"/data")
	if !strings.Contains(again, "3 series") {
		t.Errorf("the second time it says %q", again)
	}
	r := runInstanceOf(t, configured, dir+"/data")
	for _, shop := range []string{"0", "1"} {
		var profile []struct {
			Labels map[string]string
			Hours  []struct {
				WeeksSeen float64 `json:"weeks_seen"`
			}
		}
		r.data(&profile, "/api/baseliner/v1/baseline", "signal", "orders", "match", `{shop="`+shop+`"}`)
		if len(profile) != 1 {
			t.Fatalf("profile of shop %s: %v", shop, profile)
		}
		seen := 0
		for _, h := range profile[0].Hours {
			if h.WeeksSeen > 0 {
				seen++
			}
		}
		if seen < 90 { // the first day teaches days only
			t.Errorf("%d hours of the week are known, want five days of them", seen)
		}
	}
}

// farServer answers the queries of a backfill: a wave for everything, samples every minute. It fails for times after until.
type farServer struct {
	*httptest.Server
	until  atomic.Int64 // unix seconds
	ranges atomic.Int64 // range queries that were answered
	slow   atomic.Bool  // it takes a while for each

	metrics []string // whose names it tells
}

func newFarServer(t *testing.T, metrics ...string) *farServer {
	t.Helper()
	f := &farServer{metrics: metrics}
	f.until.Store(math.MaxInt64)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if strings.HasSuffix(r.URL.Path, "/label/__name__/values") {
			fmt.Fprintf(w, `{"status":"success","data":["%s"]}`, strings.Join(f.metrics, `","`))
			return
		}
		number := func(name string) int64 {
			v, err := strconv.ParseFloat(r.Form.Get(name), 64)
			if err != nil {
				t.Errorf("%s %q: %v", name, r.Form.Get(name), err)
			}
			return int64(math.Round(v))
		}
		if !strings.HasSuffix(r.URL.Path, "/query_range") {
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d,"30"]}]}}`, number("time"))
			return
		}
		if number("end") > f.until.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if f.ranges.Add(1); f.slow.Load() {
			time.Sleep(50 * time.Millisecond)
		}
		var values []string
		for ts := number("start"); ts <= number("end"); ts += number("step") {
			v := 10 + 3*math.Sin(2*math.Pi*float64(ts)/86400) + 0.1*math.Sin(float64(ts*ts%1000))
			if strings.Contains(r.Form.Get("query"), "timestamp(") {
				v = float64(ts)
			}
			values = append(values, fmt.Sprintf(`[%d,"%v"]`, ts, v))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`, strings.Join(values, ","))
	}))
	t.Cleanup(f.Close)
	return f
}

// A backfill that was interrupted goes on where it was, and comes to what it would have come to.
func TestBackfillGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	configured := write(t, dir, "baseliner.yml", pastSignals)
	far := newFarServer(t)
	args := func(data string) []string {
		return []string{"backfill", "--from=" + far.URL, "--range=6d", "--config.file=" + configured, "--storage.path=" + dir + "/" + data}
	}
	whole := must(t, args("whole")...)
	all := far.ranges.Load()

	far.until.Store(time.Now().Add(-48 * time.Hour).Unix())
	status, _, stderr := command(t, args("pieces")...)
	if status == 0 || !strings.Contains(stderr, "502") {
		t.Fatalf("from a server that fails: %d %q", status, stderr)
	}
	far.until.Store(math.MaxInt64)
	before := far.ranges.Load()
	status, said, stderr := command(t, args("pieces")...)
	if status != 0 || !strings.Contains(stderr, "going on") {
		t.Fatalf("the second time: %d %q", status, stderr)
	}
	if asked := far.ranges.Load() - before; asked > all*3/4 {
		t.Errorf("the second time %d of %d range queries were asked again", asked, all)
	}
	t.Logf("%s%s", whole, said)
	// The band of the hour at hand knows its recent course, which depends on the minute.
	profile := func(data string) string {
		r := runInstanceOf(t, configured, dir+"/"+data)
		defer r.stop()
		var profile []struct {
			Hours []struct {
				Expected  float64
				WeeksSeen float64 `json:"weeks_seen"`
			}
		}
		r.data(&profile, "/api/baseliner/v1/baseline", "signal", "queue")
		return fmt.Sprint(profile)
	}
	if a, b := profile("whole"), profile("pieces"); a != b || len(a) < 168 {
		t.Errorf("in one go:\n%s\nin pieces:\n%s", a, b)
	}
	if _, err := os.Stat(dir + "/pieces/backfill.json"); err == nil {
		t.Error("it is done, yet something is remembered")
	}

	far.Close()
	status, _, stderr = command(t, "backfill", "--from=http://user:hush@"+freeAddress(t), "--config.file="+configured, "--storage.path="+dir+"/nobody")
	if status == 0 || !strings.Contains(stderr, "refused") || strings.Contains(stderr, "hush") {
		t.Errorf("from nobody: %d %q", status, stderr)
	}
}

// One into a running instance that is killed amid it goes on with the week that was not finished.
func TestBackfillIntoARunningInstanceGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	configured := write(t, dir, "baseliner.yml", pastSignals)
	far := newFarServer(t)
	args := func(data string, more ...string) []string {
		return append([]string{"backfill", "--from=" + far.URL, "--range=20d", "--config.file=" + configured, "--storage.path=" + dir + "/" + data}, more...)
	}
	profile := func(r *running) string {
		var profile []struct {
			Hours []struct {
				Expected  float64
				WeeksSeen float64 `json:"weeks_seen"`
			}
		}
		r.data(&profile, "/api/baseliner/v1/baseline", "signal", "queue")
		return fmt.Sprint(profile)
	}
	must(t, args("stopped")...)
	all := far.ranges.Load()
	stopped := runInstanceOf(t, configured, dir+"/stopped")
	want := profile(stopped)
	stopped.stop()

	r := runInstanceOf(t, configured, dir+"/live", "--web.enable-admin-api")
	before := far.ranges.Load()
	far.slow.Store(true)
	first := spawn(t, exec.Command(program, args("live", "--url="+r.url)...))
	eventually(t, "half of the past is sent", time.Minute, func() error {
		if n := far.ranges.Load() - before; n < all/2 {
			return fmt.Errorf("%d of %d queries", n, all)
		}
		return nil
	})
	r.kill()
	if status := first.ended(time.Minute); status == 0 {
		t.Fatalf("the instance was killed, yet all went well: %s", first.stdout.String())
	}
	far.slow.Store(false)
	r = runInstanceOf(t, configured, dir+"/live", "--web.enable-admin-api")
	before = far.ranges.Load()
	status, said, stderr := command(t, args("live", "--url="+r.url)...)
	if status != 0 || !strings.Contains(stderr, "going on") {
		t.Fatalf("the second time: %d %q %q", status, said, stderr)
	}
	if asked := far.ranges.Load() - before; asked > all*3/4 {
		t.Errorf("the second time %d of %d range queries were asked again", asked, all)
	}
	if got := profile(r); got != want || len(got) < 168 {
		t.Errorf("stopped:\n%s\nrunning:\n%s", want, got)
	}
	if _, err := os.Stat(dir + "/live/backfill.json"); err == nil {
		t.Error("it is done, yet something is remembered")
	}
}
