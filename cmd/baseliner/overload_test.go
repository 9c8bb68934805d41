package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// anonymous reads how much memory of its own a process holds, in bytes: what a container counts and cannot take back.
func anonymous(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "RssAnon:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("the system does not say what a process holds")
	return 0
}

const batchSeries = 1000

// batch is a remote-write request of a thousand series with a sample each.
func batch(n int, at int64, v float64) []byte {
	req := prompb.WriteRequest{}
	for i := range batchSeries {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels: []prompb.Label{
				{Name: "__name__", Value: "load"},
				{Name: "batch", Value: strconv.Itoa(n)},
				{Name: "instance", Value: fmt.Sprintf("10.0.%d.%d:9100", n, i%250)},
				{Name: "job", Value: "load"},
				{Name: "path", Value: fmt.Sprintf("/orders/%d/%d", n, i)},
			},
			Samples: []prompb.Sample{{Timestamp: at, Value: v}},
		})
	}
	b, err := req.Marshal()
	if err != nil {
		panic(err)
	}
	return snappy.Encode(nil, b)
}

// More series than fit are sent, and more at once than may be in flight. What is known goes on and what was accepted is there;
// newcomers are refused, senders are told to come again, memory stays under its ceiling and ticks keep their pace.
func TestOverload(t *testing.T) {
	if testing.Short() {
		t.Skip("fills memory")
	}
	const ceiling = 112 << 20
	dir := t.TempDir()
	cfg := write(t, dir, "c.yml", fmt.Sprintf(`
global: {scrape_interval: 2s, evaluation_interval: 2s, evaluation_delay: 1s}
ingest: {remote_write: {enabled: true}}
limits: {series: 0, memory_bytes: %d, body_bytes: 256KiB, in_flight_bytes: 512KiB}
signals: [{name: seen, layer: infrastructure, expr: 'count(load{batch="0"})'}]
`, ceiling))
	r := runInstanceOf(t, cfg, dir+"/data")
	send := func(n int, at int64, v float64) (code int, body string, retry bool) {
		resp, err := http.Post(r.url+"/api/v1/write", "application/x-protobuf", bytes.NewReader(batch(n, at, v)))
		if err != nil {
			t.Error(err)
			return 0, "", false
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), resp.Header.Get("Retry-After") != ""
	}
	var most atomic.Int64
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			most.Store(max(most.Load(), anonymous(t, r.cmd.Process.Pid)))
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	// What fits: until newcomers are refused.
	began := time.Now()
	var accepted [400]atomic.Int64 // requests, by batch
	fits := 0
	for refused := false; !refused; {
		if fits == len(accepted) {
			t.Fatalf("%d series fit into %d MiB", fits*batchSeries, ceiling>>20)
		}
		switch code, body, retry := send(fits, time.Now().UnixMilli(), 1); {
		case code == http.StatusNoContent:
			accepted[fits].Add(1)
			fits++
		case code == http.StatusServiceUnavailable && retry:
			time.Sleep(100 * time.Millisecond)
		case code == http.StatusBadRequest && strings.Contains(body, "memory"):
			refused = true // some of them may have been let in
		default:
			t.Fatalf("answer %d %q", code, body)
		}
	}
	before, _ := r.metric("baseliner_ticks_total")
	from := time.Now()
	// A quarter more, and all that is known again and again, from eight senders at once.
	var waits, newcomers atomic.Int64
	var senders sync.WaitGroup
	for s := range 8 {
		senders.Go(func() {
			for round := 0; time.Since(from) < 12*time.Second; round++ {
				for n := s; n < fits*5/4; n += 8 {
					code, body, retry := send(n, time.Now().UnixMilli(), float64(round))
					switch {
					case code == http.StatusNoContent:
						if n < len(accepted) {
							accepted[n].Add(1)
						}
					case code == http.StatusServiceUnavailable && retry:
						waits.Add(1)
						time.Sleep(20 * time.Millisecond)
					case code == http.StatusBadRequest && n >= fits && strings.Contains(body, "memory"):
						newcomers.Add(1)
					case code == http.StatusBadRequest && n >= fits: // let in partly in an earlier round, when there was room
					default:
						t.Errorf("batch %d of %d that fit: answer %d %.200q", n, fits, code, body)
						return
					}
				}
			}
		})
	}
	senders.Wait()
	took := time.Since(from)
	after, _ := r.metric("baseliner_ticks_total")
	close(stop)
	watching.Wait()
	for n := range fits {
		a := r.query(fmt.Sprintf(`sum(count_over_time(load{batch="%d"}[10m]))`, n))
		want := float64(accepted[n].Load() * batchSeries)
		if len(a.Result) != 1 || a.Result[0].Value.value != want {
			t.Errorf("of batch %d %v samples were accepted, there are %v", n, want, a.Result)
		}
	}
	t.Logf("%d series fit, filled in %s; then for %s at 125 %%: %d answers to come again, %d to newcomers, %.0f ticks, at most %d of %d MiB",
		fits*batchSeries, from.Sub(began).Round(time.Second), took.Round(time.Second), waits.Load(), newcomers.Load(), after-before, most.Load()>>20, ceiling>>20)
	if most.Load() > ceiling {
		t.Errorf("at most %d bytes were held, the ceiling is %d", most.Load(), ceiling)
	}
	if want := took.Seconds()/2 - 1.5; after-before < want {
		t.Errorf("%v ticks in %s, one is due every 2 s", after-before, took)
	}
	if waits.Load() == 0 || newcomers.Load() == 0 {
		t.Errorf("%d were told to come again, %d newcomers were refused", waits.Load(), newcomers.Load())
	}
}
