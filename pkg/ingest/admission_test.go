package ingest_test

import (
	"bytes"
	"context"
	"errors"
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

// Near the ceiling of memory newcomers are refused first, then requests wait; what is known goes on.
func TestNearTheCeiling(t *testing.T) {
	used := int64(50)
	c := ingest.NewCeiling(100, nil, nil)
	ingest.SetUsed(c, func() int64 { return used })
	db, _, _ := open(t, time.Now)
	g := ingest.NewGuard(db, ingest.GuardOptions{Ceiling: c})
	m := ingest.NewMemory(1000, nil, nil)
	m.Under(c)
	write := func(name string, at time.Time) error {
		app := g.AppenderV2(t.Context())
		return errors.Join(appendAt(app, name, at, 1), app.Commit())
	}
	now := time.Now()
	if err := write("known", now); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int64][2]bool{79: {true, true}, 80: {false, true}, 89: {false, true}, 90: {false, false}, 200: {false, false}} {
		used = n
		ingest.Look(c)
		err := write(fmt.Sprint("new", n), now)
		if got := err == nil; got != want[0] || err != nil && ingest.ReasonOf(err) != ingest.MemoryLimit {
			t.Errorf("at %d %%: a new series: %v", n, err)
		}
		lease := m.Lease()
		if err := lease.Take(1); (err == nil) != want[1] {
			t.Errorf("at %d %%: a request: %v", n, err)
		}
		lease.Release()
		if err := write("known", now.Add(time.Duration(n)*time.Millisecond)); err != nil && n >= 79 {
			if _, ok := errors.AsType[*ingest.RefusedError](err); ok {
				t.Errorf("at %d %%: what is known: %v", n, err)
			}
		}
	}
}
