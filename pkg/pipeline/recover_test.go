package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

const (
	snapshotFile = "snapshot"
	previousFile = "snapshot.previous"
)

func (p *plant) snapshot(name string) []byte {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// wholeHistory wants the ledger to hold every hour that a model has folded.
func (p *plant) wholeHistory() {
	p.t.Helper()
	folded := 0
	for _, s := range p.in.core.signals {
		for _, sr := range s.series {
			folded += int(sr.model.Slow.Hours)
		}
	}
	if n := len(p.summaries(p.t)); n != folded || n == 0 {
		p.t.Errorf("%d hours in the ledger, %d in the models", n, folded)
	}
}

func TestRecoveryWithoutASnapshot(t *testing.T) {
	defs := []signal.Definition{loadSignal(), totalSignal()}
	p := newPlant(t, defs...)
	p.run(plantKnown + 9*plantStep)
	start := p.incident()
	p.run(start + 4*plantStep) // an alert fires, one hour waits to become final and another is open
	news, summaries, slow := p.told.news, p.summaries(t), slowOf(p)
	if len(news) != 2 {
		t.Fatalf("told %q", news)
	}
	p.told.news = nil
	p.close(t)
	for _, name := range []string{snapshotFile, previousFile} {
		if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.open(defs...)
	same(t, "summaries", summaries, p.summaries(t), 100)
	if !slices.Equal(slow, slowOf(p)) {
		t.Error("the models do not fold to what they were")
	}
	p.hears() // the alert goes on
	if p.firing() != 2 {
		t.Errorf("%d fire", p.firing())
	}
	p.load = usual
	p.run(p.next())
	if len(p.told.news) != 2 || len(p.told.open) != 0 {
		t.Errorf("told %q, open %v", p.told.news, p.told.open)
	}
	p.run(p.next() + 2*hourMillis)
	same(t, "summaries of then", summaries, firstOf(p.summaries(t), summaries), 100)
	p.wholeHistory()
}

// slowOf lists the slow models.
func slowOf(p *plant) (all []any) {
	for _, s := range p.in.core.signals {
		for _, sr := range s.series {
			all = append(all, sr.model.Slow)
		}
	}
	return all
}

// firstOf keeps those facts that are among the wanted.
func firstOf(all, wanted []string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return !slices.Contains(wanted, s) })
}

func TestRecoveryFromTheSnapshotBeforeADamagedOne(t *testing.T) {
	damage := map[string]func([]byte) []byte{
		"a bit flipped": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"cut short":     func(b []byte) []byte { return b[:len(b)/3] },
		"empty":         func([]byte) []byte { return nil },
	}
	p := newPlant(t, loadSignal())
	p.run(plantKnown)
	start := p.incident()
	p.run(start + plantStep)
	p.hears(load0(true, "warning", "anomaly", start))
	for name, f := range damage {
		t.Run(name, func(t *testing.T) {
			p.run(p.next() + 6*plantStep) // two snapshots of its own, and points after them
			if slices.Equal(p.snapshot(snapshotFile), p.snapshot(previousFile)) {
				t.Fatal("the two snapshots are equal")
			}
			models, summaries, last := p.models(t), p.summaries(t), p.in.LastTick()
			p.told.news = nil
			path := filepath.Join(p.dir, snapshotFile)
			if err := os.WriteFile(path, f(p.snapshot(snapshotFile)), 0o600); err != nil {
				t.Fatal(err)
			}
			p.restart(loadSignal())
			if _, err := os.Stat(path + ".corrupt"); err != nil {
				t.Errorf("the damaged one was not put aside: %v", err)
			}
			if p.in.LastTick() != last {
				t.Errorf("recovered to %s, was at %s", clockText(p.in.LastTick()), clockText(last))
			}
			if p.models(t) != models {
				t.Error("the models are others")
			}
			same(t, "summaries", summaries, p.summaries(t), 100)
			p.hears()
		})
	}
}

