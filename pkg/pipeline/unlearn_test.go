package pipeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/state"
)

// filled is a plant that knows weeks, and when they end.
func filled(t *testing.T, weeks int64) (p *plant, end int64) {
	t.Helper()
	d := loadSignal()
	p = newPlant(t, d)
	end = plantStart + weeks*7*dayMillis
	p.fillMachines(2, plantStart, end, d)
	p.restart(d)
	return p, end
}

// folds makes every model from its history by the book: every summary whose hour shares an instant with none of the
// windows of its machine, or of all.
func (p *plant) folds(windows map[string][]Window) (all []any) {
	p.t.Helper()
	for _, s := range p.in.core.signals {
		for _, sr := range s.series {
			m := sr.model.Twin() // with what was lent to it
			err := p.ledger.View(func(tx *bbolt.Tx) error {
				history, err := state.Summaries(tx, sr.ID, 0, 1<<31-1)
				history = slices.DeleteFunc(history, func(h baseline.Summary) bool {
					for _, w := range slices.Concat(windows[""], windows[sr.Labels.Get("machine")]) {
						if first := int64(h.Hour) * hourMillis; w.From <= first+hourMillis-1 && first <= w.To-1 {
							return true
						}
					}
					return h.Flags&baseline.Withheld != 0
				})
				m.Refold(history)
				return err
			})
			if err != nil {
				p.t.Fatal(err)
			}
			all = append(all, m.Slow)
		}
	}
	return all
}

func (p *plant) reconsider() int {
	p.t.Helper()
	n, err := p.in.Reconsider()
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *plant) unlearn(from, to int64, match string) string {
	p.t.Helper()
	u, err := p.unlearned.Put(state.Unlearned{From: from, To: to, Match: match, Reason: "test"})
	if err != nil {
		p.t.Fatal(err)
	}
	return u.ID
}

func (p *plant) undo(id string) {
	p.t.Helper()
	if _, found, err := p.unlearned.Undo(id); !found || err != nil {
		p.t.Fatalf("undo %s: %t, %v", id, found, err)
	}
}

// TestUnlearnIsTheFoldWithoutTheWindow unlearns and undoes windows of every kind in random order: whatever happened
// before, the models are the fold over what is left, to the bit, and so they are after a restart.
func TestUnlearnIsTheFoldWithoutTheWindow(t *testing.T) {
	p, end := filled(t, 3)
	whole := slowOf(p)
	if !slices.Equal(whole, p.folds(nil)) {
		t.Fatal("the models are not the fold of their history to begin with")
	}
	day := plantStart + 9*dayMillis
	type window struct {
		from, to int64
		machine  string
	}
	kinds := map[string]window{
		"within warm-up":        {plantStart + 3*hourMillis, plantStart + 9*hourMillis, ""},
		"all of the warm-up":    {plantStart, plantStart + 2*dayMillis, "0"},
		"one hour":              {day, day + hourMillis, ""},
		"to the hour's edge":    {day + 10*hourMillis + 1, day + 11*hourMillis, "1"},
		"from the hour's edge":  {day + 12*hourMillis, day + 12*hourMillis + 1, "1"},
		"over an hour's edge":   {day + 14*hourMillis - 1, day + 14*hourMillis + 1, ""},
		"overlapping":           {day + 13*hourMillis, day + 20*hourMillis + 7, "0"},
		"the same once more":    {day + 13*hourMillis, day + 20*hourMillis + 7, "0"},
		"everything":            {0, end + dayMillis, ""},
		"everything of one":     {0, end + dayMillis, "1"},
		"the hour that is open": {end - 5*60_000, end + hourMillis, ""},
		"the future":            {end + 2*hourMillis, end + 3*hourMillis, ""},
		"nobody":                {day, day + dayMillis, "none"},
	}
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	rng := rand.New(rand.NewPCG(4, 4))
	in := map[string]string{} // name → id
	wanted := func() map[string][]Window {
		w := map[string][]Window{}
		for name := range in {
			k := kinds[name]
			w[k.machine] = append(w[k.machine], Window{k.from, k.to})
		}
		return w
	}
	for range 60 {
		name := names[rng.IntN(len(names))]
		k := kinds[name]
		if id, ok := in[name]; ok {
			p.undo(id)
			delete(in, name)
		} else {
			match := ""
			if k.machine != "" {
				match = fmt.Sprintf(`load{machine=%q}`, k.machine)
			}
			in[name] = p.unlearn(k.from, k.to, match)
		}
		if rng.IntN(3) > 0 {
			p.reconsider()
		} else {
			p.restart(loadSignal()) // killed before the models knew
		}
		if !slices.Equal(slowOf(p), p.folds(wanted())) {
			t.Fatalf("after %q the models are not the fold without %v", name, wanted())
		}
	}
	for _, id := range in {
		p.undo(id)
	}
	p.reconsider()
	if !slices.Equal(slowOf(p), whole) {
		t.Error("with everything undone the models are not what they were")
	}
	if p.reconsider() != 0 {
		t.Error("nothing changed and models were folded")
	}
}

