package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/model"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/report"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

type reportOptions struct {
	where
	kind, outcome, span, to, format, out, input string
	volume, outcomeKind, worth, zone, config    string
	at                                          string
	limit                                       float64
}

func reportFlags(c *kingpin.CmdClause) *reportOptions {
	o := &reportOptions{}
	c.Arg("kind", "correlation: what goes with a business figure; impact: what measurements take of it, ranked; change: before and after a deploy; envelope: under load; capacity: when it is used up; weekly: of an instance, what happened, what it took, and the noise of the alerts.").Required().EnumVar(&o.kind, reportKinds...)
	c.Flag("outcome", "Business signal, or column of --input, that the report is about.").StringVar(&o.outcome)
	c.Flag("range", "How much of the past to look at, as in 28d; by default all there is.").StringVar(&o.span)
	c.Flag("to", "End of the range, or of the week: RFC 3339, unix seconds, now, or before now as in -3d; by default the newest data, or last Monday.").StringVar(&o.to)
	c.Flag("format", "md, html, json or csv.").Default("md").EnumVar(&o.format, "md", "html", "json", "csv")
	c.Flag("out", "Write to this file instead of the terminal.").StringVar(&o.out)
	c.Flag("input", "Wide CSV file (timestamp and one column per signal) to report on, without a server.").StringVar(&o.input)
	c.Flag("volume", "Column of --input with the traffic to hold equal (visits, requests); none for none; by default looked for by name.").StringVar(&o.volume)
	c.Flag("kind", "Of the outcome in --input: auto, gauge, count, or ratio (of --volume).").Default("auto").EnumVar(&o.outcomeKind, "auto", "gauge", "count", "ratio")
	c.Flag("value-per-unit", "What one of the outcome is worth, as in '42 EUR'.").StringVar(&o.worth)
	c.Flag("timezone", "IANA time zone in which the hours of --input are counted.").Default("UTC").StringVar(&o.zone)
	c.Flag("at", "Of a change: when it was; by default the newest deploy that the instance was told.").StringVar(&o.at)
	c.Flag("limit", "Of capacity: the share at which a resource counts as used up.").Default("0.8").Float64Var(&o.limit)
	c.Flag("config.file", "With --input, take units, layers and values of the signals named like columns from this configuration; with --storage.path, that of the stopped instance.").StringVar(&o.config)
	o.flags(c)
	return o
}

var reportKinds = []string{"correlation", "impact", "change", "envelope", "capacity", "weekly"}

func makeReport(ctx context.Context, o *reportOptions, stdout io.Writer, logger *slog.Logger) error {
	var text []byte
	var err error
	switch {
	case o.input != "":
		text, err = o.ofFile()
	case o.stopped():
		text, err = o.ofStopped(ctx, logger)
	default:
		text, err = o.ofRunning(ctx)
	}
	if err != nil {
		return fmt.Errorf("report %s: %w", o.kind, err)
	}
	if o.out == "" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(o.out, text, 0o644)
}

// ofFile reports on a wide file.
func (o *reportOptions) ofFile() ([]byte, error) {
	d, err := o.fromFile()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	err = d.Write(&buf, report.Format(o.format))
	return buf.Bytes(), err
}

// ofRunning asks a running instance, which reports on what it decided last week.
func (o *reportOptions) ofRunning(ctx context.Context) ([]byte, error) {
	if err := o.ofWeek(); err != nil {
		return nil, err
	}
	params := o.params()
	params.Set("format", o.format)
	if o.format != "json" {
		text, _, err := o.ask(ctx, http.MethodGet, "reports/"+o.kind, params, nil)
		return text, err
	}
	var data json.RawMessage
	if err := o.call(ctx, http.MethodGet, "reports/"+o.kind, params, nil, &data); err != nil {
		return nil, err
	}
	return indented(data)
}

func (o *reportOptions) params() url.Values {
	v := url.Values{}
	if o.outcome != "" {
		v.Set("outcome", o.outcome)
	}
	if o.at != "" {
		v.Set("at", o.at)
	}
	if o.to != "" {
		v.Set("to", o.to)
	}
	if o.kind == "capacity" {
		v.Set("limit", strconv.FormatFloat(o.limit, 'g', -1, 64))
	}
	return v
}

func indented(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	err := json.Indent(&buf, data, "", "  ")
	buf.WriteByte('\n')
	return buf.Bytes(), err
}

