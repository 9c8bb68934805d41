package otlp_test

import (
	"fmt"
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
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				body := request(n)
				b.StartTimer()
				send(body)
			}
			b.ReportMetric(float64(b.N)*resources*metrics*points/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
}
