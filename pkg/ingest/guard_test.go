package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/baseliner/baseliner/pkg/ingest"
)

var now = time.Date(2026, 11, 24, 14, 0, 0, 0, time.UTC)

// open returns a real database behind a guard whose clock the test holds.
func open(t *testing.T, clock func() time.Time) (*tsdb.DB, *ingest.Guard, *prometheus.Registry) {
	t.Helper()
	o := tsdb.DefaultOptions()
	o.OutOfOrderTimeWindow = time.Hour.Milliseconds()
	db, err := tsdb.Open(t.TempDir(), promslog.NewNopLogger(), nil, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	reg := prometheus.NewRegistry()
	return db, ingest.NewGuard(db, ingest.GuardOptions{Now: clock, Registerer: reg}), reg
}

func appendAt(app storage.AppenderV2, name string, at time.Time, v float64) error {
	_, err := app.Append(0, labels.FromStrings("__name__", name), 0, at.UnixMilli(), v, nil, nil, storage.AppendV2Options{})
	return err
}

func wantCounters(t *testing.T, reg *prometheus.Registry, accepted int, rejected map[ingest.Reason]int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# HELP baseliner_ingest_rejected_samples_total Samples refused by the live store or the guard in front of it, by reason.\n# TYPE baseliner_ingest_rejected_samples_total counter\n")
	for _, r := range []ingest.Reason{
		ingest.BadLabels, ingest.Duplicate, ingest.Invalid, ingest.LabelLimit, ingest.LabelTooLong, ingest.MemoryLimit, ingest.NotNewer, ingest.OutOfBounds, ingest.OutOfOrder, ingest.SeriesLimit,
		ingest.TooFarInFuture, ingest.TooFarInPast, ingest.TooOld,
	} {
		fmt.Fprintf(&b, "baseliner_ingest_rejected_samples_total{reason=%q} %d\n", r, rejected[r])
	}
	b.WriteString("# HELP baseliner_ingest_samples_total Samples written to the live store.\n# TYPE baseliner_ingest_samples_total counter\n")
	fmt.Fprintf(&b, "baseliner_ingest_samples_total %d\n", accepted)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(b.String())); err != nil {
		t.Error(err)
	}
}

func TestGuardRefusesOnlyTheBadSample(t *testing.T) {
	db, guard, reg := open(t, func() time.Time { return now })
	app := guard.AppenderV2(context.Background())
	check := func(name string, at time.Time, v float64, want error) {
		t.Helper()
		if err := appendAt(app, name, at, v); !errors.Is(err, want) {
			t.Errorf("%s at %v: %v, want %v", name, at, err, want)
		}
	}
	check("year", now.AddDate(1, 0, 0), 1, storage.ErrOutOfBounds) // the first sample of an empty store
	check("epoch", time.Unix(0, 0), 1, storage.ErrOutOfBounds)
	check("a", now, 1, nil)
	check("b", now.Add(10*time.Minute), 1, nil) // the allowance is inclusive
	check("c", now.Add(10*time.Minute+time.Millisecond), 1, storage.ErrOutOfBounds)
	check("late", now.Add(-30*time.Minute), 1, nil) // inside the out-of-order window
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}

	app = guard.AppenderV2(context.Background())
	check("a", now, 2, storage.ErrDuplicateSampleForTimestamp)
	check("a", now.Add(-4*time.Hour), 1, storage.ErrOutOfBounds) // too old out of order: told as what scraping knows
	check("a", now.Add(time.Minute), 1, nil)
	if _, err := app.Append(0, labels.EmptyLabels(), 0, now.UnixMilli(), 1, nil, nil, storage.AppendV2Options{}); err == nil {
		t.Error("a sample without labels was accepted")
	}
	if _, err := app.Append(0, labels.FromStrings("__name__", "h"), 0, now.UnixMilli(), 0, &histogram.Histogram{Count: 1}, nil, storage.AppendV2Options{}); err == nil {
		t.Error("a histogram that does not add up was accepted")
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}

	wantCounters(t, reg, 4, map[ingest.Reason]int{
		ingest.TooFarInFuture: 2, ingest.TooFarInPast: 1, ingest.Duplicate: 1, ingest.TooOld: 1, ingest.Invalid: 2,
	})
	if got, want := db.Head().MaxTime(), now.Add(10*time.Minute).UnixMilli(); got != want {
		t.Errorf("newest sample at %d, want %d", got, want)
	}
}

func TestGuardCountsOnlyWhatWasCommitted(t *testing.T) {
	_, guard, reg := open(t, func() time.Time { return now })
	app := guard.AppenderV2(context.Background())
	if err := appendAt(app, "a", now, 1); err != nil {
		t.Fatal(err)
	}
	if err := app.Rollback(); err != nil {
		t.Fatal(err)
	}
	wantCounters(t, reg, 0, nil)
}

// A machine that boots in 1970 writes nothing, and works once its clock is set.
func TestGuardSurvivesAnUnsetClock(t *testing.T) {
	clock := time.Unix(60, 0)
	db, guard, reg := open(t, func() time.Time { return clock })
	app := guard.AppenderV2(context.Background())
	if err := appendAt(app, "up", clock, 1); !errors.Is(err, storage.ErrOutOfBounds) {
		t.Fatalf("sample of 1970: %v, want out of bounds", err)
	}
	if err := appendAt(app, "up", now, 1); !errors.Is(err, storage.ErrOutOfBounds) {
		t.Fatalf("sample of 2026 in 1970: %v, want out of bounds", err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	clock = now
	app = guard.AppenderV2(context.Background())
	if err := appendAt(app, "up", now, 1); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := db.Head().MinTime(); got != now.UnixMilli() {
		t.Errorf("the store begins at %d, want %d", got, now.UnixMilli())
	}
	wantCounters(t, reg, 1, map[ingest.Reason]int{ingest.TooFarInPast: 1, ingest.TooFarInFuture: 1})
}

func TestReasonOf(t *testing.T) {
	check := func(err error, want ingest.Reason) {
		t.Helper()
		if got := ingest.ReasonOf(err); got != want {
			t.Errorf("ReasonOf(%v) = %q, want %q", err, got, want)
		}
	}
	check(nil, "")
	check(&storage.AppendPartialError{ExemplarErrors: []error{storage.ErrOutOfOrderExemplar}}, "") // the sample was written
	check(fmt.Errorf("wrapped: %w", storage.ErrOutOfOrderSample), ingest.OutOfOrder)
	check(storage.NewDuplicateFloatErr(1, 2, 3), ingest.Duplicate)
	check(storage.ErrOutOfBounds, ingest.OutOfBounds)
	check(storage.ErrTooOldSample, ingest.TooOld)
	check(tsdb.ErrInvalidSample, ingest.Invalid)
}

type nopAppendable struct{}

type nopAppender struct{ storage.AppenderV2 }

func (nopAppendable) AppenderV2(context.Context) storage.AppenderV2 { return nopAppender{} }

func (nopAppender) Append(ref storage.SeriesRef, _ labels.Labels, _, _ int64, _ float64, _ *histogram.Histogram, _ *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	return ref, nil
}

func BenchmarkGuard(b *testing.B) {
	guard := ingest.NewGuard(nopAppendable{}, ingest.GuardOptions{Now: func() time.Time { return now }})
	app := guard.AppenderV2(context.Background())
	ls := labels.FromStrings("__name__", "a")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := app.Append(1, ls, 0, now.UnixMilli(), 1, nil, nil, storage.AppendV2Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
