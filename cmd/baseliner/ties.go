package main

import (
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/pipeline"
)

// ties is what incidents are told by.
func ties(cfg *config.Config, learned *pipeline.LearnedTies) pipeline.Ties {
	return pipeline.Ties{ServiceLabels: cfg.Correlation.ServiceLabels, Learned: learned.Learned}
}

// callMetrics are the expressions that say who calls whom.
func callMetrics(cfg *config.Config) []string {
	if cfg.Correlation.CallMetrics == nil {
		return pipeline.CallMetrics
	}
	return cfg.Correlation.CallMetrics
}