func TestUnlearnTellsWhatItChanges(t *testing.T) {
	p, end := filled(t, 1)
	for _, step := range []struct {
		from, to int64
		match    string
		want     int
	}{
		{end - dayMillis, end - dayMillis + 1, "", 2},
		{end - dayMillis, end, `{machine="1"}`, 1},
		{end - dayMillis, end, `{signal="other"}`, 0},
		{end - dayMillis, end, `{machine=~"0|1",layer="infrastructure"}`, 2},
		{end + hourMillis, end + 2*hourMillis, "", 0}, // nothing was learnt from it yet
	} {
		p.unlearn(step.from, step.to, step.match)
		if n := p.reconsider(); n != step.want {
			t.Errorf("%+v: %d series", step, n)
		}
	}
	for _, bad := range []state.Unlearned{
		{From: end, To: end}, {From: -1, To: end}, {From: 2, To: 1}, {From: 0, To: 1, Match: `load{`},
	} {
		if _, err := p.unlearned.Put(bad); err == nil {
			t.Errorf("took %+v", bad)
		}
	}
	if n := len(p.unlearned.List()); n != 5 {
		t.Errorf("%d windows", n)
	}
}

// TestWhatIsUnlearnedWhileItHappens lets hours end inside windows that were given before, and undoes them.
func TestWhatIsUnlearnedWhileItHappens(t *testing.T) {
	p, end := filled(t, 1)
	open := (end/hourMillis + 1) * hourMillis // an hour begins
	p.run(open + 30*60_000)
	before := p.unlearn(open+10*60_000, open+20*60_000, `load{machine="0"}`) // passed, in an open hour
	p.reconsider()
	p.run(open + 3*hourMillis + 30*60_000)
	kept := func(windows ...Window) {
		t.Helper()
		if !slices.Equal(slowOf(p), p.folds(map[string][]Window{"0": windows})) {
			t.Errorf("the models are not the fold without %v", windows)
		}
	}
	kept(Window{open, open + hourMillis})
	if n, want := len(p.summaries(t)), 2*int((open+3*hourMillis-plantStart)/hourMillis); n != want {
		t.Errorf("%d hours in the ledger, want %d: what is unlearned is kept, it may be undone", n, want)
	}
	now := p.in.LastTick()
	if _, err := p.notes.Put(state.Annotation{ID: "i", Type: IncidentMark, Start: now, Labels: map[string]string{"machine": "0"}}); err != nil {
		t.Fatal(err)
	}
	p.reconsider()
	p.run(now + 2*hourMillis)
	incident := Window{now, p.in.LastTick() + 1}
	kept(Window{open, open + hourMillis}, incident)
	if _, err := p.notes.Put(state.Annotation{ID: "i", Type: IncidentMark, Start: now, End: now + hourMillis, Labels: map[string]string{"machine": "0"}}); err != nil {
		t.Fatal(err)
	}
	p.reconsider() // it ended an hour ago
	kept(Window{open, open + hourMillis}, Window{now, now + hourMillis})
	p.undo(before)
	if _, err := p.notes.Delete("i"); err != nil {
		t.Fatal(err)
	}
	p.reconsider()
	kept()
	p.restart(loadSignal())
	kept()
}

