package main

import (
	"time"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/promql"
)

// pace is the interval of ticks: the longest at which every signal is due on time. Every zone's midnight is on a quarter of
// an hour.
func pace(cfg *config.Config) time.Duration {
	p := cfg.Global.EvaluationInterval
	for _, d := range cfg.Signals {
		q := d.Interval
		if q == signal.Day {
			q = 15 * time.Minute
		}
		for q > 0 {
			p, q = q, p%q
		}
	}
	return p
}

// intervals tells the freshness rule how often targets are scraped.
func intervals(cfg *config.Config) promql.Intervals {
	return promql.Intervals{Default: time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval), ByJob: cfg.ScrapeIntervals()}
}

// openFor is how long after its begin what is learnt at once may still be open: hours, or the days of daily signals.
func openFor(cfg *config.Config) time.Duration {
	for _, d := range cfg.Signals {
		if d.Interval == signal.Day {
			return 54 * time.Hour
		}
	}
	return 6 * time.Hour
}
