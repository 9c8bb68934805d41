package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBackfillFromRawSamples evaluates the signals in a file of raw samples, as `promtool tsdb dump` and OpenMetrics
// exports hold them.
func TestBackfillFromRawSamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "past.om")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	end := time.Now().Truncate(time.Minute).Add(-time.Minute)
	begin := end.Add(-4 * 24 * time.Hour)
	fmt.Fprintln(w, "# TYPE requests counter")
	for _, route := range []string{"/a", "/b"} { // series by series, each from the beginning
		total := 0.0
		for at := begin; at.Before(end); at = at.Add(15 * time.Second) {
			total += 15 * usual(at)
			fmt.Fprintf(w, "requests_total{job=\"shop\",route=\"%s\"} %g %d\n", route, total, at.Unix())
		}
	}
	fmt.Fprintln(w, "# EOF")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := write(t, dir, "c.yml", `
global: {scrape_interval: 15s}
signals:
  - {name: requests, layer: application, expr: 'sum by (route) (rate(requests_total[5m]))'}
  - {name: all, layer: application, expr: 'sum(rate(requests_total[5m]))'}
`)
	storage := filepath.Join(dir, "data")
	said := must(t, "backfill", "--from="+file, "--config.file="+cfg, "--storage.path="+storage)
	if !strings.Contains(said, "3 series") || !strings.Contains(said, "(4.0 days)") {
		t.Errorf("said %q", said)
	}
	if _, err := os.Stat(filepath.Join(storage, "backfill.tmp")); !os.IsNotExist(err) {
		t.Errorf("the scratch database was left behind: %v", err)
	}
	in := runInstanceOf(t, cfg, storage)
	for _, s := range in.signals()["requests"].Series {
		b := float64(s.Expected)
		if want := usual(time.Now()); b < want*0.7 || b > want*1.3 {
			t.Errorf("%v expects %v now, the past says about %v", s.Labels, b, want)
		}
	}
	for _, bad := range []struct{ text, want string }{
		{"requests_total 1\n# EOF\n", "timestamp"},
		{"nonsense{\n# EOF\n", "bad.om:1"},
		{"requests_total 1 99999999999\n# EOF\n", "future"},
	} {
		status, _, stderr := command(t, "backfill", "--from="+write(t, dir, "bad.om", bad.text), "--config.file="+cfg, "--storage.path="+filepath.Join(dir, "other"))
		if status != 1 || !strings.Contains(stderr, bad.want) {
			t.Errorf("%q: status %d, %q", bad.text, status, stderr)
		}
	}
}
