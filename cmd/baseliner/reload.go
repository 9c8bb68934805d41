package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/pipeline"
)

// watch reloads on SIGHUP and when the content of the configuration changes, and switches signals of packs on.
func (i *instance) watch(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	poll := time.NewTicker(pollConfig)
	defer poll.Stop()
	every := pollPacks
	if i.cfg.Load().Remote != nil { // it takes a restart to change that
		every = pollRemotePacks
	}
	packs := time.NewTicker(every)
	defer packs.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-packs.C:
			i.lookAround(ctx)
		case <-hup:
			_ = i.reload(ctx) // it logs what is wrong
		case now := <-poll.C:
			if changed, cfg, err := i.watcher.Poll(now); changed {
				_ = i.apply(ctx, cfg, err) // it logs what is wrong
			}
		}
	}
}

// reload loads the configuration now.
func (i *instance) reload(ctx context.Context) error {
	cfg, err := i.watcher.Reload()
	return i.apply(ctx, cfg, err)
}

// apply makes a configuration the one in force. Everything that can fail happens before anything live is touched.
func (i *instance) apply(ctx context.Context, cfg *config.Config, err error) error {
	i.changing.Lock()
	defer i.changing.Unlock()
	base := cfg
	if err == nil {
		var seen sight
		if seen, err = i.stores.sight(ctx, base); err == nil {
			cfg = seen.with(base)
			err = i.swap(ctx, cfg)
		}
	}
	if err == nil {
		i.base = base
	}
	i.noteReload(err)
	if err != nil {
		i.logger.Error("configuration was not taken over; the one before stays in force", "err", err)
		return err
	}
	i.logger.Info("configuration was taken over", "signals", len(cfg.Signals), "scrape_configs", len(cfg.Scrape.ScrapeConfigs))
	return nil
}

// fixed names the sections that differ and are read at a start alone.
func fixed(old, cfg *config.Config) (changed []string) {
	for _, section := range []struct {
		name string
		same bool
	}{
		{"engine", old.Engine == cfg.Engine && reflect.DeepEqual(old.Remote, cfg.Remote)},
		{"ingest", old.Ingest == cfg.Ingest},
		{"limits", old.Limits == cfg.Limits},
		{"global.lookback", old.Global.Lookback == cfg.Global.Lookback},
	} {
		if !section.same {
			changed = append(changed, section.name)
		}
	}
	return changed
}

func (i *instance) swap(ctx context.Context, cfg *config.Config) error {
	if changed := fixed(i.cfg.Load(), cfg); len(changed) > 0 {
		return fmt.Errorf("%s changed, which takes effect at a start: nothing of the file is taken over before a restart", joinNames(changed))
	}
	es, err := endpoints(cfg, i.page.String())
	if err != nil {
		return err
	}
	peers, err := peers(cfg, i.stores.announcer.OwnQuiet)
	if err != nil {
		return err
	}
	if _, err := pipeline.NewCore(cfg.Signals); err != nil {
		return err
	}
	zone, relations, err := relationOptions(cfg)
	if err != nil {
		return err
	}
	if err := i.scrapes.ApplyConfig(cfg.Scrape); err != nil { // refuses before it changes anything
		return err
	}
	// From here on nothing is expected to fail.
	return i.driver.Do(ctx, func() error {
		i.driver.SetPace(pace(cfg), cfg.Global.EvaluationDelay)
		i.stores.topology.Configure(callMetrics(cfg), cfg.Correlation.Calls)
		i.in.SetTies(ties(cfg, i.stores.learned))
		err := errors.Join(
			i.in.Reload(cfg.Signals, cfg.Global.ExternalLabels, intervals(cfg)),
			i.announce(cfg, es, peers),
			i.tracing.ApplyConfig(tracingConfig(cfg)),
		)
		i.related.Set(zone, relations)
		i.cfg.Store(cfg)
		return err
	})
}

func (i *instance) noteReload(err error) {
	i.lastOK.Store(err == nil)
	if err != nil {
		i.reloadOK.Set(0)
		return
	}
	i.reloaded.Store(time.Now().Unix())
	i.reloadOK.Set(1)
	i.reloadTime.SetToCurrentTime()
}
