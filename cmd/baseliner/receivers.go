package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/business"
	"github.com/baseliner/baseliner/pkg/ingest/otlp"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
	"github.com/baseliner/baseliner/pkg/web"
)

// inputs are the ways in for samples that somebody sends. Those that are not configured are nil.
type inputs struct {
	remoteWrite http.Handler
	otlp        *otlp.Receiver
	business    *business.Receiver
}

func (i *instance) newInputs(reg prometheus.Registerer) (in inputs, err error) {
	cfg := i.cfg.Load()
	memory := ingest.NewMemory(cfg.Limits.InFlightBytes, reg, i.logger)
	memory.Under(i.stores.ceiling)
	if cfg.Ingest.RemoteWrite {
		in.remoteWrite = remotewrite.NewHandler(remotewrite.Options{
			Logger: i.logger, Door: i.stores.door, Memory: memory, MaxBytes: cfg.Limits.BodyBytes, MaxSamples: cfg.Limits.SamplesPerScrape,
		})
	}
	if cfg.Ingest.OTLPGRPC != "" || cfg.Ingest.OTLPHTTP != "" {
		in.otlp = otlp.New(otlp.Options{
			Logger: i.logger, Registerer: reg, Door: i.stores.door, Store: i.stores.live, Memory: memory, MaxBytes: cfg.Limits.BodyBytes, Lookback: cfg.Global.Lookback,
		})
	}
	if cfg.Ingest.TokenFile != "" {
		in.business, err = business.New(business.Options{
			DB: i.stores.ledger.DB(), Door: i.stores.door, Memory: memory, MaxBytes: cfg.Limits.BodyBytes,
			TokenFile: cfg.Ingest.TokenFile, Interval: time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval), Logger: i.logger,
		})
	}
	return in, err
}

// guardLimits are those that every sample meets, whoever brings it.
func guardLimits(cfg *config.Config) ingest.Limits {
	return ingest.Limits{
		Series: cfg.Limits.Series, Labels: cfg.Limits.Labels, LabelNameBytes: 256, LabelValueBytes: cfg.Limits.LabelValueBytes,
	}
}

// routes are those of the pages' listeners. What is not configured says how to.
func (in inputs) routes() []web.Route {
	off := func(why string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, why, http.StatusNotFound) })
	}
	writing, metrics := in.remoteWrite, off("OTLP is not enabled: set ingest.otlp.http.endpoint or ingest.otlp.grpc.endpoint")
	events := off("business events are not enabled: set ingest.business")
	if in.business != nil {
		events = in.business
	}
	if writing == nil {
		writing = off("remote-write is not enabled: set ingest.remote_write.enabled")
	}
	if in.otlp != nil {
		metrics = in.otlp
	}
	return []web.Route{
		{Pattern: "POST /api/v1/write", Handler: writing},
		{Pattern: "POST /v1/metrics", Handler: metrics},
		{Pattern: "/api/baseliner/v1/business", Handler: events},
	}
}

// runInputs starts what the ways in have for themselves: OTLP's listeners, and the writer of business counters.
func (i *instance) runInputs(ctx context.Context, actor func(string, func(context.Context) error)) error {
	cfg := i.cfg.Load().Ingest
	if i.inputs.business != nil {
		actor("business counters", i.inputs.business.Run)
	}
	listen := func(address string) (net.Listener, error) {
		ls, err := web.Listen(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("ingest.otlp: %w", err)
		}
		i.logger.Info("receiving OTLP", "endpoint", ls[0].Addr().String())
		return ls[0], nil
	}
	if cfg.OTLPGRPC != "" {
		l, err := listen(cfg.OTLPGRPC)
		if err != nil {
			return err
		}
		actor("OTLP over gRPC", func(c context.Context) error { return i.inputs.otlp.RunGRPC(c, l) })
	}
	if cfg.OTLPHTTP != "" {
		l, err := listen(cfg.OTLPHTTP)
		if err != nil {
			return err
		}
		mux := http.NewServeMux()
		mux.Handle("/v1/metrics", i.inputs.otlp)
		actor("OTLP over HTTP", func(c context.Context) error { return web.Server{Handler: mux, Logger: i.logger}.Run(c, l) })
	}
	return nil
}
