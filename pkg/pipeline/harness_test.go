package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// harness is an instance over real stores in a directory, fed with a synthetic shop whose values are a function of time
// alone: run it twice, with or without deaths in between, and everything must come out the same.
type harness struct {
	ledger  *state.Ledger
	live    *tsdb.DB
	history *tsdb.DB
	herald  *diary
	in      *Instance

	unlearned *Unlearned
	notes     *Annotations
}

// diary is a herald that keeps what it was told, by transition.
type diary struct{ ledger *state.Ledger }

var diaryBucket = []byte("diary")

func (d *diary) Put(tx *bbolt.Tx, _ int64, ts []Transition) error {
	b, err := tx.CreateBucketIfNotExists(diaryBucket)
	if err != nil {
		return err
	}
	for _, t := range ts {
		key := fmt.Appendf(nil, "%d %v %s", t.StartsAt, t.Firing, series.FromMap(t.Labels))
		if b.Get(key) != nil {
			continue
		}
		v, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if err := b.Put(key, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *diary) Committed() {}

func (d *diary) Stranded([]Transition, error) {}

func (d *diary) Firing(func(map[string]string, int64)) {}

func (d *diary) entries(t testing.TB) (all []string) {
	t.Helper()
	err := d.ledger.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(diaryBucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			all = append(all, string(k)+" "+string(v))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func openHarness(dir string, defs []signal.Definition, snapshotEvery time.Duration) (*harness, error) {
	h := &harness{}
	var err error
	if h.ledger, err = state.OpenLedger(dir, state.Options{NoSync: true}); err != nil {
		return nil, err
	}
	h.live, err = tsdb.Open(tsdb.Options{Dir: filepath.Join(dir, "live"), Name: "live", Retention: 48 * time.Hour})
	if err != nil {
		return nil, err
	}
	h.history, err = tsdb.Open(tsdb.Options{Dir: filepath.Join(dir, "history"), Name: "history", Retention: 60 * 24 * time.Hour, Block: 12 * time.Hour, NoLog: true, SamplesPerChunk: 720})
	if err != nil {
		return nil, err
	}
	h.herald = &diary{h.ledger}
	h.in, err = Open(context.Background(), defs, Options{
		Dir: dir, Ledger: h.ledger, Live: h.live, History: h.history, Engine: promql.New(promql.Options{}), Herald: h.herald,
		Intervals: promql.Intervals{Default: time.Minute}, SnapshotEvery: snapshotEvery,
	})
	return h, err
}

func (h *harness) close(t testing.TB) {
	t.Helper()
	for _, c := range []interface{ Close() error }{h.live, h.history, h.ledger} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// feed appends the shop's raw samples of one tick. Samples that are there already are no error.
func (h *harness) feed(t int64) error {
	app := h.live.Appender(context.Background())
	for instance := range 3 {
		for name, v := range shop(t, instance) {
			ls := labels.FromStrings(model.MetricNameLabel, name, "instance", fmt.Sprint(instance), "job", "shop")
			if _, err := app.Append(0, ls, t, v); err != nil {
				return err
			}
		}
	}
	return app.Commit()
}

// shop gives counters and a gauge with a daily season, hashed noise and an incident every few hours. Instance 2 is not
// there for half an hour in every three.
func shop(t int64, instance int) map[string]float64 {
	if instance == 2 && t/(30*60_000)%6 == 3 {
		return nil
	}
	minute := t / 60_000
	total := 0.0
	// A counter is the sum of what came in each minute since some midnight: cheap enough, and exact.
	for m := minute - minute%1440; m <= minute; m++ {
		total += float64(60 + noise(m, instance, 1)%20)
	}
	latency := 0.2 + 0.05*math.Sin(2*math.Pi*float64(minute%1440)/1440) + float64(noise(minute, instance, 2)%1000)/1e5
	if minute/37%11 == 5 && minute%37 < 9 {
		latency *= 3
	}
	return map[string]float64{
		"requests_total":  total + float64(minute/1440)*1e6,
		"errors_total":    float64(minute/1440)*1e6 + float64(minute%1440/7),
		"latency_seconds": latency,
	}
}

func noise(m int64, instance, salt int) uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, m, instance, salt)
	return h.Sum32()
}

func shopSignals() []signal.Definition {
	def := func(d signal.Definition) signal.Definition {
		d.Zone, d.Kind, d.Interval, d.Severity, d.Alert = "Europe/Berlin", "auto", time.Minute, "warning", d.Name
		return d
	}
	return []signal.Definition{
		def(signal.Definition{Name: "latency", Layer: series.Application, Expr: `max by (instance) (latency_seconds)`, Unit: "seconds", Direction: series.Up, AbsentFor: 5 * time.Minute}),
		def(signal.Definition{Name: "traffic", Layer: series.Business, Expr: `sum(rate(requests_total[5m]))`, For: 3 * time.Minute}),
		def(signal.Definition{Name: "errors", Layer: series.Application, Ratio: &signal.Ratio{Numerator: `sum by (instance) (increase(errors_total[5m]))`, Denominator: `sum by (instance) (increase(requests_total[5m]))`}, Unit: "ratio", KeepFiringFor: 5 * time.Minute}),
	}
}

// run feeds and ticks from wherever the instance is up to and including the tick end.
func (h *harness) run(start, end int64) error {
	from := start
	if last := h.in.LastTick(); last >= start {
		from = last + 60_000
	}
	for t := from; t <= end; t += 60_000 {
		if err := h.feed(t); err != nil {
			return fmt.Errorf("feed %d: %w", t, err)
		}
		if err := h.in.Tick(context.Background(), t); err != nil {
			return err
		}
	}
	return nil
}

// points lists every recorded sample of every result, bit by bit.
func (h *harness) points(t testing.TB, from, to int64) (all []string) {
	t.Helper()
	for _, metric := range append([]string{metricTick}, recorded[:]...) {
		err := h.live.Each(context.Background(), metric, from, to, func(ls labels.Labels, samples []tsdb.Sample) error {
			for _, s := range samples {
				all = append(all, fmt.Sprintf("%s %d %x", ls, s.T, math.Float64bits(s.V)))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// models is the state of the core.
func (h *harness) models(t testing.TB) string {
	t.Helper()
	b, err := h.in.core.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// summaries lists what the ledger keeps.
func (h *harness) summaries(t testing.TB) (all []string) {
	t.Helper()
	err := h.ledger.View(func(tx *bbolt.Tx) error {
		return state.EachSeries(tx, func(id state.SeriesID, k state.Known, _ int64) error {
			ss, err := state.Summaries(tx, id, 0, 1<<31-1)
			for i := range ss {
				all = append(all, fmt.Sprintf("%s%v %x", k.Signal, k.Labels, ss[i].Append(nil)))
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
