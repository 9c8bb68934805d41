package pipeline

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

func ordersSignal(interval time.Duration) signal.Definition {
	d := loadSignal()
	d.Name, d.Alert, d.Expr, d.Zone, d.Interval = "orders", "Orders", `sum(increase(orders_total[1d]))`, "Europe/Berlin", interval
	return d
}

// dailyOrders is what a shop sells on a local day: half of it on Sundays, with 4 % noise.
func dailyOrders(day int64) float64 {
	n := 1000.0
	switch (day + int64(time.Thursday)) % 7 {
	case 0:
		n = 500
	case 6:
		n = 800
	}
	return n * (0.96 + 0.08*float64(noise(day, 7, 7)%1000)/1000)
}

// A day is judged as that day of the week, in the zone of the signal and through changes of the clock; the first Sunday is
// none to worry about, and a Monday that sells what a Sunday does is.
func TestDaysAreJudgedByTheWeek(t *testing.T) {
	c, err := NewCore([]signal.Definition{ordersSignal(signal.Day)})
	if err != nil {
		t.Fatal(err)
	}
	s := c.signals[0]
	first := s.day(time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC).UnixMilli()) // a Monday
	var told []string
	closed := 0
	for day := first; day < first+150; day++ {
		v := dailyOrders(day)
		if day == first+140 { // a Monday
			v *= 0.5
		}
		at := s.startOf(day + 1)
		if !due(s, at) || due(s, at+900_000) || due(s, at-900_000) || s.nextDue(at-5*hourMillis) != at || s.nextDue(at) != at {
			t.Fatalf("the end of %s is not due alone", s.describe(at))
		}
		out := c.Step(at, []Input{{Signal: s, Observations: []Observation{{nil, series.Point{T: at, Value: v}}}}})
		for _, e := range out.Events {
			w := Describe(&e, at, nil, nil)
			told = append(told, fmt.Sprintf("%v %s", e.Event.Kind, w.Annotations["summary"]))
		}
		for _, cl := range out.Closed {
			closed++
			if from, to := s.spanOf(cl.Summary.Hour); s.day(from) != day-1 || to != s.startOf(day) || cl.Summary.At() < from || cl.Summary.At() > to {
				t.Errorf("the summary of %s is kept under hour %d", s.describe(s.startOf(day)), cl.Summary.Hour)
			}
			if h := cl.Summary.Hour; s.realHour(s.modelHour(h)) != h {
				t.Errorf("hour %d is not found again", h)
			}
		}
		j := &out.Judged[0]
		if known := day-first >= 50; j.Verdict.Known != known {
			t.Fatalf("%s: known %t after %d days", s.describe(at), !known, day-first)
		} else if why := knowledge(s, j.Verdict); day-first < 48 && why != fmt.Sprintf("learning: %d of 48 days of history seen", day-first) {
			t.Errorf("knowledge %q", why)
		}
	}
	if closed != 149 {
		t.Errorf("%d days are kept", closed)
	}
	if len(told) != 2 || !strings.Contains(told[0], "orders 49") && !strings.Contains(told[0], "orders 5") || !strings.Contains(told[0], "Mon 2026-05-25") {
		t.Errorf("told %q", told)
	}
}

