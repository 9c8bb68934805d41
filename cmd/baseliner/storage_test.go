package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const plainConfig = `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, evaluation_delay: 1s}
signals:
  - {name: sessions, layer: business, expr: sum(shop_sessions)}
`

// TestSecondInstance starts a second one on the same storage: two writers would ruin it.
func TestSecondInstance(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg, storage := write(t, dir, "baseliner.yml", plainConfig), filepath.Join(dir, "data")
	history := pastOf(t, 1, time.Hour, "sessions")
	first := runInstanceOf(t, cfg, storage)
	refused := func(want string, args ...string) {
		t.Helper()
		status, stdout, stderr := command(t, append(args, "--config.file="+cfg, "--storage.path="+storage)...)
		if status != 1 || !strings.Contains(stderr, "baseliner: ") || !strings.Contains(stderr, storage) || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, want 1 and a word of %q\n%s%s", args[0], status, want, stdout, stderr)
		}
	}
	refused("another baseliner runs on "+storage, "run", "--web.listen-address=127.0.0.1:0")
	refused("name it with --url", "backfill", "--from="+history)
	status, body := first.get("/-/healthy")
	wantStatus(t, "the first one", status, http.StatusOK, body)
	first.stop()
	must(t, "backfill", "--from="+history, "--config.file="+cfg, "--storage.path="+storage)
}

// TestClockBehindData starts an instance whose clock is behind what it has recorded.
func TestClockBehindData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg, storage := write(t, dir, "baseliner.yml", plainConfig), filepath.Join(dir, "data")
	db, err := tsdb.Open(tsdb.Options{Dir: filepath.Join(storage, "live"), Name: "live", Retention: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(2 * time.Hour)
	app := db.Appender(t.Context())
	if _, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, "shop_sessions"), future.UnixMilli(), 1000); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	status, _, stderr := command(t, "run", "--config.file="+cfg, "--storage.path="+storage, "--web.listen-address=127.0.0.1:0")
	for _, want := range []string{"the clock says", future.UTC().Format(time.RFC3339), "--storage.allow-clock-behind"} {
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("exit %d, want 1 and a word of %q:\n%s", status, want, stderr)
		}
	}
	in := runInstanceOf(t, cfg, storage, "--storage.allow-clock-behind")
	code, body := in.get("/-/healthy")
	wantStatus(t, "with the flag", code, http.StatusOK, body)
	in.stop()
}
