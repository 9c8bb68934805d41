package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/openmetrics"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

type backfillOptions struct {
	from, signal, config, path, http, url string
	back                                  time.Duration
}

func backfillFlags(c *kingpin.CmdClause) *backfillOptions {
	o := &backfillOptions{}
	c.Flag("from", "Where the past comes from: the URL of a server with Prometheus' query API, on which the signals are evaluated; a .csv file with one column per signal or with the columns timestamp,value; or an OpenMetrics or Prometheus text file with timestamps (.om, .prom, .txt). All may be gzipped.").Required().StringVar(&o.from)
	c.Flag("range", "How much of the past a server is asked for.").Default("5w").SetValue((*flagDuration)(&o.back))
	c.Flag("http.config.file", "Authentication and TLS towards a server, in the format of Prometheus' HTTP client.").StringVar(&o.http)
	c.Flag("signal", "Signal that a timestamp,value file belongs to; by default the name of the file.").StringVar(&o.signal)
	c.Flag("config.file", "Configuration whose signals are filled.").Default("config/baseliner.yml").StringVar(&o.config)
	c.Flag("storage.path", "Storage of the instance. Where it is running, the past is sent to it.").Default("data").StringVar(&o.path)
	c.Flag("url", "URL of the running instance, which needs --web.enable-admin-api.").Default(defaultURL).StringVar(&o.url)
	return o
}