// TestAnOutageUnderSilenceMovesNoBand plays ten times the load for hours, known to a silence, and compares what is normal
// afterwards with a plant that was silenced for nothing: not a bit may differ.
func TestAnOutageUnderSilenceMovesNoBand(t *testing.T) {
	play := func(outage, silent bool) (bands []baseline.Expectation) {
		d := loadSignal()
		p := newPlant(t, d)
		end := plantStart + 7*dayMillis
		from, to := end+2*hourMillis+10*60_000, end+5*hourMillis+25*60_000
		asked := map[string]bool{}
		p.silenced = func(ls series.Labels, at int64) string {
			asked[ls.String()] = true
			if silent && ls.Get("machine") == "0" && from <= at && at < to {
				return "silenced"
			}
			return ""
		}
		p.fill(plantStart, end, d)
		p.restart(d)
		p.load = func(t int64, machine int) float64 {
			if outage && machine == 0 && from <= t && t < to {
				return 10 * usual(t, machine)
			}
			return usual(t, machine)
		}
		p.run(end + 4*hourMillis)
		sr := p.in.core.signals[0].series[0]
		if outage && !(sr.verdict.Score > 1) {
			t.Errorf("within the outage the score is %g: silenced is judged all the same", sr.verdict.Score)
		}
		if silent && sr.withheld != "silenced" {
			t.Errorf("its point was withheld for %q", sr.withheld)
		}
		p.restart(d) // killed in the middle of it
		p.run(to + 30*60_000)
		sr = p.in.core.signals[0].series[0]
		if sr.withheld != "" {
			t.Errorf("withheld for %q after the silence", sr.withheld)
		}
		if !asked[`{alertname="Load", layer="infrastructure", machine="0", severity="warning", signal="load"}`] {
			t.Errorf("asked for %v", asked)
		}
		p.run(end + 8*hourMillis)
		sr = p.in.core.signals[0].series[0]
		for at := int64(0); at < 7*dayMillis; at += hourMillis / 2 {
			bands = append(bands, sr.model.Expect(end+9*hourMillis+at))
		}
		if silent {
			p.unlearn(0, 1, "")
			p.reconsider()
			if !slices.Equal(slowOf(p), p.folds(nil)) {
				t.Error("the models are not the fold without the silenced hours")
			}
		}
		return bands
	}
	quiet, silent, loud := play(false, true), play(true, true), play(true, false)
	differ := func(bands []baseline.Expectation) (n int) {
		for i := range bands {
			if bands[i] != quiet[i] {
				n++
			}
		}
		return n
	}
	if n := differ(silent); n != 0 {
		t.Errorf("%d of %d later bands are others than without the outage", n, len(quiet))
	}
	if differ(loud) == 0 {
		t.Error("the outage is none: the test shows nothing")
	}
}

// BenchmarkUnlearn folds series of eight weeks anew from the ledger.
func BenchmarkUnlearn(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("series=%d", n), func(b *testing.B) {
			ledger, err := state.OpenLedger(b.TempDir(), state.Options{NoSync: true})
			if err != nil {
				b.Fatal(err)
			}
			defer ledger.Close()
			core, err := NewCore(wideSignals(1))
			if err != nil {
				b.Fatal(err)
			}
			s := core.signals[0]
			m := baseline.New(s.Zone, time.Minute)
			var history []baseline.Summary
			for t := base / hourMillis * hourMillis; len(history) < 8*168; t += 60_000 {
				v := 100 + 20*math.Sin(2*math.Pi*float64(t%dayMillis)/float64(dayMillis)) + float64(noise(t/60_000, 1, 1)%1000)/100
				if _, closed, ok := m.Step(series.Point{T: t, Value: v}); ok {
					history = append(history, closed)
				}
			}
			var jobs []refolding
			for i := range n {
				jobs = append(jobs, refolding{s, s.add(series.FromStrings("i", fmt.Sprint(i))), wholeHistory})
			}
			for start := 0; start < n; start += 500 {
				err := ledger.Update(func(tx *bbolt.Tx) error {
					for _, j := range jobs[start:min(start+500, n)] {
						for k := range history {
							if err := state.PutSummary(tx, j.series.ID, &history[k]); err != nil {
								return err
							}
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			middle := int64(history[len(history)/2].Hour) * hourMillis
			f := NewForgotten([]state.Unlearned{{ID: "a", From: middle, To: middle + dayMillis}}, nil, nil)
			began, loops := cpuSeconds(b), 0
			for b.Loop() {
				loops++
				hours := 0
				err := relearn(ledger, f, jobs, func(j refolding, m *baseline.Model, _ []baseline.Summary) {
					j.series.model.Relearn(m)
					hours += m.Hours()
				})
				if err != nil || hours != n*(len(history)-24) {
					b.Fatalf("%d hours, %v", hours, err)
				}
			}
			b.ReportMetric((cpuSeconds(b)-began)/float64(loops), "cpu-s/op") // the machine may have other work
		})
	}
}

func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
