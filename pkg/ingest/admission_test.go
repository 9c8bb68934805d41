package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// At the limit what is known goes on and what is new is refused, by everybody, told once.
func TestLimits(t *testing.T) {
	db, _, _ := open(t, time.Now)
	var log bytes.Buffer
	clock := now
	reg := prometheus.NewRegistry()
	guard := ingest.NewGuard(db, ingest.GuardOptions{
		Now: func() time.Time { return clock }, Registerer: reg, Series: db.Head().NumSeries,
		Limits: ingest.Limits{Series: 3, Labels: 4, LabelNameBytes: 10, LabelValueBytes: 20},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	round := func(names ...string) (refused []ingest.Reason) {
		t.Helper()
		app := guard.AppenderV2(context.Background())
		for _, name := range names {
			ls := labels.FromStrings("__name__", name)
			if strings.Contains(name, " ") {
				ls = labels.FromStrings(strings.Split(name, " ")...)
			}
			_, err := app.Append(0, ls, 0, clock.UnixMilli(), 1, nil, nil, storage.AppendV2Options{})
			refused = append(refused, ingest.ReasonOf(err))
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		return refused
	}
	want := func(got []ingest.Reason, want ...ingest.Reason) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("refused %v, want %v", got, want)
		}
	}
	want(round(
		"__name__ a a "+strings.Repeat("x", 20), "__name__ a a "+strings.Repeat("x", 21), "__name__ a bcdefghijkl x", "__name__ a b c d e f g h i",
	), "", ingest.LabelTooLong, ingest.LabelTooLong, ingest.LabelLimit)
	want(round("b", "c", "d", "b", "e"), "", "", ingest.SeriesLimit, "", ingest.SeriesLimit)
	clock = clock.Add(time.Minute)
	want(round("d", "b", "c"), ingest.SeriesLimit, "", "")
	wantCounters(t, reg, 6, map[ingest.Reason]int{ingest.SeriesLimit: 3, ingest.LabelTooLong: 2, ingest.LabelLimit: 1})

	if n := strings.Count(log.String(), "reason=series_limit"); n != 1 || !strings.Contains(log.String(), "raise limits.series") {
		t.Errorf("told %d times, want once: %s", n, log.String())
	}
	clock = clock.Add(25 * time.Hour)
	round("d")
	if n := strings.Count(log.String(), "reason=series_limit"); n != 2 {
		t.Errorf("told %d times after a day, want twice", n)
	}
	if strings.Count(log.String(), "reason=label_too_long") != 1 || strings.Count(log.String(), "reason=label_limit") != 1 {
		t.Errorf("the log says %s", log.String())
	}
}
