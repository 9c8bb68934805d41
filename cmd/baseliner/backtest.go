package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/ingest/csv"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

type backtestOptions struct {
	inputs                       []string
	config, zone, layer, kind    string
	budget, scores, alerts, form string
}

func backtestFlags(c *kingpin.CmdClause) *backtestOptions {
	o := &backtestOptions{}
	c.Flag("input", "CSV files (timestamp,value[,label]) or directories of them, separated by commas.").Required().StringsVar(&o.inputs)
	c.Flag("config.file", "Take the calendar, and the definition of the signal named like the file, from this configuration.").StringVar(&o.config)
	c.Flag("timezone", "IANA time zone in which hours of the week are counted.").Default("UTC").StringVar(&o.zone)
	c.Flag("layer", "infrastructure, application or business.").Default("application").StringVar(&o.layer)
	c.Flag("kind", "auto, gauge, count or ratio.").Default("auto").EnumVar(&o.kind, "auto", "gauge", "count", "ratio")
	c.Flag("budget", "False alarms a signal may cost, as in 3/w; by default what the configuration says, or 1/w.").StringVar(&o.budget)
	c.Flag("scores", "Write one row per input row to this CSV file.").StringVar(&o.scores)
	c.Flag("alerts", "Write the alerts to this JSON file.").StringVar(&o.alerts)
	c.Flag("format", "Of the summary: table or json.").Default("table").EnumVar(&o.form, "table", "json")
	return o
}

// tested is the summary of one file.
type tested struct {
	Series     string  `json:"series"`
	Rows       int     `json:"rows"`
	Missing    int     `json:"missing"`
	Resolution float64 `json:"resolution_seconds"`
	LearntAt   int64   `json:"first_band,omitempty"` // unix seconds
	Anomalous  int     `json:"anomalous"`
	Alerts     int     `json:"alerts"`
	Events     int     `json:"labelled_events,omitempty"`
	Found      int     `json:"labelled_events_found,omitempty"`
	False      int     `json:"alerts_outside_labels,omitempty"`
	Labelled   bool    `json:"labelled"`
}

func backtest(ctx context.Context, o *backtestOptions, stdout io.Writer) (err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // rows are garbage at once, and what stays is small
	budget := 0.0
	if o.budget != "" {
		if budget, err = config.ParseBudget(o.budget); err != nil {
			return fmt.Errorf("--budget=%s: %w", o.budget, err)
		}
	}
	layer, err := series.ParseLayer(o.layer)
	if err != nil {
		return fmt.Errorf("--layer: %w", err)
	}
	defs := map[string]signal.Definition{}
	var rules *calendar.Rules
	if o.config != "" {
		cfg, err := loadConfig(o.config, config.Options{}, os.Stderr)
		if err != nil {
			return err
		}
		for _, d := range cfg.Signals {
			defs[d.Name] = d
		}
		rules = cfg.Calendar
	}
	var inputs []csv.Input
	for _, list := range o.inputs {
		for path := range strings.SplitSeq(list, ",") {
			in, err := csv.Inputs(path)
			if err != nil {
				return err
			}
			inputs = append(inputs, in...)
		}
	}
	scores, closeScores, err := createScores(o.scores)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeScores()) }()

	var summaries []tested
	alerts := []*pipeline.Alert{}
	for _, in := range inputs {
		if err := ctx.Err(); err != nil {
			return err
		}
		def, ok := defs[in.Series]
		if !ok {
			def = signal.Definition{Name: in.Series, Alert: in.Series, Layer: layer, Zone: o.zone, Kind: o.kind, Severity: "warning", Calendar: rules}
		}
		if budget > 0 { // the file stands alone: its team is as large as its signal
			def.Budget = signal.Budget{Signal: budget, Total: budget}
		}
		s, found, err := backtestFile(in, def, scores)
		if err != nil {
			return err
		}
		summaries = append(summaries, s)
		alerts = append(alerts, found...)
	}
	if o.alerts != "" {
		if err := writeJSON(o.alerts, alerts); err != nil {
			return err
		}
	}
	if o.form == "json" {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"series": summaries, "alerts": alerts})
	}
	return printBacktest(stdout, summaries, alerts)
}

