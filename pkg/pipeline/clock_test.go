package pipeline

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// world is an instance driven by a clock that the test owns: a wall clock that may be wrong, and monotonic time that
// never is. Samples come through the guard, stamped by the same wall clock, as scraping does.
type world struct {
	t      *testing.T
	h      *harness
	d      *Driver
	guard  *ingest.Guard
	reg    *prometheus.Registry
	mono   time.Time     // true time, carries the monotonic reading
	offset time.Duration // by how much the wall clock is wrong
}

func newWorld(t *testing.T, start time.Time) *world {
	h, err := openHarness(t.TempDir(), shopSignals(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.close(t) })
	w := &world{t: t, h: h, reg: prometheus.NewRegistry(), mono: start}
	w.guard = ingest.NewGuard(h.live, ingest.GuardOptions{Now: w.wall, Registerer: w.reg})
	w.d = NewDriver(h.in, time.Minute, 30*time.Second, w.wall, slog.New(slog.DiscardHandler))
	w.d.clock = func() (wall, mono int64) { return w.wall().UnixMilli(), w.mono.Sub(start).Milliseconds() }
	return w
}

func (w *world) wall() time.Time { return w.mono.Add(w.offset) }

// live lets d pass: a scrape every 15 s, and the driver whenever it wants.
func (w *world) live(d time.Duration) {
	w.t.Helper()
	for end := w.mono.Add(d); w.mono.Before(end); w.mono = w.mono.Add(time.Second) {
		if w.mono.Unix()%15 == 0 {
			w.scrape(w.wall().UnixMilli())
		}
		for w.d.turn(w.t.Context()) == 0 {
			continue
		}
	}
}

func (w *world) scrape(ts int64) {
	app := w.guard.AppenderV2(context.Background())
	for name, v := range shop(ts/60_000*60_000, 0) {
		ls := labels.FromStrings(model.MetricNameLabel, name, "instance", "0", "job", "shop")
		_, _ = app.Append(0, ls, 0, ts, v, nil, nil, storage.AppendV2Options{}) // refused samples are counted: that is what is tested
	}
	if err := app.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ticks() float64 { return testutil.ToFloat64(w.h.in.metrics.ticks) }

func (w *world) refused(reason string) float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "baseliner_ingest_rejected_samples_total" && l.GetValue() == reason {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func TestASampleFromNextYearIsRefusedAndBricksNothing(t *testing.T) {
	w := newWorld(t, time.UnixMilli(base))
	w.live(20 * time.Minute)
	before := w.ticks()
	w.scrape(w.wall().AddDate(1, 0, 0).UnixMilli())
	w.live(20 * time.Minute)
	if got := w.refused("too_far_in_future"); got == 0 {
		t.Error("the sample was not counted as refused")
	}
	if got := w.ticks() - before; got < 19 {
		t.Errorf("%v ticks in the 20 minutes after it", got)
	}
	if st := w.h.in.Status(); st[0].Series[0].Verdict.Missing != 0 {
		t.Errorf("latency is %v", st[0].Series[0].Verdict.Missing)
	}
}

func TestAStartIn1970(t *testing.T) {
	w := newWorld(t, time.UnixMilli(base))
	w.offset = time.UnixMilli(0).Sub(w.mono)
	w.live(20 * time.Minute)
	if w.ticks() != 0 || w.h.in.SeriesCount() != 0 {
		t.Errorf("%v ticks, %d series while the clock was not set", w.ticks(), w.h.in.SeriesCount())
	}
	if w.refused("too_far_in_past") == 0 {
		t.Error("samples of 1970 were not counted as refused")
	}
	if newest, ok := w.h.live.Newest(); ok {
		t.Errorf("the store holds data of %v", time.UnixMilli(newest))
	}
	w.offset = 0 // the clock is set
	w.live(30 * time.Minute)
	if w.ticks() < 20 || w.h.in.SeriesCount() == 0 {
		t.Errorf("after the clock was set: %v ticks, %d series", w.ticks(), w.h.in.SeriesCount())
	}
}

func TestAWallClockJump(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			w := newWorld(t, time.UnixMilli(base))
			w.live(6 * time.Hour)
			before, told, ticks := w.h.models(t), len(w.h.herald.entries(t)), w.ticks()
			w.offset = jump
			w.live(4 * time.Minute)
			w.offset = 0
			w.live(time.Minute)
			if w.h.models(t) != before {
				t.Error("something was learnt while the clock was wrong")
			}
			if n := len(w.h.herald.entries(t)); n != told {
				t.Errorf("%d transitions while the clock was wrong", n-told)
			}
			if jump > 0 && testutil.ToFloat64(w.h.in.metrics.missed.WithLabelValues("clock_jump")) < 59 {
				t.Error("the ticks that were given up were not counted")
			}
			w.live(max(jump, 0) + 40*time.Minute)
			if got := w.ticks() - ticks; got < 30 {
				t.Errorf("only %v ticks since", got)
			}
			observed := 0
			for _, s := range w.h.in.Status() {
				for _, sr := range s.Series {
					if sr.Verdict.Missing == 0 {
						observed++
					}
				}
			}
			if observed == 0 {
				t.Error("nothing is observed any more")
			}
		})
	}
}
