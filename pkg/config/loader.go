package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// loader turns a decoded file into a Config.
type loader struct {
	decoder
	opts   Options
	dir    string
	cfg    *Config
	places map[string]place
	files  []string
	unset  map[string]bool // keys whose environment variable is not set
}

func (l *loader) validate(s *fileSchema) {
	l.global(&s.Global)
	l.ingest(&s.Ingest)
	l.limits(&s.Limits)
	l.engine(&s.Engine)
	l.remote(s.Engine.Remote)
	l.scrape(s.Global.Scrape, s.ScrapeConfigs)
	l.tracing(s.Tracing)
	l.annotations(s)
	l.calendar(&s.Calendar)
	l.budget(&s.Detection)
	l.cfg.Correlation = l.correlation(&s.Correlation)
	l.signals(s.Signals)
	l.alerting(&s.Alerting)
	l.quiet(&s.Alerting, s.Calendar.Maintenance)
	l.notYet(s)
}

// has reports whether the file sets a key.
func (l *loader) has(path string) bool {
	_, ok := l.places[path]
	return ok && path != ""
}

// line returns where a key stands, or where the nearest key above it does.
func (l *loader) line(path string) int {
	for {
		if p, ok := l.places[path]; ok {
			return max(p.line, 1)
		}
		cut := max(strings.LastIndexAny(path, ".["), 0)
		if path == "" {
			return 1
		}
		path = path[:cut]
	}
}

func (l *loader) fail(path, hint, format string, args ...any) {
	l.errs.add(l.line(path), path, hint, format, args...)
}

// isMapping reports whether the file has a mapping there; whatever else it has was refused by the decoder.
func (l *loader) isMapping(path string) bool {
	p := l.places[path]
	return p.node != nil && p.node.Kind == yaml.MappingNode
}

// between refuses durations out of [low, high].
func (l *loader) between(path string, d, low, high time.Duration) {
	if d < low || d > high {
		l.fail(path, "", "%s is not between %s and %s", written(d), written(low), written(high))
	}
}

// whole refuses durations with a fraction of a second.
func (l *loader) whole(path string, d time.Duration) {
	if d%time.Second != 0 {
		l.fail(path, "", "%s is not a whole number of seconds", written(d))
	}
}

// oneOf refuses values that are not listed.
func (l *loader) oneOf(path, value string, allowed ...string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	l.fail(path, didYouMean(value, allowed), "%q is not one of %s", value, strings.Join(allowed, ", "))
	return false
}

func (l *loader) zone(path, name string) {
	if _, err := time.LoadLocation(name); err != nil || name == "" || name == "Local" {
		l.fail(path, "use an IANA name such as Europe/Berlin or UTC", "%q is not a time zone", name)
	}
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// labels refuses names that are no label names and those that mean something else.
func (l *loader) labels(path string, labels map[string]string, reserved ...string) {
	for name, value := range labels {
		at := join(path, name)
		switch {
		case !labelName.MatchString(name):
			l.fail(at, "use letters, digits and _", "%q is not a label name", name)
		case strings.HasPrefix(name, model.ReservedLabelPrefix):
			l.fail(at, "", "label names that begin with %s are reserved", model.ReservedLabelPrefix)
		}
		for _, r := range reserved {
			if name == r {
				l.fail(at, "", "label %s is set by baseliner", name)
			}
		}
		if value == "" {
			l.fail(at, "", "label value is empty")
		}
	}
}

func (l *loader) global(g *globalSchema) {
	l.between("global.evaluation_interval", g.EvaluationInterval, time.Second, time.Hour)
	l.whole("global.evaluation_interval", g.EvaluationInterval)
	l.between("global.evaluation_delay", g.EvaluationDelay, 0, time.Hour)
	l.between("global.lookback", g.Lookback, time.Second, 24*time.Hour)
	l.zone("global.timezone", g.Timezone)
	l.labels("global.external_labels", g.ExternalLabels, identityLabels...)
	l.cfg.Global = Global{
		EvaluationInterval: g.EvaluationInterval,
		EvaluationDelay:    g.EvaluationDelay,
		Lookback:           g.Lookback,
		Timezone:           g.Timezone,
		ExternalLabels:     g.ExternalLabels,
	}
}

// annotations may be told by whoever has the token, or by anybody who reaches us where there is none.
func (l *loader) annotations(s *fileSchema) {
	a := &s.Ingest.Annotations
	if a.TokenFile != "" && !a.Enabled {
		l.fail("ingest.annotations.token_file", "add enabled: true", "is of no use while annotations are not enabled")
	}
	l.cfg.Annotations.Enabled = a.Enabled
	if a.TokenFile != "" {
		l.cfg.Annotations.TokenFile = commonconfig.JoinDir(l.dir, a.TokenFile)
	}
}

func (l *loader) engine(s *engineSchema) {
	store := func(path string, s storeSchema, least time.Duration) Store {
		l.between(path+".retention", s.Retention, least, 10*365*24*time.Hour)
		if s.MaxBytes < 16<<20 {
			l.fail(path+".max_bytes", "", "%d bytes is less than 16MiB", s.MaxBytes)
		}
		return Store{Retention: s.Retention, MaxBytes: int64(s.MaxBytes)}
	}
	l.cfg.Engine = Engine{
		Live:    store("engine.embedded.live", s.Embedded.Live, 2*time.Hour),
		History: store("engine.embedded.history", s.Embedded.History, 24*time.Hour),
	}
}
