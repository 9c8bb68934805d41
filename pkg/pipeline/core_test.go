package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	plantStart = killStart
	plantStep  = int64(5 * time.Minute / time.Millisecond)
	// After so long the plant's models are known.
	plantKnown = plantStart + 54*hourMillis
)

// plant is a site with two machines: an instance over real stores whose herald remembers. Its gauge is cheap, so that a
// test can afford the days that a model needs.
type plant struct {
	*harness
	t    *testing.T
	dir  string
	told *witness
	// load is the value of a machine; NaN is a value too.
	load func(t int64, machine int) float64
	// silent machines give no sample.
	silent   map[int]bool
	silenced Silenced
	ties     Ties
	scraped  time.Duration // how often samples come; a minute by default
	restarts int64         // after that tick, where a test minds
	after    func()        // what runs beside the ticks, some ticks later; nil: nothing
}

// loadSignal watches each machine.
func loadSignal() signal.Definition {
	return signal.Definition{
		Name: "load", Alert: "Load", Layer: series.Infrastructure, Expr: `max by (machine) (load)`, Zone: "UTC", Kind: "auto",
		Interval: time.Duration(plantStep) * time.Millisecond, Severity: "warning",
	}
}

// totalSignal watches their sum.
func totalSignal() signal.Definition {
	d := loadSignal()
	d.Name, d.Alert, d.Expr = "total", "Total", `sum(load)`
	return d
}

// usual is a day's course with hashed noise.
func usual(t int64, machine int) float64 {
	day := float64(t%dayMillis) / float64(dayMillis)
	return 100 + 20*math.Sin(2*math.Pi*day) + float64(noise(t/plantStep, machine, 3)%1000)/500
}

// memory is what a model of values remembers.
type memory struct {
	baseline.Values
	Open baseline.OpenHour
}

func memoryOf(m *baseline.Model) memory { return memory{*m.Values, m.Open} }

func newPlant(t *testing.T, defs ...signal.Definition) *plant {
	p := &plant{t: t, dir: t.TempDir(), told: newWitness(), load: usual, silent: map[int]bool{}}
	p.open(defs...)
	t.Cleanup(func() { p.close(t) })
	return p
}

