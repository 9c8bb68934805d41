package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	promclient "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/storage/promql"
)

// remoteParallel is how many queries a server is given at once, whoever asks.
const remoteParallel = 4

// openServer evaluates the signals on a server, a day at a time. What was done is written down after each day, so that a
// backfill that was interrupted goes on where it was.
func openServer(ctx context.Context, o *backfillOptions, cfg *config.Config) (*past, error) {
	u, err := url.Parse(o.from)
	if err != nil || u.Host == "" {
		return nil, errors.New("--from is not a URL")
	}
	client := promclient.DefaultHTTPClientConfig
	if o.http != "" {
		c, _, err := promclient.LoadHTTPConfigFile(o.http)
		if err != nil {
			return nil, fmt.Errorf("--http.config.file: %w", err)
		}
		client = *c
	}
	hc, err := promclient.NewClientFromConfig(client, "backfill")
	if err != nil {
		return nil, fmt.Errorf("--http.config.file: %w", err)
	}
	remote, err := promql.NewRemote(promql.RemoteOptions{
		URL: o.from, Client: hc, Interval: time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval), Lookback: cfg.Global.Lookback, Parallel: remoteParallel, Attempts: 4,
	})
	if err != nil {
		return nil, err
	}
	if err := remote.Ping(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", u.Redacted(), err)
	}
	tick := pace(cfg)
	last := time.Now().Add(-cfg.Global.EvaluationDelay).Truncate(tick)
	p := &past{first: last.Add(-o.back).Truncate(time.Hour).UnixMilli(), last: last.UnixMilli(), close: func() error { return nil }}
	mark := filepath.Join(o.path, "backfill.json")
	if done, ok := readMark(mark, u.Redacted()); ok && done > p.first && done < p.last {
		p.first, p.resumed = done, true
	}
	eval := &pipeline.Evaluator{Remote: remote}
	if len(cfg.Packs) > 0 {
		p.sight.metrics, p.blind = remote.Metrics(ctx, last.Add(-24*time.Hour))
	}
	p.each = func(core *pipeline.Core, tick time.Duration, f func(int64, []pipeline.Input) error) error {
		err := eval.EachTick(ctx, core, p.first, p.last, tick.Milliseconds(), f)
		if err != nil {
			return fmt.Errorf("%s: %w", u.Redacted(), err)
		}
		return nil
	}
	p.mark = func(t int64) error { return writeMark(mark, u.Redacted(), t) }
	p.finished = func() error {
		if err := os.Remove(mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", mark, err)
		}
		return nil
	}
	return p, nil
}

// flagDuration reads a flag as the configuration reads durations: 5w, 90d.
type flagDuration time.Duration

// Set implements kingpin.Value.
func (d *flagDuration) Set(text string) error {
	parsed, err := model.ParseDuration(text)
	if err == nil && parsed <= 0 {
		err = errors.New("it is not positive")
	}
	*d = flagDuration(parsed)
	return err
}

// String implements kingpin.Value.
func (d *flagDuration) String() string { return model.Duration(*d).String() }

// progressMark says up to when a server's past is stored.
type progressMark struct {
	From string    `json:"from"`
	Done time.Time `json:"done"`
}

func readMark(file, from string) (int64, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	var m progressMark
	if json.Unmarshal(b, &m) != nil || m.From != from {
		return 0, false
	}
	return m.Done.UnixMilli(), true
}

func writeMark(file, from string, done int64) error {
	b, err := json.Marshal(progressMark{from, time.UnixMilli(done).UTC()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.Rename(file+".tmp", file)
}

// everyDay calls mark once a day of ticks is over: what came before it is kept. What was open then is done again.
func everyDay(open time.Duration, f func(int64, []pipeline.Input) error, checkpoint func() error, mark func(int64) error) func(int64, []pipeline.Input) error {
	const day = 24 * int64(time.Hour/time.Millisecond)
	last := int64(-1)
	return func(t int64, inputs []pipeline.Input) error {
		if d := t / day; d != last {
			if last >= 0 {
				if err := checkpoint(); err != nil {
					return err
				}
				if err := mark(d*day - open.Milliseconds()); err != nil {
					return err
				}
			}
			last = d
		}
		return f(t, inputs)
	}
}
