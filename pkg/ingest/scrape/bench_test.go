package scrape_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/scrape"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// BenchmarkScrape scrapes a target of 10,000 counters with four labels into a real store, again and again: fetching, parsing,
// the guard, appending, committing. The target writes what was rendered before. Bare is Prometheus' scrape loop and store without
// our guard between them, in the same run.
func BenchmarkScrape(b *testing.B) {
	b.Run("Ours", func(b *testing.B) { scrapeAgainAndAgain(b, true) })
	b.Run("Bare", func(b *testing.B) { scrapeAgainAndAgain(b, false) })
}

func scrapeAgainAndAgain(b *testing.B, guarded bool) {
	const series = 10_000
	var pages [8][]byte
	for p := range pages {
		var s strings.Builder
		s.WriteString("# TYPE http_requests_total counter\n")
		for i := range series {
			fmt.Fprintf(&s, "http_requests_total{method=\"GET\",path=\"/path/%d\",status=\"200\",zone=\"eu-1\"} %d\n", i, 1000*p+i)
		}
		pages[p] = []byte(s.String())
	}
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write(pages[int(n.Add(1))%len(pages)])
	}))
	defer server.Close()
	db, err := tsdb.Open(tsdb.Options{Dir: b.TempDir(), Name: "live", Retention: 48 * time.Hour, OutOfOrder: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	var door storage.AppendableV2 = db
	if guarded {
		door = ingest.NewGuard(db, ingest.GuardOptions{
			Limits: ingest.Limits{Series: 100_000, Labels: 40, LabelNameBytes: 256, LabelValueBytes: 4096}, Series: db.Head().NumSeries,
		})
	}
	m, err := scrape.New(scrape.Options{Appendable: door, ReloadInterval: 10 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := promconfig.Load(fmt.Sprintf("global: {scrape_interval: 50ms, scrape_timeout: 50ms}\nscrape_configs: [{job_name: bench, enable_compression: false, static_configs: [{targets: ['%s']}]}]\n",
		server.Listener.Addr()), promslog.NewNopLogger())
	if err != nil {
		b.Fatal(err)
	}
	if err := m.ApplyConfig(cfg); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	reach := func(scrapes int64) {
		for deadline := time.Now().Add(time.Minute); n.Load() < scrapes; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				b.Fatalf("%d scrapes in a minute, want %d", n.Load(), scrapes)
			}
		}
	}
	reach(3) // the series exist
	had, before := n.Load(), cpuTime(b)
	for want := had; b.Loop(); {
		want++
		reach(want)
	}
	cpu := cpuTime(b) - before
	b.ReportMetric(float64((n.Load()-had)*series)/cpu.Seconds()/1e6, "Msamples/cpu-s")
	if got := db.Head().NumSeries(); got < series {
		b.Errorf("%d series are stored", got)
	}
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
	if err := db.Close(); err != nil {
		b.Error(err)
	}
}

// cpuTime is what the process has computed so far: unlike the clock it does not count what others do on the machine.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
