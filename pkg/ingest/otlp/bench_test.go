package otlp_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
)

// BenchmarkReceive measures requests of 10,000 number points with four attributes into a real store.
func BenchmarkReceive(b *testing.B) {
	for _, temporality := range []pmetric.AggregationTemporality{cumulative, delta} {
		b.Run(temporality.String(), func(b *testing.B) {
			const resources, metrics, points = 10, 20, 50
			s := newStation(b)
			request := func(n int) []byte {
				md := pmetric.NewMetrics()
				for r := range resources {
					rm := md.ResourceMetrics().AppendEmpty()
					rm.Resource().Attributes().PutStr("service.name", fmt.Sprintf("service-%d", r))
					ms := rm.ScopeMetrics().AppendEmpty().Metrics()
					for m := range metrics {
						metric := ms.AppendEmpty()
						metric.SetName(fmt.Sprintf("requests.%d", m))
						metric.SetEmptySum().SetIsMonotonic(true)
						metric.Sum().SetAggregationTemporality(temporality)
						for p := range points {
							pt := metric.Sum().DataPoints().AppendEmpty()
							pt.SetTimestamp(stamp(-time.Hour + time.Duration(n)*time.Second))
							pt.SetDoubleValue(float64(n * p))
							pt.Attributes().PutStr("http.route", fmt.Sprintf("/path/%d", p))
							pt.Attributes().PutStr("http.method", "GET")
							pt.Attributes().PutStr("http.status_code", "200")
							pt.Attributes().PutStr("zone", "eu-1")
						}
					}
				}
				return marshal(b, md)
			}
			n := 0
			send := func(body []byte) {
				if w := s.post(protobuf, body); w.Code != 200 {
					b.Fatalf("answer %d %.300q", w.Code, w.Body)
				}
				n++
			}
			send(request(n))
			var cpu time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				body := request(n)
				before := cpuTime(b)
				b.StartTimer()
				send(body)
				cpu += cpuTime(b) - before
			}
			b.ReportMetric(float64(b.N)*resources*metrics*points/cpu.Seconds()/1e6, "Mpoints/cpu-s")
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
