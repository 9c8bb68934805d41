package remotewrite_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	promremote "github.com/prometheus/prometheus/storage/remote"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
)

// BenchmarkReceive measures requests of 2,000 samples from 10,000 series into a real store, ours and Prometheus' own
// handler in one run.
func BenchmarkReceive(b *testing.B) {
	const series, each = 10_000, 2000
	begin := time.Now().Add(-time.Hour)
	label := func(i int) []string {
		return []string{"__name__", fmt.Sprintf("metric_%d_total", i%50), "instance", fmt.Sprintf("10.0.%d.%d:9090", i/200%250, i%200), "job", "api", "path", fmt.Sprintf("/path/%d", i), "zone", "eu-1"}
	}
	v1 := func(n int) []byte { // the n-th request
		req := prompb.WriteRequest{Timeseries: make([]prompb.TimeSeries, each)}
		ts := begin.Add(time.Duration(n/(series/each)) * time.Second).UnixMilli()
		for k := range each {
			i := n%(series/each)*each + k
			req.Timeseries[k] = prompb.TimeSeries{Labels: pairs(label(i)...), Samples: []prompb.Sample{{Timestamp: ts, Value: float64(n * i)}}}
		}
		m, err := req.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		return snappy.Encode(nil, m)
	}
	v2 := func(n int) []byte {
		req := writev2.Request{Timeseries: make([]writev2.TimeSeries, each)}
		ts := begin.Add(time.Duration(n/(series/each)) * time.Second).UnixMilli()
		symbols := writev2.NewSymbolTable()
		for k := range each {
			i := n%(series/each)*each + k
			var refs []uint32
			for _, s := range label(i) {
				refs = append(refs, symbols.Symbolize(s))
			}
			req.Timeseries[k] = writev2.TimeSeries{LabelsRefs: refs, Samples: []writev2.Sample{{Timestamp: ts, Value: float64(n * i)}}}
		}
		req.Symbols = symbols.Symbols()
		m, err := req.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		return snappy.Encode(nil, m)
	}
	ours := func(s *station) http.Handler {
		return remotewrite.NewHandler(remotewrite.Options{
			Door: ingest.NewGuard(s.db, ingest.GuardOptions{Limits: ingest.Limits{Series: 100_000, Labels: 40, LabelNameBytes: 256, LabelValueBytes: 4096}, Series: s.db.Head().NumSeries}), Memory: s.memory,
		})
	}
	theirs := func(s *station) http.Handler {
		both := remote.MessageTypes{remote.WriteV1MessageType, remote.WriteV2MessageType}
		return promremote.NewWriteHandler(promslog.NewNopLogger(), nil, s.db, both, false, false, false)
	}
	for _, c := range []struct {
		name    string
		kind    string
		request func(int) []byte
		handler func(*station) http.Handler
	}{
		{"1.0/ours", v1Type, v1, ours},
		{"1.0/prometheus", v1Type, v1, theirs},
		{"2.0/ours", v2Type, v2, ours},
		{"2.0/prometheus", v2Type, v2, theirs},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newStation(b)
			handler := c.handler(s)
			send := func(body []byte) {
				req := httptest.NewRequest(http.MethodPost, "/api/v1/write", bytes.NewReader(body))
				req.Header.Set("Content-Encoding", "snappy")
				req.Header.Set("Content-Type", c.kind)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, req)
				if w.Code != http.StatusNoContent {
					b.Fatalf("answer %d %.300q", w.Code, w.Body)
				}
			}
			n := 0
			for ; n < 2*series/each; n++ { // the series exist
				send(c.request(n))
			}
			var cpu time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				body := c.request(n)
				n++
				before := cpuTime(b)
				b.StartTimer()
				send(body)
				cpu += cpuTime(b) - before
			}
			b.ReportMetric(float64(b.N)*each/cpu.Seconds()/1e6, "Msamples/cpu-s")
		})
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
