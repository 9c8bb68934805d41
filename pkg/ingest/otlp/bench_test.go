package otlp_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/baseliner/baseliner/pkg/ingest/otlp"
)

// BenchmarkReceive measures requests of 10,000 number points with four attributes into a real store. Bare is what the libraries
// below take by themselves in the same run: decoding, translating, appending, without limits, reasons or an answer. In
// Newcomers each resource brings one series more in every request; Forgetful has no room to know anything by heart.
func BenchmarkReceive(b *testing.B) {
	for _, c := range []struct {
		name        string
		temporality pmetric.AggregationTemporality
		bare        bool
		remember    int
	}{{"Cumulative", cumulative, false, 0}, {"Newcomers", cumulative, false, 0}, {"Forgetful", cumulative, false, 1}, {"Bare", cumulative, true, 0}, {"Delta", delta, false, 0}} {
		temporality := c.temporality
		b.Run(c.name, func(b *testing.B) {
			const resources, metrics, points = 10, 20, 50
			s := newStation(b, func(o *otlp.Options) { o.Remember = c.remember })
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
							route := fmt.Sprintf("/path/%d", p)
							if c.name == "Newcomers" && m == 0 && p == 0 {
								route = fmt.Sprintf("/path/new/%d", n)
							}
							pt.Attributes().PutStr("http.route", route)
							pt.Attributes().PutStr("http.method", "GET")
							pt.Attributes().PutStr("http.status_code", "200")
							pt.Attributes().PutStr("zone", "eu-1")
						}
					}
				}
				return marshal(b, md)
			}
			n := 0
			bare := func(body []byte) {
				req := pmetricotlp.NewExportRequest()
				app := s.db.AppenderV2(b.Context())
				if err := req.UnmarshalProto(body); err != nil {
					b.Fatal(err)
				}
				if _, err := prometheusremotewrite.NewPrometheusConverter(app).FromMetrics(b.Context(), req.Metrics(), prometheusremotewrite.Settings{
					AddMetricSuffixes: true, PromoteScopeMetadata: true, LookbackDelta: 5 * time.Minute,
					PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(config.OTLPConfig{PromoteResourceAttributes: []string{"service.name"}}),
				}); err != nil {
					b.Fatal(err)
				}
				if err := app.Commit(); err != nil {
					b.Fatal(err)
				}
				n++
			}
			send := func(body []byte) {
				if c.bare {
					bare(body)
					return
				}
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
