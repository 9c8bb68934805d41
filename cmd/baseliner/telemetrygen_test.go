package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// OTel's load generator, as tools/telemetrygen pins it, sends every kind of metric over both transports, and its points
// arrive.
func TestOpenTelemetryLoadGenerator(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	generator := filepath.Join(dir, "telemetrygen")
	build := exec.Command("go", "build", "-modfile=../../tools/telemetrygen/go.mod", "-o", generator, "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build telemetrygen: %v\n%s", err, out)
	}
	overGRPC, overHTTP := freeAddress(t), freeAddress(t)
	r := runInstanceOf(t, write(t, dir, "c.yml", fmt.Sprintf("ingest: {otlp: {grpc: {endpoint: '%s'}, http: {endpoint: '%s'}}}\n", overGRPC, overHTTP)), dir+"/data")
	refused := func(reason string) float64 {
		n, _ := r.metric(`baseliner_ingest_rejected_samples_total{reason="` + reason + `"}`)
		return n
	}
	const points = 30
	for i, kind := range []string{"Gauge", "Sum", "Histogram", "ExponentialHistogram"} {
		for _, temporality := range []string{"cumulative", "delta"} {
			before := refused("duplicate") + refused("not_newer")
			name := strings.ToLower(kind) + "_" + temporality
			args := []string{
				"metrics", "--otlp-insecure", "--allow-export-failures", "--metric-type=" + kind, "--aggregation-temporality=" + temporality, "--otlp-metric-name=" + name,
				"--service=" + name, fmt.Sprint("--metrics=", points), "--rate=20", "--otlp-endpoint=" + overGRPC,
			}
			if i%2 == 0 {
				args = append(args[:len(args)-1], "--otlp-endpoint="+overHTTP, "--otlp-http")
			}
			if out, err := exec.Command(generator, args...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			shown := map[string]string{"Gauge": "%s", "Sum": "%s_total", "Histogram": "%s_count", "ExponentialHistogram": "%s"}[kind]
			query := fmt.Sprintf(`sum(count_over_time(`+shown+`{job="%[1]s"}[5m]))`, name)
			// The generator stamps milliseconds, in bursts: of two points in the same one the first counts.
			twice := refused("duplicate") + refused("not_newer") - before
			eventually(t, query, 10*time.Second, func() error {
				if a := r.query(query); len(a.Result) != 1 || a.Result[0].Value.value < points-twice-2 {
					return fmt.Errorf("%v, %v were refused", a.Result, twice)
				}
				return nil
			})
		}
	}
	for _, reason := range []string{"bad_labels", "invalid", "label_limit", "out_of_bounds", "out_of_order", "too_old", "too_far_in_future"} {
		if n := refused(reason); n != 0 {
			t.Errorf("%v points were refused as %s", n, reason)
		}
	}
}
