package pipeline

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// wideSignals is n signals over one counter each with ten routes: rates, as users write them.
func wideSignals(n int) []signal.Definition {
	defs := make([]signal.Definition, n)
	for i := range defs {
		name := fmt.Sprintf("signal_%d", i)
		defs[i] = signal.Definition{
			Name: name, Alert: name, Severity: "warning", Layer: series.Application, Zone: "Europe/Berlin", Kind: "auto", Interval: time.Minute,
			Expr: fmt.Sprintf(`sum by (route) (rate(requests_total{shard="%d"}[5m]))`, i),
		}
	}
	return defs
}

// BenchmarkTick is one tick of 1,000 signals with 10 series each, from PromQL over 10,000 raw series to the committed
// transaction. Run it with -cpu 1 for the figure of one core.
func BenchmarkTick(b *testing.B) {
	const signals, routes = 1000, 10
	h, err := openHarness(b.TempDir(), wideSignals(signals), time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	defer h.close(b)
	ls := make([]labels.Labels, 0, signals*routes)
	for i := range signals {
		for r := range routes {
			ls = append(ls, labels.FromStrings(model.MetricNameLabel, "requests_total", "job", "shop", "route", fmt.Sprintf("/r%d", r), "shard", fmt.Sprint(i)))
		}
	}
	feed := func(from, to int64) { // every 15 s
		for t := from; t < to; t += 15_000 {
			app := h.live.Appender(context.Background())
			for i, l := range ls {
				if _, err := app.Append(0, l, t, float64(t/1000*int64(i%7+1))+float64(t%977)); err != nil {
					b.Fatal(err)
				}
			}
			if err := app.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
	h.in.o.Intervals.Default = 15 * time.Second
	now := base
	feed(now, now+10*60_000)
	now += 10 * 60_000
	if err := h.in.Tick(context.Background(), now-60_000); err != nil {
		b.Fatal(err)
	}
	known(b, h.in.core, now-60_000)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		feed(now, now+60_000)
		now += 60_000
		b.StartTimer()
		if err := h.in.Tick(context.Background(), now); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if n := h.in.SeriesCount(); n != signals*routes {
		b.Fatalf("%d series", n)
	}
}

// known gives every series of the core a model that has seen four days.
func known(b *testing.B, core *Core, until int64) {
	b.Helper()
	scratch, err := NewCore(wideSignals(1))
	if err != nil {
		b.Fatal(err)
	}
	s := scratch.signals[0]
	for t := until - 4*dayMillis; t <= until; t += 60_000 {
		p := series.Point{T: t, Value: 5 + math.Sin(float64(t)/float64(dayMillis)) + float64(noise(t, 1, 1)%100)/100}
		scratch.Step(t, []Input{{Signal: s, Observations: []Observation{{Point: p}}}})
	}
	if !s.series[0].verdict.Known {
		b.Fatal("four days are not enough")
	}
	for _, to := range core.signals {
		for _, sr := range to.series {
			sr.model.Adopt(s.series[0].model)
		}
	}
}

// BenchmarkStep is one point of one series through the core: judging, learning, deciding.
func BenchmarkStep(b *testing.B) {
	core, err := NewCore(wideSignals(1))
	if err != nil {
		b.Fatal(err)
	}
	s := core.signals[0]
	in := []Input{{Signal: s, Observations: make([]Observation, 1)}}
	b.ReportAllocs()
	t := base
	for b.Loop() {
		t += 60_000
		in[0].Observations[0].Point = series.Point{T: t, Value: 5 + float64(noise(t, 1, 1)%100)/100}
		core.Step(t, in)
	}
}
