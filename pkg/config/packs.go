package config

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/signal"
)

// Words that packs takes beside the names of packs.
const (
	packsAuto = "auto" // all of them
	packsNone = "none"
)

// packSchema is the file of a pack.
type packSchema struct {
	Pack    string         `yaml:"pack"`
	Title   string         `yaml:"title"`
	Signals []signalSchema `yaml:"signals"`
}

// packRange is how far most expressions of packs look back. They are evaluated at least that often.
const packRange = 5 * time.Minute

// packs completes the packs that the file asks for: their signals count the same hours in the same steps as others.
func (l *loader) packs(chosen []string) {
	files, err := signal.PackFiles()
	if err != nil {
		l.fail("packs", "", "%s", err)
		return
	}
	if !l.has("packs") {
		chosen = []string{packsAuto}
	}
	names := []string{packsAuto, packsNone}
	for _, f := range files {
		names = append(names, f.Pack())
	}
	wanted := map[string]bool{}
	for i, name := range chosen {
		at := index("packs", i)
		if !l.oneOf(at, name, names...) {
			continue
		}
		if name == packsNone && len(chosen) > 1 {
			l.fail(at, "", "%s stands alone", packsNone)
		}
		wanted[name] = true
	}
	if len(l.errs.Problems) > 0 {
		return // what they are completed with may be wrong
	}
	own := map[string]bool{}
	for i := range l.cfg.Signals {
		own[l.cfg.Signals[i].Name] = true
	}
	for _, f := range files {
		if !wanted[packsAuto] && !wanted[f.Pack()] {
			continue
		}
		p := l.pack(f)
		// A signal of the configuration stands for one of that name in a pack.
		p.Signals = slices.DeleteFunc(p.Signals, func(s signal.PackSignal) bool { return own[s.Name] })
		l.cfg.Packs = append(l.cfg.Packs, p)
	}
}

// pack reads one that is built in, by the rules of every signal. What is wrong with it is a mistake of ours, and is told all
// the same.
func (l *loader) pack(f signal.PackFile) signal.Pack {
	errs := &Errors{File: f.Name}
	defer func() {
		for _, problem := range errs.Problems {
			l.fail("packs", "", "%s:%d: %s: %s", f.Name, problem.Line, problem.Key, problem.Cause)
		}
	}()
	cfg := *l.cfg
	cfg.Signals = nil
	cfg.Global.EvaluationInterval = min(cfg.Global.EvaluationInterval, packRange)
	sub := &loader{decoder: decoder{errs: errs}, opts: l.opts, cfg: &cfg}
	root := parse(f.Text, errs)
	if root == nil {
		return signal.Pack{}
	}
	sub.places = places(root)
	var s packSchema
	sub.decode(root, "", root.Line, reflect.ValueOf(&s).Elem())
	sub.signals(s.Signals)
	if s.Pack != f.Pack() {
		sub.fail("pack", "", "%q is not the name of the file", s.Pack)
	}
	p := signal.Pack{Name: s.Pack, Title: s.Title}
	for i := range cfg.Signals {
		d := cfg.Signals[i]
		d.Pack = s.Pack
		if !sub.has(index("signals", i) + ".severity") {
			d.Severity = "info"
		}
		need, err := signal.Needs(&d)
		if err != nil {
			sub.fail(index("signals", i), "", "%s", err)
		}
		if strings.TrimSpace(d.Annotations["runbook"]) == "" {
			sub.fail(index("signals", i)+".annotations.runbook", "", "is missing")
		}
		p.Signals = append(p.Signals, signal.PackSignal{Definition: d, Need: need})
	}
	return p
}

// With returns the configuration with further signals behind its own.
func (c *Config) With(more []signal.Definition) *Config {
	with := *c
	with.Signals = slices.Concat(c.Signals, more)
	return &with
}
