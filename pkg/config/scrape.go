package config

import (
	"log/slog"
	"reflect"
	"slices"

	promconfig "github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/dns" // registers dns_sd_configs
	_ "github.com/prometheus/prometheus/discovery/file"
	_ "github.com/prometheus/prometheus/discovery/http"
	_ "github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"
)

// ownGlobal are keys of Prometheus' global block that are ours or have no meaning here.
var ownGlobal = []string{"evaluation_interval", "external_labels", "rule_query_offset", "query_log_file"}

var discoveries = []string{"static_configs", "file_sd_configs", "http_sd_configs", "dns_sd_configs", "kubernetes_sd_configs"}

// scrape hands Prometheus' part of global and the jobs to Prometheus, each job alone first, so that one mistake does not
// hide another.
func (l *loader) scrape(global, jobs *yaml.Node) {
	load := func(text []byte) error {
		_, err := promconfig.Load(string(text), slog.New(slog.DiscardHandler))
		return err
	}
	before := len(l.errs.Problems)
	globalKeys := slices.DeleteFunc(keysOf(reflect.TypeFor[promconfig.GlobalConfig]()), func(k string) bool {
		return slices.Contains(ownGlobal, k)
	})
	known := append(globalKeys, keysOf(reflect.TypeFor[globalSchema]())...)
	if global == nil {
		global = mapping()
	}
	var allowed []*yaml.Node
	for i := 0; i+1 < len(global.Content); i += 2 {
		key := global.Content[i]
		if !slices.Contains(globalKeys, key.Value) {
			l.errs.add(key.Line, join("global", key.Value), unknownKey(key.Value, known), "unknown key")
			continue
		}
		allowed = append(allowed, key, global.Content[i+1])
	}
	global = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: l.line("global"), Content: allowed}
	block{
		node: global, path: "global", known: known, load: load,
		wrap: func(n *yaml.Node) *yaml.Node { return mapping("global", n) },
	}.check(l.errs)

	if jobs != nil && jobs.Kind != yaml.SequenceNode {
		l.fail("scrape_configs", "", "is %s, want a list", describe(jobs))
		return
	}
	broken := len(l.errs.Problems) > before
	global = withDefaults(global, l.scrapeDefaults())
	if jobs != nil && !broken {
		l.jobs(global, jobs, load)
	} else if jobs != nil {
		l.jobs(mapping(), jobs, load)
	}
	if len(l.errs.Problems) > before {
		return
	}

	document := mapping("global", global)
	if jobs != nil {
		document = mapping("global", global, "scrape_configs", jobs)
	}
	text, err := marshal(document)
	if err != nil {
		l.fail("scrape_configs", "", "%s", err)
		return
	}
	cfg, err := promconfig.Load(string(text), l.opts.Logger)
	if err != nil {
		l.fail("scrape_configs", "", "%s", err)
		return
	}
	cfg.SetDirectory(l.dir)
	cfg.GlobalConfig.ExternalLabels = labels.FromMap(l.cfg.Global.ExternalLabels)
	l.cfg.Scrape = cfg
}

func (l *loader) jobs(global, jobs *yaml.Node, load func([]byte) error) {
	known := append(allKeys(reflect.TypeFor[promconfig.ScrapeConfig]()), discoveries...)
	known = append(known, "targets", "labels") // of static_configs
	first := map[string]int{}
	for i, job := range jobs.Content {
		path := index("scrape_configs", i)
		if job.Kind != yaml.MappingNode {
			l.fail(path, "", "is %s, want a mapping", describe(job))
			continue
		}
		if name := lookup(job, "job_name"); name != nil {
			if line, ok := first[name.Value]; ok {
				l.fail(path+".job_name", "", "job %q is already defined in line %d", name.Value, line)
			} else {
				first[name.Value] = name.Line
			}
		}
		block{
			node: job, path: path, known: known, load: load, pinned: []string{"job_name"},
			wrap: func(n *yaml.Node) *yaml.Node { return mapping("global", global, "scrape_configs", sequence(n)) },
		}.check(l.errs)
	}
}

func withDefaults(global *yaml.Node, defaults []any) *yaml.Node {
	g := clone(global)
	for i := 0; i < len(defaults); i += 2 {
		if key := defaults[i].(string); lookup(g, key) == nil {
			g.Content = append(g.Content, mapping(key, defaults[i+1]).Content...)
		}
	}
	return g
}

// tracing is Prometheus' own block.
func (l *loader) tracing(n *yaml.Node) {
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		l.fail("tracing", "", "is %s, want a mapping", describe(n))
		return
	}
	if len(n.Content) == 0 {
		return
	}
	var cfg *promconfig.Config
	block{
		node: n, path: "tracing", known: allKeys(reflect.TypeFor[promconfig.TracingConfig]()), pinned: []string{"endpoint"},
		wrap: func(n *yaml.Node) *yaml.Node { return mapping("tracing", n) },
		load: func(text []byte) (err error) {
			cfg, err = promconfig.Load(string(text), slog.New(slog.DiscardHandler))
			return err
		},
	}.check(l.errs)
	if cfg == nil {
		return
	}
	t := cfg.TracingConfig
	if t.SamplingFraction < 0 || t.SamplingFraction > 1 {
		l.fail("tracing.sampling_fraction", "", "%v is not between 0 and 1", t.SamplingFraction)
	}
	t.SetDirectory(l.dir)
	l.cfg.Tracing = &t
}
