package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
)

// A label with a million values: as many series are let in as limits.series allows, memory stays where it is from then on, what was there
// before goes on, and the number of those that were refused is what BaselinerCardinalityLimited looks at.
func TestAMillionLabelValues(t *testing.T) {
	if testing.Short() {
		t.Skip("sends a million series")
	}
	const known, limit, values, perRequest = 3, 15_000, 1_000_000, 2_000
	dir := t.TempDir()
	r := runInstanceOf(t, write(t, dir, "c.yml", fmt.Sprintf(`
global: {scrape_interval: 2s, evaluation_interval: 2s, evaluation_delay: 1s}
ingest: {remote_write: {enabled: true}}
limits: {series: %d}
`, limit)), dir+"/data")
	send := func(body []byte) (code int, text string) {
		t.Helper()
		resp, err := http.Post(r.url+"/api/v1/write", "application/x-protobuf", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	goOn := func(v float64) {
		t.Helper()
		for n := range known {
			if code, text := send(batch(n, time.Now().UnixMilli(), v)); code != http.StatusNoContent {
				t.Fatalf("what is known: answer %d %q", code, text)
			}
		}
	}
	goOn(1)
	refusals := 0
	var full int64 // what is held once no more are let in
	for from := 0; from < values; from += perRequest {
		req := prompb.WriteRequest{}
		for i := range perRequest {
			req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
				Labels:  []prompb.Label{{Name: "__name__", Value: "logins_total"}, {Name: "job", Value: "shop"}, {Name: "user", Value: fmt.Sprintf("user-%08d", from+i)}},
				Samples: []prompb.Sample{{Timestamp: time.Now().UnixMilli(), Value: 1}},
			})
		}
		b, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		switch code, text := send(snappy.Encode(nil, b)); {
		case code == http.StatusBadRequest && strings.Contains(text, "limits.series"):
			if refusals++; refusals == 50 {
				full = anonymous(t, r.cmd.Process.Pid)
			}
		case code != http.StatusNoContent:
			t.Fatalf("answer %d %q", code, text)
		}
	}
	if held := anonymous(t, r.cmd.Process.Pid); held > full+full/2 || held > 150<<20 {
		t.Errorf("%d MiB are held, %d were when the limit was reached", held>>20, full>>20)
	}
	refused, _ := r.metric(`baseliner_ingest_rejected_samples_total{reason="series_limit"}`)
	head, _ := r.metric(`prometheus_tsdb_head_series{store="live"}`)
	if head > limit+100 || head < limit-100 || refused+limit < values || refused > values { // results of signals are let in
		t.Errorf("%.0f series are in memory, %.0f samples were refused", head, refused)
	}
	goOn(2)
	if a := r.query("sum(load)"); len(a.Result) != 1 || a.Result[0].Value.value != 2*known*batchSeries {
		t.Errorf("what is known comes to %v", a.Result)
	}
	if n := strings.Count(r.stderr.String(), "samples are refused"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
}
