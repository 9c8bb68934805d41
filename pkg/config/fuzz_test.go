package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// FuzzLoad feeds the loader everything: it answers, and always with a configuration or with problems that can be printed.
func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"testdata/bad/*.yml", "testdata/good/*.yml", "../../config/*.yml"} {
		files, err := filepath.Glob(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg, err := LoadBytes("fuzz.yml", b, Options{LookupEnv: env("SET", "7")})
		if err == nil {
			if cfg.Scrape == nil || cfg.Hash() == "" {
				t.Fatalf("incomplete configuration: %+v", cfg)
			}
			for _, s := range cfg.Signals {
				if s.Name == "" || s.Layer == series.LayerUnknown || s.Interval < time.Second || s.Zone == "" || (s.Expr == "") == (s.Ratio == nil) {
					t.Fatalf("incomplete signal: %+v", s)
				}
			}
			return
		}
		errs, ok := errors.AsType[*Errors](err)
		if !ok || cfg != nil || len(errs.Problems) == 0 {
			t.Fatalf("cfg=%v err=%v", cfg, err)
		}
		if lines := strings.Count(err.Error(), "\n") + 1; lines != len(errs.Problems) {
			t.Fatalf("%d problems in %d lines: %v", len(errs.Problems), lines, err)
		}
	})
}
