package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/baseliner/baseliner/pkg/config"
)

// check validates files: all problems of all of them.
func check(files []string, stdout, stderr io.Writer) error {
	var failed error
	for _, f := range files {
		cfg, err := config.Load(f, config.Options{})
		if err != nil {
			fmt.Fprintln(stderr, err)
			failed = errSaid
			continue
		}
		fmt.Fprintf(stdout, "%s: valid: %s, %s, %s, %s\n", f, plural(len(cfg.Scrape.ScrapeConfigs), "scrape config"), plural(len(cfg.Signals), "signal"),
			plural(len(cfg.Packs), "pack"), plural(len(cfg.Alerting.Receivers), "receiver"))
	}
	return failed
}

// loadConfig reads the configuration; its problems are printed one a line.
func loadConfig(file string, o config.Options, stderr io.Writer) (*config.Config, error) {
	cfg, err := config.Load(file, o)
	if _, ok := errors.AsType[*config.Errors](err); ok {
		fmt.Fprintln(stderr, err)
		return nil, errSaid
	}
	return cfg, err
}