func TestRecoveryUnderAnotherDefinition(t *testing.T) {
	for _, kept := range []bool{true, false} {
		name := map[bool]string{true: "with snapshots", false: "without snapshots"}[kept]
		t.Run(name, func(t *testing.T) {
			p := newPlant(t, loadSignal(), totalSignal())
			p.run(plantStart + 6*hourMillis + 7*plantStep)
			total := memoryOf(p.in.core.Signal("total").series[0].model)
			p.close(t)
			if !kept {
				for _, name := range []string{snapshotFile, previousFile} {
					if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
						t.Fatal(err)
					}
				}
			}
			other := loadSignal()
			other.Expr = `max by (machine) (load) * 1000`
			p.open(other, totalSignal())
			for again := range 2 { // the second time there is a snapshot of the new one
				load := p.in.core.Signal("load")
				if len(load.series) != 0 {
					t.Fatalf("start %d: the new definition has %d series from points of the old", again, len(load.series))
				}
				if got := memoryOf(p.in.core.Signal("total").series[0].model); got.Slow != total.Slow || kept && got.Open != total.Open {
					t.Errorf("start %d: the signal that is as it was knows something else", again)
				}
				if again == 0 {
					p.restart(other, totalSignal())
				}
			}
			p.run(p.next())
			for _, sr := range p.in.core.Signal("load").series {
				if sr.model.Open.N != 1 || !(sr.model.Open.Low > 50_000) || sr.missing != series.Observed {
					t.Errorf("%s: %d points from %g", sr.Labels, sr.model.Open.N, sr.model.Open.Low)
				}
			}
		})
	}
}

func TestAnAlertThatBeginsWhileTheLedgerFails(t *testing.T) {
	// begin lets an alert fire that cannot be committed, for longer than snapshots are apart.
	begin := func(t *testing.T) (p *plant, start int64) {
		p = newPlant(t, loadSignal())
		p.run(plantKnown)
		p.hears()
		before := p.snapshot(snapshotFile)
		start = p.incident()
		p.told.failing = true
		for at := start; at <= start+6*plantStep; at += plantStep {
			if err := p.tick(at); !errors.Is(err, errWitness) {
				t.Fatalf("tick %s: %v", clockText(at), err)
			}
		}
		if err := p.in.Snapshot(); err == nil {
			t.Error("a snapshot was written over what the ledger does not have")
		}
		if !slices.Equal(before, p.snapshot(snapshotFile)) {
			t.Error("the snapshot was replaced")
		}
		p.hears()
		p.told.failing = false
		return p, start
	}
	over := func(t *testing.T, p *plant, start int64) {
		t.Helper()
		p.hears(load0(true, "warning", "anomaly", start))
		p.run(p.next() + plantStep)
		p.hears()
		p.wholeHistory()
		p.load = usual
		p.run(p.next())
		p.hears(load0(false, "warning", "anomaly", start))
		if err := p.in.Snapshot(); err != nil {
			t.Error(err)
		}
	}
	t.Run("until the ledger works again", func(t *testing.T) {
		p, start := begin(t)
		p.run(p.next())
		over(t, p, start)
	})
	t.Run("until a restart", func(t *testing.T) {
		p, start := begin(t)
		p.restart(loadSignal())
		over(t, p, start)
	})
	t.Run("and is over before it works again", func(t *testing.T) {
		p, start := begin(t)
		p.told.failing, p.load = true, usual
		if err := p.tick(p.next()); !errors.Is(err, errWitness) {
			t.Fatal(err)
		}
		p.told.failing = false
		p.run(p.next())
		p.hears(load0(true, "warning", "anomaly", start), load0(false, "warning", "anomaly", start))
	})
}

func TestSeriesThatAppearWhileTheLedgerFails(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.told.failing = true
	for at := plantStart; at < plantStart+3*hourMillis; at += plantStep { // hours close, and none is committed
		if err := p.tick(at); !errors.Is(err, errWitness) {
			t.Fatalf("tick %s: %v", clockText(at), err)
		}
	}
	p.told.failing = false
	p.run(p.next() + hourMillis)
	p.wholeHistory()
	models := p.models(t)
	p.restart(loadSignal())
	if p.models(t) != models {
		t.Error("the models are others after a restart")
	}
}
