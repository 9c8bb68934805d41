package scrape_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/scrape"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	benchTarget = "BASELINER_BENCH_TARGET" // in its environment the test binary is the target of the benchmark
	benchSeries = 10_000
)

// BenchmarkScrape scrapes a target of 10,000 counters with four labels into a real store, again and again: fetching, parsing,
// the guard, appending, committing. The target is a process of its own that writes what it rendered before, so that what it costs is not
// ours. In the same run: Gzip asks for compression, which is what Prometheus does where a job does not say enable_compression: false;
// Loop is Prometheus' scrape loop and store without our guard between them; Libraries is what its parser and store take by
// themselves: no HTTP, no series that end, no errors, no report.
func BenchmarkScrape(b *testing.B) {
	b.Run("Ours", func(b *testing.B) { scrapeAgainAndAgain(b, true, false) })
	b.Run("Gzip", func(b *testing.B) { scrapeAgainAndAgain(b, true, true) })
	b.Run("Loop", func(b *testing.B) { scrapeAgainAndAgain(b, false, false) })
	b.Run("Libraries", parseAndAppend)
}

// benchPage renders what the target shows the nth time.
func benchPage(n int) []byte {
	var s strings.Builder
	s.WriteString("# TYPE http_requests_total counter\n")
	for i := range benchSeries {
		fmt.Fprintf(&s, "http_requests_total{method=\"GET\",path=\"/path/%d\",status=\"200\",zone=\"eu-1\"} %d\n", i, 1000*n+i)
	}
	return []byte(s.String())
}

// serveBenchTarget is the target. It tells its address, and ends with its standard input.
func serveBenchTarget() error {
	var pages, zipped [8][]byte
	for i := range pages {
		pages[i] = benchPage(i)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(pages[i]); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		zipped[i] = b.Bytes()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	var n atomic.Int64
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			page := int(n.Add(1)) % len(pages)
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(zipped[page])
				return
			}
			_, _ = w.Write(pages[page])
		}))
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// startBenchTarget starts it and returns its address.
func startBenchTarget(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchTarget+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			b.Error(err)
		}
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

func benchStore(b *testing.B) *tsdb.DB {
	b.Helper()
	db, err := tsdb.Open(tsdb.Options{Dir: b.TempDir(), Name: "live", Retention: 48 * time.Hour, OutOfOrder: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	return db
}

func scrapeAgainAndAgain(b *testing.B, guarded, compressed bool) {
	target := startBenchTarget(b)
	db := benchStore(b)
	meter := &meter{AppendableV2: db}
	if guarded {
		meter.AppendableV2 = ingest.NewGuard(db, ingest.GuardOptions{
			Limits: ingest.Limits{Series: 100_000, Labels: 40, LabelNameBytes: 256, LabelValueBytes: 4096}, Series: db.Head().NumSeries,
		})
	}
	m, err := scrape.New(scrape.Options{Appendable: meter, ReloadInterval: 10 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := promconfig.Load(fmt.Sprintf("global: {scrape_interval: 20ms, scrape_timeout: 20ms}\n"+
		"scrape_configs: [{job_name: bench, enable_compression: %v, static_configs: [{targets: [%q]}]}]\n", compressed, target), promslog.NewNopLogger())
	if err != nil {
		b.Fatal(err)
	}
	if err := m.ApplyConfig(cfg); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	reach := func(samples int64) {
		for deadline := time.Now().Add(time.Minute); meter.kept.Load() < samples; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				b.Fatalf("%d samples in a minute, want %d", meter.kept.Load(), samples)
			}
		}
	}
	reach(3 * benchSeries) // the series exist
	had, before := meter.kept.Load(), cpuTime(b)
	for want := had; b.Loop(); {
		want += benchSeries
		reach(want)
	}
	cpu := cpuTime(b) - before
	b.ReportMetric(float64(meter.kept.Load()-had)/cpu.Seconds()/1e6, "Msamples/cpu-s")
	if got := db.Head().NumSeries(); got < benchSeries {
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

// meter counts what was kept of what was scraped; the ends of series, after a scrape that failed, are no samples.
type meter struct {
	storage.AppendableV2
	kept atomic.Int64
}

func (m *meter) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &metered{AppenderV2: m.AppendableV2.AppenderV2(ctx), meter: m}
}

type metered struct {
	storage.AppenderV2
	meter *meter
	n     int64
}

func (a *metered) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	ref, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	if err == nil && !value.IsStaleNaN(v) {
		a.n++
	}
	return ref, err
}

func (a *metered) Commit() error {
	err := a.AppenderV2.Commit()
	if err == nil {
		a.meter.kept.Add(a.n)
	}
	return err
}

func parseAndAppend(b *testing.B) {
	db := benchStore(b)
	pages := [8][]byte{}
	for i := range pages {
		pages[i] = benchPage(i)
	}
	type known struct {
		ref storage.SeriesRef
		ls  labels.Labels
	}
	series, symbols := map[string]known{}, labels.NewSymbolTable()
	var ls labels.Labels
	round := func(n int, at int64) {
		app := db.AppenderV2(b.Context())
		p, err := textparse.New(pages[n%len(pages)], "text/plain; version=0.0.4", symbols, textparse.ParserOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			e, err := p.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			if e != textparse.EntrySeries {
				continue
			}
			met, _, v := p.Series()
			s, ok := series[string(met)]
			if !ok {
				p.Labels(&ls)
				s.ls = ls
			}
			if s.ref, err = app.Append(s.ref, s.ls, 0, at, v, nil, nil, storage.AppendV2Options{}); err != nil {
				b.Fatal(err)
			}
			if !ok {
				series[string(met)] = s
			}
		}
		if err := app.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	n, begin := 0, time.Now().UnixMilli()
	round(n, begin)
	before := cpuTime(b)
	for b.Loop() {
		n++
		round(n, begin+int64(n)*15_000)
	}
	b.ReportMetric(float64(n)*benchSeries/(cpuTime(b)-before).Seconds()/1e6, "Msamples/cpu-s")
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
