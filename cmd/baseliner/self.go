package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/signal"
)

// selfJob is the job of our own metrics.
const selfJob = "baseliner"

// watchesItself reports whether our own metrics are taken in without a target: the pack about them is wanted, and no
// scrape job brings them.
func watchesItself(cfg *config.Config) bool {
	return slices.ContainsFunc(cfg.Packs, func(p signal.Pack) bool { return p.Name == selfJob }) && cfg.ScrapeIntervals()[selfJob] == 0
}

// watchSelf writes our own metrics as a scrape of /metrics would, as often as targets are scraped: those about us, the
// runtime and the process. It needs no address, certificate or password of ours.
func (i *instance) watchSelf(ctx context.Context, reg prometheus.Gatherer) error {
	for {
		cfg := i.cfg.Load()
		if watchesItself(cfg) {
			if err := i.writeSelf(ctx, reg, time.Now()); err != nil && ctx.Err() == nil {
				i.logger.Warn("our own metrics were not written; signals about this instance have a hole", "err", err)
			}
		}
		timer := time.NewTimer(time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (i *instance) writeSelf(ctx context.Context, reg prometheus.Gatherer, now time.Time) error {
	families, err := reg.Gather()
	if err != nil {
		return err
	}
	families = slices.DeleteFunc(families, func(f *dto.MetricFamily) bool {
		name, _, _ := strings.Cut(f.GetName(), "_")
		return name != selfJob && name != "go" && name != "process"
	})
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(now.UnixNano())}, families...)
	if err != nil {
		return err
	}
	app := i.stores.door.AppenderV2(ctx)
	b := labels.NewScratchBuilder(8)
	for _, s := range samples {
		b.Reset()
		for name, value := range s.Metric {
			b.Add(string(name), string(value))
		}
		b.Add("instance", i.page.Host)
		b.Add("job", selfJob)
		b.Sort()
		// What the guard does not let in it counts and tells.
		_, _ = app.Append(0, b.Labels(), 0, int64(s.Timestamp), float64(s.Value), nil, nil, storage.AppendV2Options{})
	}
	return app.Commit()
}