// ofWeek refuses what only files can be asked.
func (o *reportOptions) ofWeek() error {
	if o.span != "" || o.to != "" && o.kind != "weekly" {
		return errors.New("--range and --to are for --input: an instance reports on the weeks up to last Monday, as they were decided then; --to is for its weekly report, too")
	}
	return nil
}

// ofStopped opens the storage of a stopped instance.
func (o *reportOptions) ofStopped(ctx context.Context, logger *slog.Logger) (text []byte, err error) {
	if err := errors.Join(o.ofWeek(), holdsInstance(o.path)); err != nil {
		return nil, err
	}
	if o.config == "" {
		return nil, errors.New("--config.file is required with --storage.path: the configuration of the stopped instance")
	}
	cfg, err := loadConfig(o.config, config.Options{Logger: logger}, os.Stderr)
	if err != nil {
		return nil, err
	}
	st, err := openStores(o.path, cfg, nil, logger)
	if errors.Is(err, state.ErrLocked) {
		return nil, o.locked()
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	in, err := st.open(ctx, cfg, nil, logger)
	if err != nil {
		return nil, err
	}
	relations, err := newRelations(cfg, st, in, logger)
	if err != nil {
		return nil, err
	}
	if err := relations.Learn(ctx, in.LastTick()); err != nil {
		return nil, err
	}
	last := func() time.Time { return time.UnixMilli(in.LastTick()) }
	if text, err = (reporter{relations, st.notes, in.Status, in.IncidentsOf, st.announcer.PastAlerts, nil, last}).Report(ctx, o.kind, o.format, o.params()); err != nil || o.format != "json" {
		return text, err
	}
	return indented(text)
}

// hourly is a wide file on hours, and what is known of its columns.
type hourly struct {
	zone    *calendar.Zone
	frame   *correlate.Frame
	columns []*correlate.Series
	perHour float64 // rows of the file
	defs    []signal.Definition
}

func (o *reportOptions) open() (*hourly, error) {
	t := &hourly{}
	var err error
	if t.zone, err = calendar.Load(o.zone); err != nil {
		return nil, fmt.Errorf("--timezone: %w", err)
	}
	if o.config != "" {
		cfg, err := loadConfig(o.config, config.Options{}, os.Stderr)
		if err != nil {
			return nil, err
		}
		t.defs = cfg.Signals
	}
	from, to, err := o.period()
	if err != nil {
		return nil, err
	}
	if t.frame, t.columns, t.perHour, err = hoursOf(o.input, t.zone, time.Time{}, to); err != nil {
		return nil, err
	}
	if from > 0 {
		keep := min(int(from/time.Hour), t.frame.Rows())
		cut := t.frame.Rows() - keep
		t.frame = t.frame.Part(cut, t.frame.Rows())
		for i, s := range t.columns {
			t.columns[i] = s.Part(cut, len(s.Values))
		}
	}
	describe(t.columns, t.defs)
	return t, nil
}

// period is how long and until when.
func (o *reportOptions) period() (length time.Duration, to time.Time, err error) {
	if o.span != "" {
		d, err := model.ParseDuration(o.span)
		if err != nil || d <= 0 {
			return 0, to, fmt.Errorf("--range=%s is not a duration such as 28d", o.span)
		}
		length = time.Duration(d)
	}
	if o.to != "" {
		if to, err = parseInstant("to", o.to, time.Now()); err != nil {
			return 0, to, err
		}
	}
	return length, to, nil
}

func (t *hourly) find(name string) (*correlate.Series, error) {
	for _, s := range t.columns {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no column is named %q; there are %s", name, joinNames(t.names()))
}

func (t *hourly) names() (names []string) {
	for _, s := range t.columns {
		names = append(names, s.Name)
	}
	return names
}

func (o *reportOptions) fromFile() (*report.Document, error) {
	t, err := o.open()
	if err != nil {
		return nil, err
	}
	switch o.kind {
	case "change":
		return o.changeOfFile(t)
	case "envelope":
		return o.envelopeOfFile(t)
	case "capacity":
		return o.capacityOfFile(t)
	case "weekly":
		return nil, errors.New("--input cannot be asked: alerts and baselines are those of an instance")
	}
	in, err := o.relations(t)
	if err != nil {
		return nil, err
	}
	worth, err := o.worthOf(t.defs)
	if err != nil {
		return nil, err
	}
	now, _, err := correlate.EvaluateTwice([]correlate.Input{in}, correlate.Options{})
	if err != nil {
		return nil, err
	}
	c := report.CorrelationInput{Family: now, Study: now.Studies[0], Zone: t.zone, Worth: worth}
	if o.kind == "impact" {
		return report.NewImpact([]report.CorrelationInput{c}).Document(), nil
	}
	return report.NewCorrelation(c).Document(c), nil
}

// relations says what is related to what.
func (o *reportOptions) relations(t *hourly) (in correlate.Input, err error) {
	if o.outcome == "" {
		return in, fmt.Errorf("--outcome is required: one of %s", joinNames(t.names()))
	}
	outcome, err := t.find(o.outcome)
	if err != nil {
		return in, err
	}
	in.Frame = t.frame
	var volume *correlate.Series
	if volume, err = o.traffic(t); err != nil {
		return in, err
	}
	if volume == outcome {
		volume = nil
	}
	if in.Outcome, err = o.judged(outcome, volume, t.perHour); err != nil {
		return in, err
	}
	if in.Volume = volume; volume != nil {
		in.Volume = counted(volume, t.perHour)
	}
	for _, s := range t.columns {
		if s != outcome && s != volume {
			in.Drivers = append(in.Drivers, s)
		}
	}
	if len(in.Drivers) == 0 {
		return in, fmt.Errorf("no column beside %s", o.outcome)
	}
	return in, nil
}

// trafficNames are looked for among the columns, in this order, with or without _total.
var trafficNames = []string{"visits", "sessions", "visitors", "page_views", "pageviews", "checkouts", "http_requests", "requests"}

func (o *reportOptions) traffic(t *hourly) (*correlate.Series, error) {
	switch o.volume {
	case "none":
		return nil, nil
	case "":
		for _, name := range trafficNames {
			for _, s := range t.columns {
				if strings.EqualFold(strings.TrimSuffix(s.Name, "_total"), name) {
					return s, nil
				}
			}
		}
		return nil, nil
	}
	s, err := t.find(o.volume)
	if err != nil {
		return nil, fmt.Errorf("--volume: %w", err)
	}
	return s, nil
}

// judged is the outcome in the kind that it is of.
func (o *reportOptions) judged(s, volume *correlate.Series, perHour float64) (*correlate.Series, error) {
	switch kind := o.outcomeKind; {
	case kind == "ratio" && volume == nil:
		return nil, errors.New("--kind=ratio: --volume is required: what the outcome is a ratio of")
	case kind == "ratio":
		out := *s
		out.Kind, out.Of, out.Values = correlate.Share, counted(volume, perHour).Values, make([]float64, len(s.Values))
		for i, v := range s.Values {
			out.Values[i] = v * out.Of[i]
		}
		return &out, nil
	case kind == "count" || kind == "auto" && addsUp(s.Values):
		return counted(s, perHour), nil
	}
	return s, nil
}

// addsUp tells counts by their values: none below zero, and not all between 0 and 1.
func addsUp(hours []float64) bool {
	most := 0.0
	for _, v := range hours {
		if v < 0 {
			return false
		}
		if v == v {
			most = math.Max(most, v)
		}
	}
	return most > 1
}

// worthOf reads --value-per-unit, or takes the signal's.
func (o *reportOptions) worthOf(defs []signal.Definition) (w report.Worth, err error) {
	if o.worth == "" {
		i := slices.IndexFunc(defs, func(d signal.Definition) bool { return d.Name == o.outcome && d.ValuePerUnit != nil })
		if i >= 0 {
			w = report.Worth{Amount: defs[i].ValuePerUnit.Amount, Currency: defs[i].ValuePerUnit.Currency}
		}
		return w, nil
	}
	number, currency, _ := strings.Cut(o.worth, " ")
	w.Currency = strings.TrimSpace(currency)
	if w.Amount, err = strconv.ParseFloat(number, 64); err != nil || !(w.Amount > 0) || math.IsInf(w.Amount, 0) || len(w.Currency) != 3 || strings.ToUpper(w.Currency) != w.Currency {
		return w, fmt.Errorf("--value-per-unit=%s is not an amount and a currency such as '42 EUR'", o.worth)
	}
	return w, nil
}
