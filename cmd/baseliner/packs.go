package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

// pollPacks is how often a running instance looks for metrics that it has not seen yet; pollRemotePacks of a server that is
// somebody else's.
const (
	pollPacks       = 5 * time.Second
	pollRemotePacks = time.Minute
)

// packed is a signal of a pack, on or off, and why.
type packed struct {
	Pack    string   `json:"pack"`
	Signal  string   `json:"signal"`
	Layer   string   `json:"layer"`
	On      bool     `json:"on"`
	Found   []string `json:"found"`   // metrics that were seen
	Missing []string `json:"missing"` // metrics that would have to be
	Kept    bool     `json:"kept"`    // on without its metrics, as there is history of it
	def     *signal.Definition
}

// sight is what is known of metrics and of signals of packs.
type sight struct {
	metrics map[string]bool // seen in the store that signals are evaluated on
	known   map[string]bool // signals that have history or were asked for by name
}

// look says of every signal of the configuration's packs whether it is on: its metrics are there, or there is history of
// it. A target that dies does not switch its signals off.
func (s sight) look(cfg *config.Config) []packed {
	var all []packed
	for _, p := range cfg.Packs {
		for i := range p.Signals {
			d := &p.Signals[i]
			found, missing := d.Need.Look(func(metric string) bool { return s.metrics[metric] })
			seen := len(missing) == 0
			all = append(all, packed{
				Pack: p.Name, Signal: d.Name, Layer: d.Layer.String(), On: seen || s.known[d.Name], Kept: !seen && s.known[d.Name],
				Found: slices.Clip(append([]string{}, found...)), Missing: append([]string{}, missing...), def: &d.Definition,
			})
		}
	}
	return all
}

// and adds what somebody else sees.
func (s sight) and(o sight) sight {
	both := sight{metrics: map[string]bool{}, known: map[string]bool{}}
	for _, one := range []sight{s, o} {
		maps.Copy(both.metrics, one.metrics)
		maps.Copy(both.known, one.known)
	}
	return both
}

// everything is the signals of a configuration and of all of its packs.
func everything(cfg *config.Config) []signal.Definition {
	all := slices.Clone(cfg.Signals)
	for _, p := range cfg.Packs {
		for i := range p.Signals {
			all = append(all, p.Signals[i].Definition)
		}
	}
	return all
}

// with is the configuration with the signals that are on.
func (s sight) with(cfg *config.Config) *config.Config {
	var more []signal.Definition
	for _, p := range s.look(cfg) {
		if p.On && !slices.ContainsFunc(cfg.Signals, func(d signal.Definition) bool { return d.Name == p.Signal }) {
			more = append(more, *p.def)
		}
	}
	return cfg.With(more)
}

// sight asks the live store, or the server that signals are evaluated on, for metrics, and the ledger for signals that
// have history.
func (s *stores) sight(ctx context.Context, cfg *config.Config) (sight, error) {
	seen := sight{known: map[string]bool{}}
	if len(cfg.Packs) == 0 {
		return seen, nil
	}
	err := s.ledger.View(func(tx *bbolt.Tx) error {
		return state.EachSeries(tx, func(_ state.SeriesID, k state.Known, _ int64) error {
			seen.known[k.Signal] = true
			return nil
		})
	})
	if err != nil {
		return seen, err
	}
	if cfg.Remote == nil {
		seen.metrics, err = s.live.Metrics(ctx)
		return seen, err
	}
	remote, err := remoteEngine(cfg)
	if err != nil {
		return seen, err
	}
	if seen.metrics, err = remote.Metrics(ctx, time.Now().Add(-time.Hour)); err != nil {
		// It may be down for the moment. What has history is on; the rest is looked for again.
		s.logger.Warn("packs cannot ask the remote engine for its metrics; signals without history wait", "err", err)
	}
	return seen, nil
}

// lookAround switches signals of packs on whose metrics have appeared.
func (i *instance) lookAround(ctx context.Context) {
	i.changing.Lock()
	defer i.changing.Unlock()
	base := i.base
	seen, err := i.stores.sight(ctx, base)
	if err != nil {
		i.logger.Error("packs cannot look for metrics", "err", err)
		return
	}
	for _, d := range i.cfg.Load().Signals { // what is on stays on
		if d.Pack != "" {
			seen.known[d.Name] = true
		}
	}
	next := seen.with(base)
	var added []string
	for _, d := range next.Signals[len(base.Signals):] {
		if !slices.ContainsFunc(i.cfg.Load().Signals, func(o signal.Definition) bool { return o.Name == d.Name }) {
			added = append(added, d.Name)
		}
	}
	if len(added) == 0 {
		return
	}
	if err := i.swap(ctx, next); err != nil {
		i.logger.Error("signals of packs could not be switched on", "signals", joinNames(added), "err", err)
		return
	}
	i.logger.Info("signals of packs are on: their metrics were seen", "signals", joinNames(added), "count", len(added))
}
