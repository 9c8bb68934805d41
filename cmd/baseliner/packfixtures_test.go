package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

var update = flag.Bool("update", false, "write what was found to the golden files")

// recordings are the expositions that packs are tested against; testdata/README.md says where each comes from.
const recordings = "../../pkg/signal/packs/testdata"

// unrecorded are the signals for which no real exposition could be had. They follow the documentation of who exposes them.
var unrecorded = map[string]string{
	"cache_hit_ratio":           "redis",
	"payments_failed":           "business",
	"signups":                   "business",
	"logins":                    "business",
	"container_memory_of_limit": "kubernetes", // the recording has no limit
	"pg_replication_lag":        "postgresql",
}

// TestPacksOnRecordings lets every exposition that was recorded be scraped for a quarter of an hour, its counters going
// on, and writes down which signals that switches on, what series they have and their values. A signal that is on has values.
func TestPacksOnRecordings(t *testing.T) {
	files, err := filepath.Glob(recordings + "/*.prom")
	if err != nil || len(files) < 8 {
		t.Fatalf("recordings: %v, %v", files, err)
	}
	cfg, err := config.LoadBytes("x.yml", []byte("global: {scrape_interval: 1m}"), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ever := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".prom")
		t.Run(name, func(t *testing.T) {
			got := seriesOf(t, file, name, cfg.Packs, ever)
			golden := strings.TrimSuffix(file, ".prom") + ".signals"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", file, got, want)
			}
		})
	}
	for _, p := range cfg.Packs {
		for _, s := range p.Signals {
			_, excused := unrecorded[s.Name]
			if ever[s.Name] == excused {
				t.Errorf("signal %s of pack %s: on in a recording %t, listed as without one %t", s.Name, p.Name, ever[s.Name], excused)
			}
		}
	}
}

// seriesOf is one line for each series of each signal that the recording switches on, with the value at the end.
func seriesOf(t *testing.T, file, job string, packs []signal.Pack, ever map[string]bool) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	samples := exposed(t, b, job)
	seen := map[string]bool{}
	db, err := tsdb.Import(t.Context(), t.TempDir(), end.Add(-15*time.Minute).UnixMilli(), end.UnixMilli(), func(add func(tsdb.Raw) error) error {
		for minute := range 16 {
			for _, s := range samples {
				seen[s.labels.Get(model.MetricNameLabel)] = true
				v := s.value
				if s.counter { // a hundredth more with every minute, in every bucket
					v *= 1 + float64(minute)/100
				}
				if err := add(tsdb.Raw{Labels: s.labels, T: end.Add(time.Duration(minute-15) * time.Minute).UnixMilli(), V: v}); err != nil {
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
	engine := promql.New(promql.Options{})
	var lines []string
	for _, p := range packs {
		for _, s := range p.Signals {
			if _, missing := s.Need.Look(func(metric string) bool { return seen[metric] }); len(missing) > 0 {
				continue
			}
			values := valuesOf(t, engine, db, s.Definition, end)
			if len(values) == 0 {
				t.Logf("%s is on and has no value", s.Name)
			}
			for labels, v := range values {
				ever[s.Name] = true
				lines = append(lines, fmt.Sprintf("%s %s %s = %s %s", p.Name, s.Name, labels, v, s.Unit))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// valuesOf are the values of a signal's series with three digits, by their labels: of a ratio the quotient, where there is one.
func valuesOf(t *testing.T, engine *promql.Engine, db *tsdb.DB, s signal.Definition, end time.Time) map[string]string {
	t.Helper()
	at := func(expr string) map[string]float64 {
		values := map[string]float64{}
		for _, r := range evaluateAt(t, engine, db, expr, end) {
			for _, pod := range []string{"instance", "pod", "container_id", "id"} {
				if r.Labels.Get(pod) != "" {
					t.Errorf("%s keeps %s: %s", s.Name, pod, r.Labels)
				}
			}
			if v := r.Points[0]; v.Missing == series.Observed && !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0) {
				values[r.Labels.String()] = v.Value
			}
		}
		return values
	}
	values := map[string]string{}
	if s.Ratio == nil {
		for labels, v := range at(s.Expr) {
			values[labels] = fmt.Sprintf("%.3g", v)
		}
		return values
	}
	parts := at(s.Ratio.Numerator)
	for labels, whole := range at(s.Ratio.Denominator) {
		part, ok := parts[labels]
		if !ok || part > whole {
			t.Errorf("%s of %s: %g (there is one: %t) of %g", s.Name, labels, part, ok, whole)
		}
		values[labels] = fmt.Sprintf("%.3g", part/whole)
		if whole == 0 {
			values[labels] = "0 of 0"
		}
	}
	return values
}

func evaluateAt(t *testing.T, engine *promql.Engine, db *tsdb.DB, expr string, at time.Time) []promql.Result {
	t.Helper()
	q, err := engine.Parse(expr, 0)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := engine.Instant(context.Background(), db, q, at.UnixMilli(), promql.Intervals{Default: time.Minute})
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return rs
}

type exposedSample struct {
	labels  labels.Labels
	value   float64
	counter bool
}

// exposed reads an exposition as a scrape of the job would.
func exposed(t *testing.T, b []byte, job string) []exposedSample {
	t.Helper()
	p, err := textparse.New(b, "text/plain", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kind := model.MetricTypeUnknown
	var all []exposedSample
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch entry {
		case textparse.EntryType:
			_, kind = p.Type()
		case textparse.EntrySeries:
			var ls labels.Labels
			p.Labels(&ls)
			_, _, v := p.Series()
			b := labels.NewBuilder(ls).Set("job", job).Set("instance", "127.0.0.1:1")
			counter := kind == model.MetricTypeCounter || kind == model.MetricTypeHistogram ||
				kind == model.MetricTypeSummary && ls.Get("quantile") == "" ||
				strings.HasSuffix(ls.Get(model.MetricNameLabel), "_current_offset") // of Kafka, exposed as gauges
			all = append(all, exposedSample{b.Labels(), v, counter})
		default: // texts
		}
	}
}
