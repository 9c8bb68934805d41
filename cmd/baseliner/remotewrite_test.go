package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// A real Prometheus scrapes itself and writes everything to us, through a restart of ours.
func TestRealPrometheusWrites(t *testing.T) {
	t.Parallel()
	prometheus := peer(t, "apt-get install prometheus", "prometheus")
	address := freeAddress(t)
	dir := t.TempDir()
	configured := write(t, dir, "baseliner.yml", "ingest: {remote_write: {enabled: true}}\nglobal: {scrape_interval: 1s}\n")
	ours := freeAddress(t)
	start := func() *running {
		return runInstanceOf(t, configured, dir+"/data", "--web.listen-address="+ours)
	}
	r := start()
	theirs := write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: self, static_configs: [{targets: ["%s"]}]}]
remote_write: [{url: "http://%s/api/v1/write"}]
`, address, ours))
	spawn(t, exec.Command(prometheus, "--config.file="+theirs, "--storage.tsdb.path="+dir+"/prometheus", "--web.listen-address="+address))

	arrived := func(after float64) (newest float64) {
		eventually(t, "samples of Prometheus arrive", 30*time.Second, func() error {
			a := r.query(`timestamp(prometheus_tsdb_head_samples_appended_total{job="self"})`)
			if len(a.Result) == 0 {
				return errors.New("none came")
			}
			if newest = a.Result[0].Value.value; newest < after {
				return fmt.Errorf("the newest is of %v, want %v", newest, after)
			}
			return nil
		})
		return newest
	}
	first := arrived(0)
	if a := r.query(`count({__name__=~".+", job="self"})`); len(a.Result) != 1 || a.Result[0].Value.value < 100 {
		t.Errorf("of all that Prometheus tells of itself we know %v", a.Result)
	}
	r.stop()
	time.Sleep(2 * time.Second) // of samples that nobody takes
	r = start()
	last := arrived(first + 8)
	// What was scraped while we were away has been sent again: nothing is missing.
	a := r.query(fmt.Sprintf(`count_over_time(up{job="self"}[%ds] @ %f)`, int(last-first), last))
	if len(a.Result) != 1 || a.Result[0].Value.value < last-first-1.5 {
		t.Errorf("over %v seconds: %v", last-first, a.Result)
	}
	if _, metrics := r.get("/metrics"); !strings.Contains(metrics, `baseliner_ingest_rejected_samples_total{reason="out_of_order"} 0`) {
		t.Error("samples were refused")
	}
}

func TestRemoteWriteIsOffUnlessAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := runInstanceOf(t, write(t, dir, "baseliner.yml", ""), dir+"/data")
	status, body := r.post("/api/v1/write")
	if status != http.StatusNotFound || !strings.Contains(body, "ingest.remote_write.enabled") {
		t.Errorf("answer %d %q", status, body)
	}
}

// The limits of the configuration hold for what is sent.
func TestLimitsInForce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := runInstanceOf(t, write(t, dir, "baseliner.yml", "ingest: {remote_write: {enabled: true}}\nlimits: {labels: 3, samples_per_scrape: 2, body_bytes: 64KiB}\n"), dir+"/data")
	send := func(samples int, labels ...prompb.Label) (int, string) {
		t.Helper()
		s := prompb.TimeSeries{Labels: append(labels, prompb.Label{Name: "__name__", Value: "sent"})}
		for i := range samples {
			s.Samples = append(s.Samples, prompb.Sample{Timestamp: time.Now().UnixMilli() + int64(i)})
		}
		b, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{s}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(r.url+"/api/v1/write", "application/x-protobuf", bytes.NewReader(snappy.Encode(nil, b)))
		if err != nil {
			t.Fatal(err)
		}
		return r.read(resp)
	}
	a, b, c := prompb.Label{Name: "a", Value: "1"}, prompb.Label{Name: "b", Value: "1"}, prompb.Label{Name: "c", Value: "1"}
	for _, want := range []struct {
		samples int
		labels  []prompb.Label
		code    int
		part    string
	}{
		{1, []prompb.Label{a, b}, http.StatusNoContent, ""},
		{1, []prompb.Label{a, b, c}, http.StatusBadRequest, "limits.labels"},
		{3, []prompb.Label{a}, http.StatusRequestEntityTooLarge, "limits.samples_per_scrape"},
		{1, []prompb.Label{{Name: "a", Value: strings.Repeat("x", 5000)}}, http.StatusBadRequest, "limits.label_value_bytes"},
		{1, []prompb.Label{{Name: "a", Value: strings.Repeat("x", 70_000)}}, http.StatusRequestEntityTooLarge, "limits.body_bytes"},
	} {
		if code, body := send(want.samples, want.labels...); code != want.code || !strings.Contains(body, want.part) {
			t.Errorf("answer %d %q, want %d and %q", code, body, want.code, want.part)
		}
	}
	if a := r.query("sent"); len(a.Result) != 1 {
		t.Errorf("the store holds %v", a.Result)
	}
	if log := r.stderr.String(); strings.Count(log, "reason=label_limit") != 1 || !strings.Contains(log, "raise limits.labels") {
		t.Errorf("the log does not say what to change: %s", log)
	}
}
