package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promclient "github.com/prometheus/common/config"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/writeback"
)

// remoteEngine is the server on which signals are evaluated; nil if that is done here. A tick does not wait for one that
// is down: its queries have a quarter of a minute, and one repetition.
func remoteEngine(cfg *config.Config) (*promql.Remote, error) {
	if cfg.Remote == nil {
		return nil, nil
	}
	client, err := promclient.NewClientFromConfig(cfg.Remote.HTTP, "engine")
	if err != nil {
		return nil, fmt.Errorf("engine.remote: %w", err)
	}
	return promql.NewRemote(promql.RemoteOptions{
		URL: cfg.Remote.URL.Reveal(), Client: client, Interval: time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval),
		Lookback: cfg.Global.Lookback, Parallel: remoteParallel, Timeout: 15 * time.Second, Attempts: 2,
	})
}

// writeBack sends the results to the server that is configured for them.
func (i *instance) writeBack(ctx context.Context, cfg *config.Config, reg prometheus.Registerer) error {
	return writeback.Run(ctx, writeback.Options{
		Dir: filepath.Join(i.o.path, "live"), URL: cfg.Remote.RemoteWriteURL.Reveal(), HTTP: cfg.Remote.HTTP,
		External: cfg.Global.ExternalLabels, Logger: quiet(i.logger), Registerer: reg,
	})
}
