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
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// service is many pods whose counters are scraped, with an instance that watches their sum.
type service struct {
	*plant
	pods   []*pod
	scrape int64                 // milliseconds
	rate   func(t int64) float64 // events per second of a pod
	born   bool                  // counters say when they began
	seen   float64               // increases that scrapes saw, those since the begin of a counter included
	at     int64
}

// pod counts from its start on.
type pod struct {
	name           string
	began, last    int64
	count, scraped float64
	gone           bool // nobody scrapes it
}

func trafficSignals() []signal.Definition {
	d := loadSignal()
	d.Name, d.Alert, d.Expr, d.Interval = "traffic", "Traffic", `sum(rate(requests_total[5m]))`, time.Minute
	p95 := d
	p95.Name, p95.Alert, p95.Expr = "slowest", "Slowest", `max(latency_seconds)`
	return []signal.Definition{d, p95}
}

func newService(t *testing.T, scrape time.Duration, defs ...signal.Definition) *service {
	f := &service{plant: newPlant(t, defs...), scrape: scrape.Milliseconds(), at: plantStart}
	f.rate = func(t int64) float64 { return usual(t, 0) / 10 }
	for i := range 20 {
		f.pods = append(f.pods, &pod{name: fmt.Sprint("pod-", i), began: plantStart})
	}
	return f
}

