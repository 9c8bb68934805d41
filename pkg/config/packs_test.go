package config

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPacks(t *testing.T) {
	load := func(text string) *Config {
		t.Helper()
		cfg, err := LoadBytes("x.yml", []byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	packs := func(cfg *Config) string {
		var names []string
		for _, p := range cfg.Packs {
			names = append(names, p.Name)
		}
		return strings.Join(names, " ")
	}
	all := packs(load(""))
	if n := len(strings.Fields(all)); n != 14 || all != packs(load("packs: [auto]")) {
		t.Errorf("by default there are %d packs: %s", n, all)
	}
	if got := packs(load("packs: [node, http]")); got != "http node" {
		t.Errorf("two were asked for, there are %q", got)
	}
	for _, text := range []string{"packs: []", "packs: [none]"} {
		if got := packs(load(text)); got != "" {
			t.Errorf("%s has %q", text, got)
		}
	}

	cfg := load("global: {timezone: Europe/Berlin, evaluation_interval: 10m}\nsignals: [{name: http_requests, layer: business, expr: x}]\npacks: [http]")
	for _, s := range cfg.Packs[0].Signals {
		if s.Name == "http_requests" {
			t.Error("the configuration's own signal does not stand for the pack's")
		}
		if s.Pack != "http" || s.Severity != "info" || s.Zone != "Europe/Berlin" || s.Interval != 5*time.Minute || s.Unit == "" {
			t.Errorf("not completed: %+v", s.Definition)
		}
	}

	doc, err := os.ReadFile("../../docs/packs.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, p := range load("").Packs {
		if p.Title == "" || len(p.Signals) == 0 {
			t.Errorf("pack %s is empty", p.Name)
		}
		for _, s := range p.Signals {
			if before, ok := names[s.Name]; ok {
				t.Errorf("signal %s is in %s and in %s", s.Name, before, p.Name)
			}
			names[s.Name] = p.Name
			if !strings.Contains(string(doc), "`"+s.Name+"`") {
				t.Errorf("docs/packs.md does not know %s", s.Name)
			}
			for _, m := range s.Need.Metrics() {
				if slices.Contains([]string{"baseliner_value", "baseliner_expected", "baseliner_lower", "baseliner_upper", "baseliner_score"}, m) {
					t.Errorf("signal %s watches our own results", s.Name)
				}
			}
		}
	}
}
