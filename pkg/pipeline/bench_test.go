package pipeline

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/detect"
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
// transaction, when all is well; and once every one of the 10,000 is three times what it should be: all are told, make one story and
// are ranked as its causes. Run it with -cpu 1 for the figure of one core.
func BenchmarkTick(b *testing.B) {
	b.Run("Quiet", func(b *testing.B) { benchTicks(b, 1) })
	b.Run("Incident", func(b *testing.B) { benchTicks(b, 3) })
}

// benchTicks measures ticks after forty quiet ones, at so many times what is usual.
func benchTicks(b *testing.B, times float64) {
	const signals, routes, settled = 1000, 10, 40
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
	total := make([]float64, len(ls))
	feed := func(from, to int64, times float64) { // every 15 s
		for t := from; t < to; t += 15_000 {
			app := h.live.Appender(context.Background())
			for i, l := range ls {
				total[i] += 15 * times * usualRate(t, i)
				if _, err := app.Append(0, l, t, total[i]); err != nil {
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
	feed(now, now+10*60_000, 1)
	now += 10 * 60_000
	if err := h.in.Tick(context.Background(), now-60_000); err != nil {
		b.Fatal(err)
	}
	known(b, h.in.core, now-60_000)
	tick := func() {
		now += 60_000
		if err := h.in.Tick(context.Background(), now); err != nil {
			b.Fatal(err)
		}
	}
	for range settled {
		feed(now, now+60_000, 1)
		tick()
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		feed(now, now+60_000, times)
		b.StartTimer()
		tick()
	}
	b.StopTimer()
	firing := 0
	for _, s := range h.in.core.signals {
		for _, sr := range s.series {
			if sr.anomaly.Phase == detect.Firing {
				firing++
			}
		}
	}
	b.ReportMetric(float64(firing), "firing")
	if n := h.in.SeriesCount(); n != signals*routes {
		b.Fatalf("%d series", n)
	}
}

// usualRate is what models of known expect, a second, with noise.
func usualRate(t int64, i int) float64 {
	return 5 + math.Sin(float64(t)/float64(dayMillis)) + float64(noise(t/15_000, i, 1)%100)/100
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
		p := series.Point{T: t, Value: (usualRate(t, 1) + usualRate(t-15_000, 1) + usualRate(t-30_000, 1) + usualRate(t-45_000, 1)) / 4}
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
