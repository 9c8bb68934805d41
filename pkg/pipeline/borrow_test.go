package pipeline

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// fleet is a core whose machines differ in level; what a machine shows can be edited.
type fleet struct {
	t    *testing.T
	core *Core
	edit func(at int64, machine int, v float64) float64
}

func newFleet(t *testing.T, defs ...signal.Definition) *fleet {
	c, err := NewCore(defs)
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{t: t, core: c, edit: func(_ int64, _ int, v float64) float64 { return v }}
}

func machine(i int) series.Labels { return series.FromMap(map[string]string{"machine": fmt.Sprint(i)}) }

// run steps the signal's first machines from one tick to another, the last of which is not stepped.
func (f *fleet) run(name string, machines int, from, to int64) (last Output) {
	s := f.core.Signal(name)
	for at := from; at < to; at += plantStep {
		in := Input{Signal: s, Otherwise: series.NoData}
		for i := range machines {
			v := f.edit(at, i, usual(at, i)*float64(1+i))
			in.Observations = append(in.Observations, Observation{machine(i), series.Point{Value: v}})
		}
		last = f.core.Step(at, []Input{in})
	}
	return last
}

func (f *fleet) verdict(name string, i int) *Series { return f.core.Signal(name).find(machine(i)) }

func TestAYoungSeriesIsJudgedByItsSiblings(t *testing.T) {
	f := newFleet(t, loadSignal())
	f.run("load", 3, plantStart, plantKnown)
	if v := f.verdict("load", 0).verdict; !v.Known || v.Borrowed {
		t.Fatalf("grown machines: %+v", v)
	}
	joined := plantKnown
	f.run("load", 5, joined, joined+2*hourMillis)
	for i := 3; i < 5; i++ {
		sr := f.verdict("load", i)
		if v := sr.verdict; !v.Known || !v.Borrowed || v.Center < 80*float64(1+i) || v.Center > 125*float64(1+i) {
			t.Errorf("machine %d after two hours: %+v", i, v)
		}
		if says := knowledge(f.core.signals[0], &sr.verdict); !strings.Contains(says, "judged by its siblings") {
			t.Errorf("machine %d: %s", i, says)
		}
	}
	f.edit = func(_ int64, i int, v float64) float64 {
		if i == 4 {
			return v * 2
		}
		return v
	}
	out := f.run("load", 5, joined+2*hourMillis, joined+2*hourMillis+plantStep)
	if len(out.Events) != 1 || out.Events[0].Series.Labels.Get("machine") != "4" {
		t.Fatalf("events %+v", out.Events)
	}
	if w := Describe(&out.Events[0], out.T, nil, nil); !strings.HasSuffix(w.Annotations["context"], "judged by its siblings") {
		t.Errorf("context %q", w.Annotations["context"])
	}
}

func TestSiblingsThatAreNotWellLendNothing(t *testing.T) {
	for name, spoil := range map[string]func(s *Series){
		"firing": func(s *Series) { s.anomaly.Phase = detect.Firing },
		"silent": func(s *Series) { s.missing = series.Stale },
		"young":  func(s *Series) { s.model.Slow.Hours = 10 },
	} {
		f := newFleet(t, loadSignal())
		f.run("load", 2, plantStart, plantKnown)
		s := f.core.signals[0]
		s.add(machine(2))
		for _, sr := range s.series[:2] {
			spoil(sr)
		}
		f.core.lend(s, plantKnown)
		if sr := f.verdict("load", 2); sr.model.Borrowed() || len(s.young) == 0 {
			t.Errorf("%s: they lent", name)
		}
	}
	// And whoever is young when the incident ends borrows then.
	f := newFleet(t, loadSignal())
	f.run("load", 2, plantStart, plantKnown)
	f.edit = func(_ int64, _ int, v float64) float64 { return v * 3 }
	f.run("load", 3, plantKnown, plantKnown+hourMillis)
	if f.verdict("load", 2).model.Borrowed() {
		t.Error("borrowed from siblings in an incident")
	}
	f.edit = func(_ int64, _ int, v float64) float64 { return v }
	f.run("load", 3, plantKnown+hourMillis, plantKnown+5*hourMillis)
	v := f.verdict("load", 2).verdict
	if !v.Borrowed || v.Center < 3*80 || v.Center > 3*125 {
		t.Errorf("four hours after the incident: %+v", v)
	}
}

func TestASignalLendsToAnother(t *testing.T) {
	heir := loadSignal()
	heir.Name, heir.BorrowFrom = "heir", "load"
	f := newFleet(t, loadSignal(), heir)
	f.run("load", 2, plantStart, plantKnown)
	f.run("heir", 3, plantKnown, plantKnown+2*hourMillis)
	for i := range 3 { // the third has no namesake there
		if v := f.verdict("heir", i).verdict; !v.Known || !v.Borrowed {
			t.Errorf("machine %d: %+v", i, v)
		}
	}
	alone := loadSignal()
	f = newFleet(t, alone)
	f.run("load", 2, plantStart, plantStart+2*hourMillis)
	if v := f.verdict("load", 0).verdict; v.Known || v.Borrowed || v.Reason() == "" {
		t.Errorf("without anybody to lend: %+v", v)
	}
}

func TestARestartOfTheCoreKeepsWhatWasLent(t *testing.T) {
	course := func(restart bool) []byte {
		f := newFleet(t, loadSignal())
		f.run("load", 2, plantStart, plantKnown)
		for h := range int64(30) {
			f.run("load", 4, plantKnown+h*hourMillis, plantKnown+(h+1)*hourMillis)
			b, err := f.core.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !restart {
				continue
			}
			f = newFleet(t, loadSignal())
			if _, err := f.core.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
		}
		b, err := f.core.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(course(false), course(true)) {
		t.Error("restarts changed what the models know")
	}
}