func backtestFile(in csv.Input, def signal.Definition, scores *bufio.Writer) (tested, []*pipeline.Alert, error) {
	r, err := csv.Open(in.Path)
	if err != nil {
		return tested{}, nil, err
	}
	defer r.Close()
	s := tested{Series: in.Series}
	head, step := csv.Head(r)
	def.Interval = max(step, time.Second)
	s.Resolution = def.Interval.Seconds()
	b, err := pipeline.NewBacktest(def)
	if err != nil {
		return s, nil, err
	}
	truth := &truth{}
	take := func(row csv.Row) {
		j := b.Step(row.Point)
		s.Rows++
		if row.Missing != series.Observed {
			s.Missing++
		}
		if j.Verdict.Known && s.LearntAt == 0 {
			s.LearntAt = row.T / 1000
		}
		if j.Anomalous() {
			s.Anomalous++
		}
		truth.add(row)
		if scores != nil {
			writeScore(scores, in.Series, j.Verdict, j.Anomalous())
		}
	}
	for _, row := range head {
		take(row)
	}
	for r.Next() {
		take(r.Row())
	}
	if err := r.Err(); err != nil {
		return s, nil, err
	}
	s.Alerts = len(b.Alerts)
	s.Labelled = truth.labelled
	s.Events = len(truth.events)
	s.Found, s.False = truth.judge(b.Alerts)
	return s, b.Alerts, nil
}

// truth gathers the labelled events of a file. It is consulted after the fact only.
type truth struct {
	labelled bool
	inside   bool
	events   [][2]int64
}

func (t *truth) add(r csv.Row) {
	if r.Truth != csv.Unlabelled {
		t.labelled = true
	}
	if r.Truth != csv.Anomalous {
		t.inside = false
		return
	}
	if !t.inside {
		t.events = append(t.events, [2]int64{r.T, r.T})
	}
	t.inside = true
	t.events[len(t.events)-1][1] = r.T
}

// judge counts the events that an alert overlaps, and the alerts that overlap none.
func (t *truth) judge(alerts []*pipeline.Alert) (found, outside int) {
	hit := make([]bool, len(t.events))
	for _, a := range alerts {
		end, inside := a.EndsAt, false
		if end == 0 {
			end = math.MaxInt64
		}
		for i, e := range t.events {
			if a.StartsAt <= e[1] && end >= e[0] {
				hit[i], inside = true, true
			}
		}
		if !inside && t.labelled {
			outside++
		}
	}
	for _, h := range hit {
		if h {
			found++
		}
	}
	return found, outside
}

func createScores(path string) (w *bufio.Writer, done func() error, err error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, fmt.Errorf("write scores: %w", err)
	}
	w = bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "series,timestamp,value,expected,lower,upper,score,anomalous")
	return w, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

// writeScore writes a row. What is missing or not known is an empty cell; the score of such a row is 0.
func writeScore(w *bufio.Writer, name string, v *baseline.Verdict, anomalous bool) {
	if strings.ContainsAny(name, "\",\n\r") {
		name = strconv.Quote(name)
	}
	b := append(w.AvailableBuffer(), name...)
	b = append(b, ',')
	b = strconv.AppendFloat(b, float64(v.T)/1000, 'f', -1, 64)
	cell := func(x float64) {
		b = append(b, ',')
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			b = strconv.AppendFloat(b, x, 'g', -1, 64)
		}
	}
	value := v.Value
	if v.Missing != series.Observed {
		value = math.NaN()
	}
	for _, x := range [...]float64{value, v.Center, v.Lower, v.Upper, v.Score} {
		cell(x)
	}
	if anomalous {
		b = append(b, ",1\n"...)
	} else {
		b = append(b, ",0\n"...)
	}
	_, _ = w.Write(b) // bufio keeps the first error for Flush
}

func printBacktest(stdout io.Writer, summaries []tested, alerts []*pipeline.Alert) error {
	w := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SERIES\tROWS\tSTEP\tBAND FROM\tANOMALOUS ROWS\tALERTS\tEVENTS FOUND\tALERTS OUTSIDE EVENTS")
	for _, s := range summaries {
		from, found, outside := "never", "-", "-"
		if s.LearntAt > 0 {
			from = time.Unix(s.LearntAt, 0).UTC().Format("2006-01-02 15:04")
		}
		if s.Labelled {
			found, outside = fmt.Sprintf("%d of %d", s.Found, s.Events), strconv.Itoa(s.False)
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%d\t%s\t%s\n", s.Series, s.Rows, time.Duration(s.Resolution*float64(time.Second)), from, s.Anomalous, s.Alerts, found, outside)
	}
	if len(alerts) > 0 {
		fmt.Fprintln(w)
		fmt.Fprintln(w, "START (UTC)\tEND\tSCORE\tALERT")
	}
	for _, a := range alerts {
		end := "open"
		if a.EndsAt > 0 {
			end = time.UnixMilli(a.EndsAt).UTC().Format("01-02 15:04")
		}
		fmt.Fprintf(w, "%s\t%s\t%+.2f\t%s\n", time.UnixMilli(a.StartsAt).UTC().Format("2006-01-02 15:04"), end, a.Score, a.Summary)
	}
	return w.Flush()
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write alerts: %w", err)
	}
	return nil
}
