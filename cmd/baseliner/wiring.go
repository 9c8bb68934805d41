package main

import (
	"time"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/storage/promql"
)

// pace is the interval of ticks: the longest at which every signal is due on time.
func pace(cfg *config.Config) time.Duration {
	p := cfg.Global.EvaluationInterval
	for _, d := range cfg.Signals {
		for q := d.Interval; q > 0; {
			p, q = q, p%q
		}
	}
	return p
}

// intervals tells the freshness rule how often targets are scraped.
func intervals(cfg *config.Config) promql.Intervals {
	return promql.Intervals{Default: time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval), ByJob: cfg.ScrapeIntervals()}
}
