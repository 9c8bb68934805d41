package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	otelmetric "go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// OTel's own SDK exports to us, over gRPC and over HTTP, sums and increments, through a restart of ours.
func TestRealOpenTelemetrySDK(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	overGRPC, overHTTP := freeAddress(t), freeAddress(t)
	configured := write(t, dir, "baseliner.yml", fmt.Sprintf(
		"global: {scrape_interval: 1s}\ningest: {otlp: {grpc: {endpoint: '%s'}, http: {endpoint: '%s'}}}\n", overGRPC, overHTTP))
	start := func() *running { return runInstanceOf(t, configured, dir+"/data") }
	r := start()

	ctx := context.Background()
	deltas := func(metric.InstrumentKind) metricdata.Temporality { return metricdata.DeltaTemporality }
	g, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(overGRPC), otlpmetricgrpc.WithInsecure(), otlpmetricgrpc.WithCompressor("gzip"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(overHTTP), otlpmetrichttp.WithInsecure(),
		otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression), otlpmetrichttp.WithTemporalitySelector(deltas))
	if err != nil {
		t.Fatal(err)
	}
	var errs []error
	type sender struct {
		provider *metric.MeterProvider
		orders   otelmetric.Int64Counter
		latency  otelmetric.Float64Histogram
		fine     otelmetric.Float64Histogram
	}
	newSender := func(name string, exporter metric.Exporter) *sender {
		s := &sender{provider: metric.NewMeterProvider(
			metric.WithResource(resource.NewSchemaless(attribute.String("service.name", name), attribute.String("os.type", "linux"))),
			metric.WithReader(metric.NewPeriodicReader(exporter, metric.WithInterval(time.Hour), metric.WithTimeout(20*time.Second))),
			metric.WithView(metric.NewView(metric.Instrument{Name: "fine"}, metric.Stream{Aggregation: metric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})),
		)}
		m := s.provider.Meter("shop", otelmetric.WithInstrumentationVersion("1.2"))
		var e1, e2, e3, e4 error
		s.orders, e1 = m.Int64Counter("orders", otelmetric.WithUnit("{order}"))
		s.latency, e2 = m.Float64Histogram("latency", otelmetric.WithUnit("s"))
		s.fine, e3 = m.Float64Histogram("fine")
		_, e4 = m.Float64ObservableGauge("queue.length", otelmetric.WithFloat64Callback(func(_ context.Context, o otelmetric.Float64Observer) error {
			o.Observe(4)
			return nil
		}))
		errs = append(errs, e1, e2, e3, e4)
		return s
	}
	senders := []*sender{newSender("cumulative", g), newSender("increments", h)}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	round := func() {
		t.Helper()
		for _, s := range senders {
			s.orders.Add(ctx, 5, otelmetric.WithAttributes(attribute.String("http.route", "/buy")))
			s.latency.Record(ctx, 0.2)
			s.fine.Record(ctx, 0.2)
			if err := s.provider.ForceFlush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	round()
	time.Sleep(20 * time.Millisecond) // a later millisecond
	round()
	r.stop()
	r = start()
	round()
	for _, job := range []string{"cumulative", "increments"} {
		for expr, want := range map[string]float64{
			`orders_total{job="%s",http_route="/buy",otel_scope_name="shop",otel_scope_version="1.2",service_name="%[1]s"}`: 15,
			`increase(orders_total{job="%s"}[1m]) > bool 1`:                                                                 1,
			`latency_seconds_count{job="%s"}`:                                                                               3,
			`histogram_count(fine{job="%s"})`:                                                                               3,
			`queue_length{job="%s"}`:                                                                                        4,
			`target_info{job="%s",os_type="linux"}`:                                                                         1,
		} {
			expr = fmt.Sprintf(expr, job)
			a := r.query(expr)
			if len(a.Result) != 1 || a.Result[0].Value.value != want {
				t.Errorf("%s = %v, want %v", expr, a.Result, want)
			}
		}
	}
	for _, s := range senders {
		if err := s.provider.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}
	// The same receiver answers beside the pages.
	resp, err := http.Post(r.url+"/v1/metrics", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := r.read(resp); status != http.StatusOK {
		t.Errorf("answer %d %q", status, body)
	}
}
