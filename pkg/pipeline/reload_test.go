package pipeline

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/baseliner/baseliner/pkg/series"
)

func TestReloadWithAnotherSeverityWhileFiring(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.run(plantKnown)
	p.hears()
	start := p.incident()
	p.run(start + 4*plantStep)
	p.hears(load0(true, "warning", "anomaly", start))

	critical := loadSignal()
	critical.Severity = "critical"
	models := p.models(t)
	p.reload(critical)
	p.hears(load0(false, "warning", "anomaly", start), load0(true, "critical", "anomaly", start))
	if p.models(t) != models {
		t.Error("the models are others")
	}
	if p.firing() != 1 || len(p.told.open) != 1 {
		t.Errorf("%d fire, %d were told", p.firing(), len(p.told.open))
	}
	p.reload(critical) // once more is no news
	p.run(p.next())
	p.hears()
	p.load = usual
	p.run(p.next())
	p.hears(load0(false, "critical", "anomaly", start))
}

func TestReloadWithoutASignalEndsItsAlert(t *testing.T) {
	p := newPlant(t, loadSignal(), totalSignal())
	p.run(plantKnown)
	start := p.incident()
	p.run(start)
	total := func(firing bool) string {
		return told(firing, map[string]string{"severity": "warning", "alertname": "Total", "type": "anomaly"}, start)
	}
	p.hears(load0(true, "warning", "anomaly", start), total(true))
	summaries := p.summaries(t)

	p.reload(totalSignal())
	p.hears(load0(false, "warning", "anomaly", start))
	if p.firing() != 1 {
		t.Errorf("%d fire", p.firing())
	}
	p.reload(loadSignal(), totalSignal()) // it comes back with what history knows
	same(t, "summaries", summaries, p.summaries(t), 100)
	load := p.in.core.Signal("load")
	if len(load.series) != 2 {
		t.Fatalf("%d series of load", len(load.series))
	}
	p.load = usual
	p.run(p.next())
	p.hears(total(false))
	for _, sr := range load.series {
		if !sr.verdict.Known {
			t.Errorf("%s: %s", sr.Labels, sr.verdict.Reason())
		}
	}
}

func TestReloadWithAnotherExpressionLearnsAnew(t *testing.T) {
	p := newPlant(t, loadSignal(), totalSignal())
	p.run(plantKnown)
	start := p.incident()
	p.run(start)
	p.told.news = nil // both fire: see above
	total := memoryOf(p.in.core.Signal("total").series[0].model)

	other := loadSignal()
	other.Expr = `max by (machine) (load) * 1000`
	p.reload(other, totalSignal())
	p.hears(load0(false, "warning", "anomaly", start))
	if p.firing() != 1 {
		t.Errorf("%d fire; the sum should", p.firing())
	}
	load := p.in.core.Signal("load")
	if len(load.series) != 0 {
		t.Errorf("%d series of load are left", len(load.series))
	}
	p.run(p.next())
	for _, sr := range load.series {
		if sr.model.Open.N != 1 || sr.model.Slow.Hours != 0 || sr.verdict.Known || sr.missing != series.Observed {
			t.Errorf("%s: %d points in the open hour, %d hours behind it, known %v", sr.Labels, sr.model.Open.N, sr.model.Slow.Hours, sr.verdict.Known)
		}
	}
	if got := memoryOf(p.in.core.Signal("total").series[0].model); got.Slow != total.Slow || got.Open.N != total.Open.N+1 {
		t.Error("the other signal did not go on with what it knew")
	}
}

// What a disk refuses while definitions are swapped does not undo the swap: file and state would be apart.
func TestReloadOnADiskThatIsGone(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.run(plantStart + hourMillis)
	dir := p.in.o.Dir
	p.in.o.Dir = filepath.Join(dir, "gone")
	if err := p.in.Snapshot(); err == nil {
		t.Fatal("the disk is not gone")
	}
	p.reload(loadSignal(), totalSignal())
	p.in.o.Dir = dir
	p.run(p.next())
	if s := p.in.core.Signal("total"); s == nil || len(s.series) != 1 {
		t.Error("the new definition is not in force")
	}
}

func TestStatusWhileReloading(t *testing.T) {
	p := newPlant(t, loadSignal(), totalSignal())
	p.run(plantStart + 2*hourMillis)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, s := range p.in.Status() {
					if n := len(s.Series); n > 2 {
						t.Errorf("%d series of %s", n, s.Def.Name)
					}
				}
				p.in.SeriesCount()
				p.in.Profiles("load", func(series.Labels) bool { return true })
			}
		})
	}
	for range 10 {
		p.reload(totalSignal())
		p.run(p.next())
		p.reload(loadSignal(), totalSignal())
		p.run(p.next())
	}
	close(stop)
	readers.Wait()
}