// scrapes takes one sample of every pod that can be reached, and ticks when it is time.
func (f *service) scrapes(until int64, before func(t int64)) {
	f.t.Helper()
	for ; f.at <= until; f.at += f.scrape {
		if before != nil {
			before(f.at)
		}
		guard := ingest.NewGuard(f.live, ingest.GuardOptions{Now: func() time.Time { return time.UnixMilli(f.at) }})
		app := guard.AppenderV2(context.Background())
		for i, p := range f.pods {
			p.runTo(f.at, f.rate)
			if p.gone {
				continue
			}
			began := int64(0)
			if f.born {
				began = p.began
			}
			f.append(app, "requests_total", p, began, p.count)
			if len(f.in.core.signals) > 1 {
				f.append(app, "latency_seconds", p, 0, 0.1+float64(noise(f.at/60_000, i, 5)%100)/1e4)
			}
			f.seen += p.count - p.scraped
			p.scraped = p.count
		}
		if err := app.Commit(); err != nil {
			f.t.Fatal(err)
		}
		if f.at%60_000 == 0 {
			if err := f.in.Tick(context.Background(), f.at); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

func (f *service) append(app storage.AppenderV2, name string, p *pod, began int64, v float64) {
	f.t.Helper()
	ls := labels.FromStrings(model.MetricNameLabel, name, "job", "shop", "instance", p.name)
	if _, err := app.Append(0, ls, began, f.at, v, nil, nil, storage.AppendV2Options{}); err != nil {
		f.t.Fatal(err)
	}
}

func (p *pod) runTo(t int64, rate func(int64) float64) {
	if p.last == 0 {
		p.last = p.began
	}
	p.count += rate(t) * float64(t-p.last) / 1000
	p.last = t
}

// lose stops scraping some of the pods. marked: staleness markers say so, as those of a scrape that failed do.
func (f *service) lose(n int, marked bool) {
	f.t.Helper()
	app := f.live.AppenderV2(context.Background())
	for _, p := range f.pods[:n] {
		p.gone = true
		if marked {
			f.append(app, "requests_total", p, 0, math.Float64frombits(value.StaleNaN))
		}
	}
	if err := app.Commit(); err != nil {
		f.t.Fatal(err)
	}
}

// news are alerts told so far, without their times.
func (f *service) news() (out []string) {
	for _, n := range f.told.news {
		w := strings.Fields(n)
		out = append(out, strings.Join([]string{w[0], w[2], w[3]}, " "))
	}
	f.told.news = nil
	return out
}

const serviceKnown = plantStart + 54*hourMillis

// A third of the exporters falls silent for two hours: that is said once, and the fall of the sum that comes of it is no
// fall of traffic. Whether an incident like it is seen at all is asked last: with all exporters there it is.
func TestLostReportersAreOneAlert(t *testing.T) {
	if testing.Short() {
		t.Skip("steps days")
	}
	for name, marked := range map[string]bool{"scraped": true, "pushed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defs := trafficSignals()[:1]
			f := newService(t, time.Minute, defs...)
			f.scrapes(serviceKnown, nil)
			if told := f.news(); len(told) > 0 {
				t.Fatalf("before anything happened: %q", told)
			}
			f.lose(6, marked)
			gates := map[detect.Gate]int{}
			count := func(int64) { gates[f.in.core.signals[0].series[0].gate]++ }
			f.scrapes(serviceKnown+hourMillis, count)
			f.restart(defs...) // in the middle of it
			f.scrapes(serviceKnown+2*hourMillis, count)
			if told := f.news(); !slices.Equal(told, []string{"begin Traffic coverage"}) {
				t.Errorf("when exporters were lost: %q", told)
			}
			if gates[detect.GateCoverage] < 90 {
				t.Errorf("the fall was not held back as such: %v", gates)
			}
			for _, tr := range f.told.open {
				if want := "traffic: only 14 of the usual 20 exporters report"; tr.Annotations["summary"] != want || tr.Labels["direction"] != "" {
					t.Errorf("%q %v", tr.Annotations["summary"], tr.Labels)
				}
			}
			for _, p := range f.pods {
				p.gone = false
			}
			f.scrapes(serviceKnown+5*hourMillis, nil)
			if told := f.news(); !slices.Equal(told, []string{"end Traffic coverage"}) {
				t.Errorf("when they were back: %q", told)
			}
			usual := f.rate
			f.rate = func(t int64) float64 { return 0.7 * usual(t) }
			f.scrapes(serviceKnown+6*hourMillis, nil)
			if told := f.news(); !slices.Equal(told, []string{"begin Traffic anomaly"}) {
				t.Errorf("when traffic fell with all exporters there: %q", told)
			}
		})
	}
}

// What is not a sum is judged with fewer exporters as with all, and a rise is one however little is seen of it.
func TestWithFewerReportersOthersAreJudged(t *testing.T) {
	t.Parallel()
	f := newService(t, time.Minute, trafficSignals()...)
	f.scrapes(serviceKnown, nil)
	f.lose(6, true)
	usual := f.rate
	f.rate = func(t int64) float64 { return 3 * usual(t) }
	f.scrapes(serviceKnown+hourMillis/2, nil)
	told := f.news()
	slices.Sort(told)
	if want := []string{"begin Slowest coverage", "begin Traffic anomaly", "begin Traffic coverage"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// Twenty pods are replaced one by one, ten times in a day. What their counters count is neither lost nor counted twice,
// and nobody is told.
func TestRollouts(t *testing.T) {
	if testing.Short() {
		t.Skip("steps days")
	}
	t.Parallel()
	f := newService(t, time.Minute, trafficSignals()[0])
	f.born = true
	f.scrapes(serviceKnown, nil)
	f.scrape = 15_000
	f.scrapes(serviceKnown+hourMillis/2, nil)
	start, seen := f.at, f.seen
	const every = 144 * 60_000 // ten in a day
	replaced := 0
	f.scrapes(start+dayMillis, func(t int64) {
		since := (t - start) % every
		if t >= start+10*every || since%60_000 != 0 || since/60_000 >= 20 {
			return
		}
		i := int(since / 60_000)
		old := f.pods[i]
		app := f.live.AppenderV2(context.Background())
		f.append(app, "requests_total", old, 0, math.Float64frombits(value.StaleNaN))
		if err := app.Commit(); err != nil {
			f.t.Fatal(err)
		}
		replaced++
		f.pods[i] = &pod{name: fmt.Sprintf("pod-%d-%d", i, replaced), began: t - f.scrape/2}
	})
	if replaced != 200 {
		t.Fatalf("%d pods were replaced", replaced)
	}
	if told := f.news(); len(told) > 0 {
		t.Errorf("told %q", told)
	}
	sum := 0.0
	err := f.live.Each(t.Context(), metricValue, start, start+dayMillis, func(_ labels.Labels, samples []tsdb.Sample) error {
		for _, s := range samples {
			sum += s.V * 60 // a rate for every minute
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	counted := f.seen - seen
	t.Logf("scrapes saw %.1f, the signal's rates add up to %+.4f %% of it", counted, 100*(sum/counted-1))
	if !(math.Abs(sum/counted-1) <= 0.001) {
		t.Errorf("the signal's rates add up to %v, scrapes saw %v", sum, counted)
	}
}

// Counters that begin anew, at nothing or at little, twice within a range too, are no news: rates stay what they are.
func TestCountersThatBeginAnew(t *testing.T) {
	if testing.Short() {
		t.Skip("steps days")
	}
	t.Parallel()
	f := newService(t, time.Minute, trafficSignals()[0])
	f.scrapes(serviceKnown, nil)
	start := f.at
	f.scrapes(start+2*hourMillis, func(at int64) {
		switch (at - start) / 60_000 {
		case 10:
			f.pods[0].count, f.pods[0].scraped = 0, 0
		case 20:
			f.pods[1].count, f.pods[1].scraped = 40, 0
		case 40, 42: // of one, within a range
			f.pods[2].count, f.pods[2].scraped = 7, 0
		case 60:
			for _, p := range f.pods { // of all
				p.count, p.scraped = 0, 0
			}
		case 80, 81, 82, 83, 84: // of one, before every scrape
			f.pods[3].count, f.pods[3].scraped = 0, 0
		}
	})
	if told := f.news(); len(told) > 0 {
		t.Errorf("told %q", told)
	}
	err := f.live.Each(t.Context(), metricValue, start, start+2*hourMillis, func(_ labels.Labels, samples []tsdb.Sample) error {
		for _, s := range samples {
			if s.V < 0 {
				t.Errorf("a rate of %v", s.V)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A metric that turns into a histogram and back is missing meanwhile, with a reason, and nothing else is touched.
func TestAMetricThatChangesItsKind(t *testing.T) {
	p := newPlant(t, loadSignal(), totalSignal())
	p.run(plantStart + 4*plantStep)
	p.silent[0], p.silent[1] = true, true
	hist := func(at int64) {
		app := p.live.AppenderV2(context.Background())
		for machine := range 2 {
			ls := labels.FromStrings(model.MetricNameLabel, "load", "machine", fmt.Sprint(machine))
			h := &histogram.Histogram{Schema: 1, Count: 3, Sum: 4, PositiveSpans: []histogram.Span{{Length: 1}}, PositiveBuckets: []int64{3}}
			if _, err := app.Append(0, ls, 0, at, 0, h, nil, storage.AppendV2Options{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := p.in.Tick(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	for n := int64(5); n < 8; n++ {
		hist(plantStart + n*plantStep)
	}
	for _, s := range p.in.Status() {
		for _, sr := range s.Series {
			if sr.Verdict.Missing == series.Observed {
				t.Errorf("%s%v is observed", s.Def.Name, sr.Labels)
			}
		}
	}
	p.silent = map[int]bool{}
	p.run(plantStart + 12*plantStep)
	for _, s := range p.in.Status() {
		for _, sr := range s.Series {
			if sr.Verdict.Missing != series.Observed || s.Error != "" {
				t.Errorf("%s%v is %s, %q", s.Def.Name, sr.Labels, sr.Verdict.Missing, s.Error)
			}
		}
	}
}
