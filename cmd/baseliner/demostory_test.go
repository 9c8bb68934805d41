package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/demo"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// demoTale is what came of a shop's past, an hour with or without an incident, and a day after it, on simulated time: the
// samples of the demo, its configuration, the steps of live running.
type demoTale struct {
	told     []string                       // "12:30 firing conversion", in the order of time, from the hour on
	expected map[string]map[int64]*demoBand // signal and series, by time: the last hour of the day after
	signals  int
	layers   map[string]int
}

type demoBand struct{ center, lower, upper float64 }

const taleWeeks = 2

func tell(t *testing.T, incident bool) *demoTale {
	t.Helper()
	o := &demoOptions{zone: "UTC", path: t.TempDir()}
	file, err := writeDemoConfig(o, "127.0.0.1:1", "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	first, last := hour.AddDate(0, 0, -7*taleWeeks), hour.Add(25*time.Hour)
	shop := demo.New(1, first, hour, time.UTC)
	if incident {
		shop.Break(hour.Add(20*time.Minute), hour.Add(35*time.Minute))
	}
	db, err := tsdb.Import(t.Context(), t.TempDir(), first.UnixMilli(), last.UnixMilli(), func(add func(tsdb.Raw) error) error {
		cache := map[uint64]labels.Labels{}
		for shop.Now().Before(last) {
			shop.Advance(shop.Now().Add(demo.PastStep), demo.PastStep)
			for _, p := range []*demo.Page{shop.Node, shop.Database, shop.Service} {
				var err error
				p.Each(func(ls labels.Labels, v float64) {
					h := ls.Hash()
					if cache[h].IsEmpty() {
						cache[h] = labels.NewBuilder(ls).Set("job", p.Job).Set("instance", "shop:1").Labels()
					}
					err = errors.Join(err, add(tsdb.Raw{Labels: cache[h], T: shop.Now().UnixMilli(), V: v}))
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	past := &past{first: first.UnixMilli(), last: last.UnixMilli()}
	if err := past.evaluate(t.Context(), cfg, db, promql.Intervals{Default: demo.PastStep}); err != nil {
		t.Fatal(err)
	}
	cfg = past.sight.with(cfg)
	core, err := pipeline.NewCore(cfg.Signals)
	if err != nil {
		t.Fatal(err)
	}
	tale := &demoTale{expected: map[string]map[int64]*demoBand{}, signals: len(cfg.Signals), layers: map[string]int{}}
	for _, d := range cfg.Signals {
		tale.layers[d.Layer.String()]++
	}
	err = past.each(core, pace(cfg), func(now int64, inputs []pipeline.Input) error {
		out := core.Step(now, inputs)
		if now < hour.UnixMilli() {
			return nil
		}
		for i := range out.Events {
			e := &out.Events[i]
			state := "firing"
			if e.Event.Kind == detect.End {
				state = "resolved"
			}
			name := e.Signal.Def.Name
			if e.Series != nil && len(e.Series.Labels) > 0 {
				name += e.Series.Labels.String()
			}
			tale.told = append(tale.told, fmt.Sprintf("%s %s %s", time.UnixMilli(now).UTC().Format("02 15:04"), state, name))
		}
		if now > last.Add(-time.Hour).UnixMilli() {
			for i := range out.Judged {
				j := &out.Judged[i]
				key := j.Signal.Def.Name + j.Series.Labels.String()
				if tale.expected[key] == nil {
					tale.expected[key] = map[int64]*demoBand{}
				}
				tale.expected[key][now] = &demoBand{j.Verdict.Center, j.Verdict.Lower, j.Verdict.Upper}
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return tale
}

// TestDemoStory is the demo's story on simulated time: an hour with a quarter of an hour of a slow database, and the day
// after it.
func TestDemoStory(t *testing.T) {
	t.Parallel()
	tale := tell(t, true)
	t.Logf("%d signals: %v\n%s", tale.signals, tale.layers, strings.Join(tale.told, "\n"))
	count := map[string]int{}
	for _, line := range tale.told {
		_, what, _ := strings.Cut(line[3:], " ") // without the time
		count[what]++
		if line > "24 13:00" && !strings.Contains(line, "resolved") {
			t.Errorf("told after the story: %s", line)
		}
	}
	for _, name := range []string{`database_query_time{queryid="7719"}`, "checkout_latency_p95", "conversion"} {
		if count["firing "+name] != 1 || count["resolved "+name] != 1 {
			t.Errorf("%s fired %d times and resolved %d times", name, count["firing "+name], count["resolved "+name])
		}
	}
	for what, n := range count {
		if n != 1 {
			t.Errorf("%d times: %s", n, what)
		}
		name := strings.TrimPrefix(what, "firing ")
		if name != what && count["resolved "+name] == 0 {
			t.Errorf("%s has no end", name)
		}
	}
	for _, innocent := range []string{"visits", "checkouts", "node_memory_used", "http_requests", "container_memory"} {
		if slices.ContainsFunc(tale.told, func(l string) bool { return strings.Contains(l, " "+innocent) }) {
			t.Errorf("%s is accused", innocent)
		}
	}

	// What is expected a day later is what it would have been without.
	quiet := tell(t, false)
	if len(quiet.told) > 0 {
		t.Errorf("a shop without an incident: %v", quiet.told)
	}
	for key, points := range tale.expected {
		var moved, width float64
		for at, v := range points {
			if w := quiet.expected[key][at]; w != nil && !math.IsInf(w.upper-w.lower, 0) && !math.IsNaN(v.center-w.center) {
				moved += math.Abs(v.center - w.center)
				width += w.upper - w.lower
			}
		}
		if moved > 0.1*width {
			t.Errorf("%s: the incident moved what is expected by %.0f %% of the band", key, 100*moved/width)
		}
	}
}
