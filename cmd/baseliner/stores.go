package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/baseliner/baseliner/pkg/alert/alertmanager"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// lateSamples is how far behind the newest sample another may come: targets whose clocks differ, and a clock of ours
// that was set back.
const lateSamples = time.Hour

// stores is everything an instance keeps on disk, and the engine over it.
type stores struct {
	dir       string
	logger    *slog.Logger
	ledger    *state.Ledger
	live      *tsdb.DB
	history   *tsdb.DB
	engine    *promql.Engine
	deliverer *outbox.Deliverer
	announcer *pipeline.Announcer
	notes     *pipeline.Annotations
	fanout    *alertmanager.Fanout
	unlearned *pipeline.Unlearned
	topology  *pipeline.Topology
	learned   *pipeline.LearnedTies
	door      *ingest.Guard // the way in for samples
	ceiling   *ingest.Ceiling
}

func openStores(dir string, cfg *config.Config, reg prometheus.Registerer, logger *slog.Logger) (s *stores, err error) {
	s = &stores{dir: dir, logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.ledger, err = state.OpenLedger(dir, state.Options{}); err != nil {
		return s, err
	}
	s.live, err = tsdb.Open(tsdb.Options{
		Dir: filepath.Join(dir, "live"), Name: "live", Retention: cfg.Engine.Live.Retention, MaxBytes: cfg.Engine.Live.MaxBytes,
		OutOfOrder: lateSamples, Logger: quiet(logger), Registerer: reg,
	})
	if err != nil {
		return s, err
	}
	s.history, err = tsdb.Open(tsdb.Options{
		Dir: filepath.Join(dir, "history"), Name: "history", Retention: cfg.Engine.History.Retention, MaxBytes: cfg.Engine.History.MaxBytes,
		Block: 12 * time.Hour, NoLog: true, SamplesPerChunk: 720, Logger: quiet(logger), Registerer: reg,
	})
	if err != nil {
		return s, err
	}
	s.engine = promql.New(promql.Options{Lookback: cfg.Global.Lookback, Logger: logger, Registerer: reg})
	s.ceiling = ingest.NewCeiling(memoryCeiling(cfg.Limits.MemoryBytes), reg, logger)
	s.door = ingest.NewGuard(s.live, ingest.GuardOptions{
		Future: cfg.Limits.Future, Limits: guardLimits(cfg), Series: s.live.Head().NumSeries, Ceiling: s.ceiling, LateAfter: cfg.Global.EvaluationDelay, Registerer: reg, Logger: logger,
	})
	s.deliverer = outbox.NewDeliverer(outbox.Options{
		DB: s.ledger.DB(), Logger: logger, Registerer: reg, Reserve: reserve(dir), OnDead: func() { s.announcer.Poke() },
	})
	if s.announcer, err = pipeline.NewAnnouncer(s.ledger.DB(), s.deliverer, logger); err != nil {
		return s, err
	}
	s.fanout = newFanout(s, reg, logger)
	s.announcer.SetBoard(s.fanout)
	if s.notes, err = pipeline.NewAnnotations(s.ledger, logger, reg); err != nil {
		return s, err
	}
	if s.unlearned, err = pipeline.NewUnlearned(s.ledger, logger, reg); err != nil {
		return s, err
	}
	if s.learned, err = pipeline.NewLearnedTies(s.ledger); err != nil {
		return s, err
	}
	s.topology, err = pipeline.NewTopology(s.ledger, callMetrics(cfg), cfg.Correlation.Calls, logger)
	return s, err
}

// open recovers the instance that the stores belong to. Its signals are those of the configuration and of the packs that
// are on.
func (s *stores) open(ctx context.Context, cfg *config.Config, page *url.URL, logger *slog.Logger, reg ...prometheus.Registerer) (*pipeline.Instance, error) {
	seen, err := s.sight(ctx, cfg)
	if err != nil {
		return nil, err
	}
	cfg = seen.with(cfg)
	remote, err := remoteEngine(cfg)
	if err != nil {
		return nil, err
	}
	// What is recovered is recovered as it was: maintenance is known before the first recorded point is.
	if err := s.announcer.SetMaintenance(windows(cfg.Alerting.Maintenance)); err != nil {
		return nil, err
	}
	o := pipeline.Options{
		Remote: remote, Late: s.door.Late,
		Dir: s.dir, Ledger: s.ledger, Live: s.live, History: s.history, Engine: s.engine, Herald: s.announcer,
		Annotations: s.notes, Unlearned: s.unlearned, Silenced: s.announcer.Silenced, Ties: ties(cfg, s.learned), Topology: s.topology,
		Intervals: intervals(cfg), External: cfg.Global.ExternalLabels, Page: page, HistoryKeep: cfg.Engine.History.Retention, Logger: logger,
	}
	if len(reg) > 0 {
		o.Registerer = reg[0]
	}
	return pipeline.Open(ctx, cfg.Signals, o)
}

// close releases everything, the lock last.
func (s *stores) close() error {
	var errs []error
	if s.live != nil {
		errs = append(errs, s.live.Close())
	}
	if s.history != nil {
		errs = append(errs, s.history.Close())
	}
	if s.ledger != nil {
		errs = append(errs, s.ledger.Close())
	}
	return errors.Join(errs...)
}