func backfill(ctx context.Context, o *backfillOptions, stdout io.Writer, logger *slog.Logger) (err error) {
	cfg, err := loadConfig(o.config, config.Options{Logger: logger}, os.Stderr)
	if err != nil {
		return err
	}
	if err := scratchIn(o.path); err != nil {
		return err
	}
	if len(cfg.Signals) == 0 && len(cfg.Packs) == 0 {
		return fmt.Errorf("%s configures no signals to fill", o.config)
	}
	st, err := openStores(o.path, cfg, nil, logger)
	if errors.Is(err, state.ErrLocked) {
		return backfillRunning(ctx, o, cfg, stdout, logger)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	source, err := openPast(ctx, o, cfg, filepath.Join(o.path, "backfill.tmp"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	if source.resumed {
		logger.Info("going on where an earlier backfill was interrupted", "from", utc(source.first))
	}
	began := time.Now()
	b, err := fill(ctx, cfg, st, source, newProgress(os.Stderr, source.first, source.last), logger)
	if err != nil {
		return err
	}
	return printFilled(stdout, source.name(o.from), filled{b.First, b.Last, b.Core().Size(), b.Points, b.Silent}, time.Since(began))
}

// printFilled says what came of it.
func printFilled(stdout io.Writer, name string, f filled, took time.Duration) error {
	span := time.Duration(f.Last-f.First) * time.Millisecond
	fmt.Fprintf(stdout, "%s: %s to %s (%.1f days), %d series, %d points, %d missing, in %.1f s\n", name,
		utc(f.First), utc(f.Last), span.Hours()/24, f.Series, f.Points, f.Silent, took.Seconds())
	if f.Points == 0 {
		return errors.New("no signal found a single point in it: compare its names with the configuration's expressions")
	}
	return nil
}

// fill steps the signals of a configuration through the past, those of its packs included whose metrics are in it.
func fill(ctx context.Context, cfg *config.Config, st *stores, source *past, bar *progress, logger *slog.Logger) (*pipeline.Backfill, error) {
	seen, err := st.sight(ctx, cfg)
	if err != nil {
		return nil, err
	}
	cfg = seen.and(source.sight).with(cfg)
	if source.blind != nil {
		logger.Warn("signals of packs are not filled, but for those that have history", "err", source.blind)
	}
	if len(cfg.Signals) == 0 {
		return nil, errors.New("no signals are configured, and no pack knows a metric that is in it")
	}
	in, err := st.open(ctx, cfg, nil, logger)
	if err != nil {
		return nil, err
	}
	if err := in.FlushHistory(ctx); err != nil {
		return nil, err
	}
	b, err := pipeline.NewBackfill(st.ledger, filepath.Join(st.dir, "history"), cfg.Engine.History.Retention, source.last, in.Core(), cfg.Signals)
	if err != nil {
		return nil, err
	}
	defer b.Abort()
	step := func(t int64, inputs []pipeline.Input) error {
		bar.at(t, b.Points)
		return b.Step(ctx, t, inputs)
	}
	if source.mark != nil {
		step = everyDay(openFor(cfg), step, func() error { return b.Checkpoint(ctx) }, source.mark)
	}
	err = source.each(b.Core(), pace(cfg), step)
	bar.done()
	if err != nil {
		return nil, err
	}
	if err := in.Finish(ctx, b); err != nil {
		return nil, err
	}
	if source.finished != nil {
		return b, source.finished()
	}
	return b, nil
}

func utc(t int64) string { return time.UnixMilli(t).UTC().Format("2006-01-02 15:04") }

// past is a source of ticks.
type past struct {
	first, last int64 // unix milliseconds
	each        func(core *pipeline.Core, tick time.Duration, f func(t int64, inputs []pipeline.Input) error) error
	sight       sight // metrics and signals that are in it
	blind       error // why metrics are not known
	close       func() error

	resumed  bool
	mark     func(t int64) error // nil, or notes that everything before t is stored
	finished func() error        // nil, or forgets that
}

// name is where the past comes from, without a password.
func (*past) name(from string) string {
	if u, err := url.Parse(from); err == nil && u.Host != "" {
		return u.Redacted()
	}
	return from
}

func openPast(ctx context.Context, o *backfillOptions, cfg *config.Config, scratch string) (*past, error) {
	if strings.HasPrefix(o.from, "http://") || strings.HasPrefix(o.from, "https://") {
		return openServer(ctx, o, cfg)
	}
	name := strings.TrimSuffix(o.from, ".gz")
	if strings.HasSuffix(name, ".csv") {
		return openTable(o, cfg)
	}
	return openSamples(ctx, o.from, cfg, scratch)
}

func notFromTheFuture(file string, last int64, cfg *config.Config) error {
	if limit := time.Now().Add(cfg.Limits.Future); last > limit.UnixMilli() {
		return fmt.Errorf("%s: its last row is at %s, in the future: history ends now", file, utc(last))
	}
	return nil
}

// openSamples puts raw samples into a throw-away database, in which the signals are evaluated.
func openSamples(ctx context.Context, file string, cfg *config.Config, scratch string) (_ *past, err error) {
	p := &past{first: math.MaxInt64, last: math.MinInt64}
	err = eachSample(file, func(s openmetrics.Sample) error {
		p.first, p.last = min(p.first, s.T), max(p.last, s.T)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if p.last < p.first {
		return nil, fmt.Errorf("%s holds no samples", file)
	}
	if p.first < ingest.DefaultFloor.UnixMilli() {
		return nil, fmt.Errorf("%s: its first sample is at %s: timestamps are in milliseconds in the Prometheus format, in seconds in OpenMetrics (which ends with # EOF)", file, utc(p.first))
	}
	if err := notFromTheFuture(file, p.last, cfg); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(scratch); err != nil {
		return nil, fmt.Errorf("clear scratch database: %w", err)
	}
	db, err := tsdb.Import(ctx, scratch, p.first, p.last, func(add func(tsdb.Raw) error) error {
		return eachSample(file, func(s openmetrics.Sample) error { return add(tsdb.Raw(s)) })
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", file, err), os.RemoveAll(scratch))
	}
	p.close = func() error { return errors.Join(db.Close(), os.RemoveAll(scratch)) }
	return p, p.evaluate(ctx, cfg, db, intervals(cfg))
}

// evaluate makes the points of the past from samples in a database.
func (p *past) evaluate(ctx context.Context, cfg *config.Config, db *tsdb.DB, iv promql.Intervals) (err error) {
	eval := &pipeline.Evaluator{
		Engine: promql.New(promql.Options{Lookback: cfg.Global.Lookback}), Store: db,
		Intervals: func() promql.Intervals { return iv },
	}
	p.each = func(core *pipeline.Core, tick time.Duration, f func(int64, []pipeline.Input) error) error {
		return eval.EachTick(ctx, core, p.first, p.last, tick.Milliseconds(), f)
	}
	p.sight.metrics, err = db.Metrics(ctx)
	return err
}

func eachSample(file string, f func(openmetrics.Sample) error) (err error) {
	r, err := openmetrics.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for r.Next() {
		if err := f(r.Sample()); err != nil {
			return err
		}
	}
	return r.Err()
}