// The same live: evaluated at local midnight and at no other time, the same by range queries over the past, recovered, and
// silent only when two days are missing.
func TestDailySignalsLive(t *testing.T) {
	p := newPlant(t, ordersSignal(signal.Day))
	s := p.in.core.signals[0]
	zone := s.Zone
	start := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	total, silentFrom := 0.0, int64(math.MaxInt64)
	run := func(from, to int64) {
		t.Helper()
		for at := from; at <= to; at += hourMillis {
			if at < silentFrom {
				total += dailyOrders(localDay(zone, at-1)) / 24
				app := p.live.Appender(context.Background())
				if _, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, "orders_total", "job", "shop"), at, total); err != nil {
					t.Fatal(err)
				}
				if err := app.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			if !due(s, at) && at%(6*hourMillis) != 0 {
				continue
			}
			if err := p.in.Tick(t.Context(), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := start + 66*dayMillis // over the end of summer time
	run(start, end)
	p.hears()
	observed := map[int64]float64{}
	read := func() {
		err := p.live.Each(t.Context(), metricValue, end-3*dayMillis, end, func(_ labels.Labels, samples []tsdb.Sample) error {
			for _, v := range samples {
				observed[v.T] = v.V
				if zone.Local(v.T).Hour() != 0 {
					t.Errorf("evaluated at %s", zone.Local(v.T))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read(); len(observed) != 3 {
		t.Fatalf("observed %v", observed)
	}
	again := map[int64]float64{}
	e := &Evaluator{Engine: promql.New(promql.Options{}), Store: p.live, Intervals: p.in.eval.Intervals}
	core, err := NewCore([]signal.Definition{ordersSignal(signal.Day)})
	if err != nil {
		t.Fatal(err)
	}
	err = e.EachTick(t.Context(), core, end-3*dayMillis, end, hourMillis/4, func(at int64, inputs []Input) error {
		for _, in := range inputs {
			for _, o := range in.Observations {
				again[at] = o.Point.Value
			}
		}
		return nil
	})
	if err != nil || fmt.Sprint(again) != fmt.Sprint(observed) {
		t.Errorf("by range queries %v, live %v (%v)", again, observed, err)
	}
	before := p.models(t)
	p.restart(ordersSignal(signal.Day))
	if p.models(t) != before {
		t.Error("after a restart it knows something else")
	}
	if n := s.series[0].model.Slow.Hours; n < 60 {
		t.Errorf("%d days are learnt", n)
	}
	// An unlearned hour is the day that holds it.
	days := p.in.core.signals[0].series[0].model.Slow.Hours
	p.unlearn(end-20*dayMillis, end-20*dayMillis+hourMillis, "")
	if _, err := p.in.Reconsider(); err != nil {
		t.Fatal(err)
	}
	if got := p.in.core.signals[0].series[0].model.Slow.Hours; got != days-1 {
		t.Errorf("%d of %d days are left", got, days)
	}
	silentFrom = end
	run(end+hourMillis, end+46*hourMillis)
	p.hears()
	run(end+47*hourMillis, end+80*hourMillis)
	if len(p.told.news) != 1 || !strings.Contains(p.told.news[0], "begin warning Orders absent") {
		t.Errorf("told %q", p.told.news)
	}
	if got := s.describe(end - hourMillis); got != "Thu 2026-11-05 Europe/Berlin" {
		t.Errorf("the day is %q", got)
	}
}

// An hourly signal is judged hour by hour, by the hour of the week.
func TestHourlySignals(t *testing.T) {
	d := ordersSignal(time.Hour)
	c, err := NewCore([]signal.Definition{d})
	if err != nil {
		t.Fatal(err)
	}
	s := c.signals[0]
	var told []string
	start := time.Date(2026, 9, 7, 0, 0, 0, 0, time.UTC).UnixMilli()
	drop := start + 42*dayMillis + 10*hourMillis
	for at := start; at < start+44*dayMillis; at += hourMillis {
		hour := s.Zone.HourOfWeek(at) % 24
		v := dailyOrders(s.day(at)) * (0.3 + float64(hour)/24) * (0.97 + 0.06*float64(noise(at/hourMillis, 3, 3)%1000)/1000)
		if at == drop {
			v *= 0.4
		}
		out := c.Step(at, []Input{{Signal: s, Observations: []Observation{{nil, series.Point{T: at, Value: v}}}}})
		for _, e := range out.Events {
			if at < start+14*dayMillis {
				continue // the first weekend is compared with the days before
			}
			told = append(told, fmt.Sprint(e.Event.Kind, " ", (e.Event.StartsAt-start)/hourMillis))
		}
	}
	if want := []string{fmt.Sprint("1 ", 42*24+10), fmt.Sprint("2 ", 42*24+10)}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// TestTheCourseOfADailySignal: its points are at the midnights of its zone, also over changes of the clock, and nowhere else.
func TestTheCourseOfADailySignal(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Pacific/Auckland"} {
		def := ordersSignal(signal.Day)
		def.Zone = zone
		c, err := NewCore([]signal.Definition{def})
		if err != nil {
			t.Fatal(err)
		}
		c.TellStories(Ties{})
		s := c.signals[0]
		first := s.day(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
		for day := first; day < first+320; day++ { // both changes of the clock
			at := s.startOf(day + 1)
			c.Step(at, []Input{{Signal: s, Observations: []Observation{{nil, series.Point{T: at, Value: 1000 + float64(day%7)}}}}})
			sr := s.series[0]
			times := []int64{s.startOf(day), at - 3600_000, at, at + 3600_000}
			got := sr.recently(s, times)
			n, ok := s.point(at)
			if !ok || n != sr.course.Last {
				t.Fatalf("%s: the point of %s is number %d, remembered is %d", zone, s.describe(at), n, sr.course.Last)
			}
			same := func(a, b float64) bool { return a == b || a != a && b != b }
			if !same(got[2], sr.course.At(n)) || !same(got[0], sr.course.At(n-1)) || got[1] == got[1] || got[3] == got[3] {
				t.Fatalf("%s: around %s the course is %v", zone, s.describe(at), got)
			}
			if day > first+60 && got[2] != got[2] {
				t.Fatalf("%s: nothing is remembered of %s", zone, s.describe(at))
			}
		}
	}
}