func (p *plant) open(defs ...signal.Definition) {
	p.t.Helper()
	h := &harness{}
	p.harness = h
	var err error
	if h.ledger, err = state.OpenLedger(p.dir, state.Options{NoSync: true}); err != nil {
		p.t.Fatal(err)
	}
	h.live, err = tsdb.Open(tsdb.Options{Dir: filepath.Join(p.dir, "live"), Name: "live", Retention: 96 * time.Hour})
	if err != nil {
		p.t.Fatal(err)
	}
	h.history, err = tsdb.Open(tsdb.Options{Dir: filepath.Join(p.dir, "history"), Name: "history", Retention: 60 * 24 * time.Hour, Block: 12 * time.Hour, NoLog: true, SamplesPerChunk: 720})
	if err != nil {
		p.t.Fatal(err)
	}
	if h.unlearned, err = NewUnlearned(h.ledger, nil, nil); err != nil {
		p.t.Fatal(err)
	}
	if h.notes, err = NewAnnotations(h.ledger, nil, nil); err != nil {
		p.t.Fatal(err)
	}
	h.in, err = Open(context.Background(), defs, Options{
		Dir: p.dir, Ledger: h.ledger, Live: h.live, History: h.history, Engine: promql.New(promql.Options{}), Herald: p.told,
		Unlearned: h.unlearned, Annotations: h.notes, Silenced: p.silenced, Ties: p.ties,
		Intervals: promql.Intervals{Default: max(p.scraped, time.Minute)}, SnapshotEvery: 20 * time.Minute,
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// restart is what a crash does: nothing is saved on the way out.
func (p *plant) restart(defs ...signal.Definition) {
	p.t.Helper()
	p.close(p.t)
	p.open(defs...)
}

func (p *plant) reload(defs ...signal.Definition) {
	p.t.Helper()
	if err := p.in.Reload(defs, nil, promql.Intervals{Default: time.Minute}); err != nil {
		p.t.Fatal(err)
	}
}

// run ticks up to and including end.
func (p *plant) run(end int64) {
	p.t.Helper()
	for t := p.next(); t <= end; t += plantStep {
		if err := p.tick(t); err != nil {
			p.t.Fatal(err)
		}
	}
}

// next is the tick after the last one.
func (p *plant) next() int64 { return max(p.in.LastTick()/plantStep*plantStep+plantStep, plantStart) }

func (p *plant) tick(t int64) error {
	app := p.live.Appender(context.Background())
	for machine := range 2 {
		if p.silent[machine] {
			continue
		}
		ls := labels.FromStrings(model.MetricNameLabel, "load", "machine", fmt.Sprint(machine))
		if _, err := app.Append(0, ls, t, p.load(t, machine)); err != nil {
			return err
		}
	}
	if err := app.Commit(); err != nil {
		return err
	}
	return p.in.Tick(context.Background(), t)
}

// incident lets machine 0 run away and stay there, and returns when it did. Models of a few days believe what most of an
// hour shows them, so tests end it soon.
func (p *plant) incident() int64 {
	start := p.next()
	p.load = func(t int64, machine int) float64 {
		if machine == 0 && t >= start {
			return 500
		}
		return usual(t, machine)
	}
	return start
}

// firing lists what the core holds for open.
func (p *plant) firing() (n int) {
	for _, s := range p.in.core.signals {
		for _, sr := range s.series {
			if sr.anomaly.Phase == detect.Firing {
				n++
			}
		}
	}
	return n
}

// hears wants to have been told exactly this since the last call.
func (p *plant) hears(want ...string) {
	p.t.Helper()
	if !slices.Equal(p.told.news, want) {
		p.t.Errorf("told %q, want %q", p.told.news, want)
	}
	p.told.news = nil
}

// witness is a herald that remembers over restarts of the instance what it was told.
type witness struct {
	failing bool // it takes nothing
	news    []string
	known   map[string]bool
	open    map[string]Transition
	stories map[string]Transition // incidents, by id, as told last
	parts   map[string]string     // episodes that were told to be part of an incident, by labels and start
	all     []heard
}

// heard is what a tick brought.
type heard struct {
	now int64
	ts  []Transition
}

func newWitness() *witness {
	return &witness{known: map[string]bool{}, open: map[string]Transition{}, stories: map[string]Transition{}, parts: map[string]string{}}
}

var errWitness = errors.New("no space left on device")

// Put implements Herald.
func (w *witness) Put(_ *bbolt.Tx, now int64, ts []Transition) error {
	if w.failing {
		return errWitness
	}
	if len(ts) > 0 {
		w.all = append(w.all, heard{now, ts})
	}
	for _, t := range ts {
		episode := fmt.Sprint(series.FromMap(t.Labels).Key(), t.StartsAt)
		if t.Incident != "" {
			w.parts[series.FromMap(t.Labels).String()+clockText(t.StartsAt)] = t.Incident
		}
		if id := t.Labels["incident"]; id != "" {
			w.stories[id] = t
			continue
		}
		once := fmt.Sprint(episode, t.Firing)
		if w.known[once] {
			continue
		}
		w.known[once] = true
		if w.news = append(w.news, told(t.Firing, t.Labels, t.StartsAt)); t.Firing {
			w.open[episode] = t
		} else {
			delete(w.open, episode)
		}
	}
	return nil
}

// Committed implements Herald.
func (w *witness) Committed() {}

func (w *witness) Stranded([]Transition, error) {}

// Firing implements Herald.
func (w *witness) Firing(f func(labels map[string]string, startsAt int64)) {
	for _, t := range w.open {
		f(t.Labels, t.StartsAt)
	}
	for _, t := range w.stories {
		if t.Firing {
			f(t.Labels, t.StartsAt)
		}
	}
}

// told is a line of news.
func told(firing bool, ls map[string]string, startsAt int64) string {
	verb := "end"
	if firing {
		verb = "begin"
	}
	return fmt.Sprintf("%s %s %s %s machine %q of %s", verb, ls["severity"], ls["alertname"], ls["type"], ls["machine"], clockText(startsAt))
}

// load0 is the line of news about machine 0 of loadSignal.
func load0(firing bool, severity, kind string, startsAt int64) string {
	return told(firing, map[string]string{"severity": severity, "alertname": "Load", "type": kind, "machine": "0"}, startsAt)
}

func TestUnseenForAMonthASeriesIsDropped(t *testing.T) {
	d := loadSignal()
	d.Interval, d.AbsentFor = time.Hour, 3*time.Hour
	p := newPlant(t, d)
	hours := func(from, to int64) {
		t.Helper()
		for h := from; h <= to; h++ {
			if err := p.tick(plantStart + h*hourMillis); err != nil {
				t.Fatal(err)
			}
		}
	}
	hours(0, 30)
	p.hears()
	p.silent[0] = true
	hours(31, 40)
	p.hears(load0(true, "warning", "absent", plantStart+30*hourMillis))
	hours(28+30*24, 30+30*24)
	p.hears()
	if n := p.in.SeriesCount(); n != 2 {
		t.Fatalf("%d series after exactly thirty days", n)
	}
	hours(31+30*24, 31+30*24)
	p.hears(load0(false, "warning", "absent", plantStart+30*hourMillis))
	if n := p.in.SeriesCount(); n != 1 {
		t.Errorf("%d series", n)
	}
	known := func() (n int) {
		err := p.ledger.View(func(tx *bbolt.Tx) error {
			return state.EachSeries(tx, func(state.SeriesID, state.Known, int64) error { n++; return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := known(); n != 1 {
		t.Errorf("the ledger keeps %d series", n)
	}
	p.silent[0] = false // back, as one that nobody knew
	hours(32+30*24, 35+30*24)
	if n := known(); p.in.SeriesCount() != 2 || n != 2 {
		t.Errorf("back again: %d series, %d in the ledger", p.in.SeriesCount(), n)
	}
	if h := p.in.core.signals[0].series[0].model.Slow.Hours; h > 4 {
		t.Errorf("it remembers %d hours", h)
	}
}

func TestTheFirstDeviationOfAConstantFires(t *testing.T) {
	check := func(constant, deviation float64, direction string) {
		t.Run(fmt.Sprintf("%v to %v", constant, deviation), func(t *testing.T) {
			b, err := NewBacktest(loadSignal())
			if err != nil {
				t.Fatal(err)
			}
			var j *Judged
			at := plantStart
			for ; at < plantKnown; at += plantStep {
				j = b.Step(series.Point{T: at, Value: constant})
			}
			if !j.Verdict.Known {
				t.Fatalf("after %d hours: %s", (plantKnown-plantStart)/hourMillis, j.Verdict.Reason())
			}
			if len(b.Alerts) != 0 {
				t.Fatalf("%d alerts over a constant", len(b.Alerts))
			}
			b.Step(series.Point{T: at, Value: deviation})
			if len(b.Alerts) != 1 || b.Alerts[0].StartsAt != at || b.Alerts[0].Direction != direction {
				t.Errorf("alerts %+v", b.Alerts)
			}
		})
	}
	check(0, 1, "up")
	check(0, 0.001, "up")
	check(1, 0, "down")
	check(64e9, 63e9, "down")
}

func TestWhatIsNoNumberIsMissingAndTeachesNothing(t *testing.T) {
	// course runs a core over days in which some points are replaced, and returns its state.
	course := func(replaced series.Point) (models string, seen series.Missing) {
		c, err := NewCore([]signal.Definition{loadSignal()})
		if err != nil {
			t.Fatal(err)
		}
		for at := plantStart; at < plantKnown; at += plantStep {
			p := series.Point{Value: usual(at, 0)}
			replace := at/plantStep%100 == 17
			if replace {
				p = replaced
			}
			out := c.Step(at, []Input{{Signal: c.signals[0], Observations: []Observation{{Point: p}}}})
			if replace && len(out.Judged) > 0 {
				seen = out.Judged[0].Verdict.Missing
			}
		}
		b, err := c.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), seen
	}
	want, _ := course(series.Point{Missing: series.NotANumber})
	if other, _ := course(series.Point{Value: 100}); other == want {
		t.Fatal("a point more teaches nothing: the comparison is blind")
	}
	for _, v := range []float64{math.MaxFloat64, -math.MaxFloat64, 1e31, math.NaN(), math.Inf(1), math.Inf(-1)} {
		got, seen := course(series.Point{Value: v})
		if seen != series.NotANumber {
			t.Errorf("%v is %v", v, seen)
		}
		if got != want {
			t.Errorf("%v: the models differ from those that never saw it", v)
		}
	}
}

func TestASentinelInTheSamples(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.run(plantStart + 5*hourMillis)
	before := memoryOf(p.in.core.signals[0].series[0].model)
	for _, v := range []float64{math.MaxFloat64, math.NaN()} {
		p.load = func(int64, int) float64 { return v }
		p.run(p.next())
		for _, sr := range p.in.Status()[0].Series {
			if sr.Verdict.Missing != series.NotANumber {
				t.Errorf("%v: %s is %v", v, sr.Labels, sr.Verdict.Missing)
			}
		}
	}
	after := memoryOf(p.in.core.signals[0].series[0].model)
	if equal := func(a, b memory) bool { return fmt.Sprintf("%v", a) == fmt.Sprintf("%v", b) }; !equal(before, after) {
		t.Errorf("the model changed:\n%+v\n%+v", before, after)
	}
}
