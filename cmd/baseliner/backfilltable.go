package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/ingest/csv"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// openTable reads a CSV file: its values are points already, evaluated by whoever exported them.
func openTable(o *backfillOptions, cfg *config.Config) (*past, error) {
	wide, err := csv.ReadWide(o.from)
	if err != nil {
		return nil, err
	}
	if len(wide.Times) == 0 {
		return nil, fmt.Errorf("%s holds no rows", o.from)
	}
	var columns []column
	asked := map[string]bool{}
	for i, name := range wide.Columns {
		if len(wide.Columns) == 1 && name == "value" || slices.Equal(wide.Columns, []string{"value", "label"}) && i == 0 {
			name = o.signal
			if name == "" {
				name = strings.TrimSuffix(strings.TrimSuffix(filepath.Base(o.from), ".gz"), ".csv")
			}
		} else if name == "label" && slices.Contains(wide.Columns, "value") {
			continue
		}
		c, err := parseColumn(name, everything(cfg))
		if err != nil {
			return nil, fmt.Errorf("%s: column %q: %w", o.from, name, err)
		}
		c.values = wide.Values[i]
		columns = append(columns, c)
		asked[c.signal] = true
	}
	if err := notFromTheFuture(o.from, wide.Times[len(wide.Times)-1], cfg); err != nil {
		return nil, err
	}
	core, err := pipeline.NewCore(sight{known: asked}.with(cfg).Signals)
	if err != nil {
		return nil, err
	}
	ticks, err := newTable(core, wide.Times, columns, time.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.from, err)
	}
	if len(ticks.times) == 0 {
		return nil, fmt.Errorf("%s holds no hour or day that is over", o.from)
	}
	p := &past{sight: sight{known: asked}, first: ticks.times[0], last: ticks.times[len(ticks.times)-1], close: func() error { return nil }}
	p.each = ticks.each
	return p, nil
}

// table is a file by ticks. A row of a signal that is judged by the hour or by the day bears the time at which that began,
// as tables of databases do; its tick is the end of it. Rows of other signals are points at their times.
type table struct {
	columns []column
	times   []int64         // of ticks, ascending
	rows    map[int64][]int // tick → for each column the row, or none
}

// none: the column has no row at this tick; empty: it has one without a value.
const (
	none  = -1
	empty = -2
)

type column struct {
	signal string
	labels series.Labels
	values []float64
}

func newTable(core *pipeline.Core, times []int64, columns []column, now int64) (*table, error) {
	t := &table{columns: columns, rows: map[int64][]int{}}
	for c, col := range columns {
		s := core.Signal(col.signal)
		for r, at := range times {
			tick := s.TickOfRow(at)
			if tick > now && tick != at {
				continue // it is not over
			}
			rows := t.rows[tick]
			if rows == nil {
				rows = slices.Repeat([]int{none}, len(columns))
				t.rows[tick] = rows
			}
			switch {
			case math.IsNaN(col.values[r]):
				if rows[c] == none {
					rows[c] = empty
				}
			case rows[c] >= 0:
				return nil, fmt.Errorf("column of signal %s: the rows of %s and %s are one %s: a signal with that interval takes one row for each",
					col.signal, utc(times[rows[c]]), utc(at), map[bool]string{true: "day", false: "hour"}[s.Def.Interval == signal.Day])
			default:
				rows[c] = r
			}
		}
	}
	t.times = slices.Sorted(maps.Keys(t.rows))
	return t, nil
}

// each hands the ticks to f. A signal is at a tick if a column of it has a row there, be it empty.
func (t *table) each(core *pipeline.Core, _ time.Duration, f func(int64, []pipeline.Input) error) error {
	bySignal := map[string][]int{}
	var order []*pipeline.Signal
	for i, c := range t.columns {
		if bySignal[c.signal] == nil {
			order = append(order, core.Signal(c.signal))
		}
		bySignal[c.signal] = append(bySignal[c.signal], i)
	}
	buffers := make([][]pipeline.Observation, len(order))
	inputs := make([]pipeline.Input, 0, len(order))
	for _, at := range t.times {
		inputs = inputs[:0]
		rows := t.rows[at]
		for k, s := range order {
			observations, asked := buffers[k][:0], false
			for _, i := range bySignal[s.Def.Name] {
				asked = asked || rows[i] != none
				if r := rows[i]; r >= 0 {
					observations = append(observations, pipeline.Observation{Labels: t.columns[i].labels, Point: series.Point{T: at, Value: t.columns[i].values[r]}})
				}
			}
			if buffers[k] = observations; asked {
				inputs = append(inputs, pipeline.Input{Signal: s, Otherwise: series.NoData, Observations: observations})
			}
		}
		if err := f(at, inputs); err != nil {
			return err
		}
	}
	return nil
}

// parseColumn reads a column's name: a signal, or signal{label="value"} for one of its series. What would be learnt and never
// be found again is refused.
func parseColumn(name string, signals []signal.Definition) (column, error) {
	ls, err := parser.NewParser(parser.Options{}).ParseMetric(name)
	if err != nil {
		return column{}, err
	}
	c := column{signal: ls.Get("__name__"), labels: tsdb.FromPrometheus(ls, "__name__")}
	var names []string
	for _, s := range signals {
		if s.Name != c.signal {
			if s.Pack == "" {
				names = append(names, s.Name)
			}
			continue
		}
		if s.Ratio != nil {
			return c, fmt.Errorf("signal %s is a ratio and judged on its two counts, which a column of quotients does not have: fill it from a server or from raw samples", s.Name)
		}
		if want, known := s.ResultLabels(); known {
			return c, sameLabels(s.Name, c.labels, want)
		}
		return c, nil
	}
	if len(names) == 0 {
		return c, errors.New("no signal of that name is configured, and none of a pack has it")
	}
	return c, fmt.Errorf("no signal of that name is configured; there are %s", joinNames(names))
}

// sameLabels wants a column to name the labels that the series of its signal have: a series that lacks one is another.
func sameLabels(name string, have series.Labels, want []string) error {
	names := make([]string, len(have))
	for i, l := range have {
		names[i] = l.Name
	}
	slices.Sort(names)
	for _, n := range names {
		if !slices.Contains(want, n) {
			return fmt.Errorf("series of signal %s have no label %s", name, n)
		}
	}
	if len(names) == len(want) {
		return nil
	}
	if len(names) > 0 { // an aggregation leaves out what all of its series lack
		return nil
	}
	example := make([]string, len(want))
	for i, n := range want {
		example[i] = n + `=""...""`
	}
	return fmt.Errorf("series of signal %s have the labels %s: name the column \"%s{%s}\", quotes doubled as CSV has it", name, strings.Join(want, ", "), name, strings.Join(example, ","))
}
