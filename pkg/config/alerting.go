package config

import (
	"reflect"
	"slices"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/relabel"
	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// Alerting says who hears of what. Without a route, alerts are only logged and shown.
type Alerting struct {
	Route     *amconfig.Route // nil when there is none; Alertmanager's own type, its times unset where not configured
	Receivers []Receiver

	Alertmanagers promconfig.AlertmanagerConfigs
	AlertRelabel  []*relabel.Config // of what they see

	TimeIntervals []amconfig.TimeInterval // that routes name
	Maintenance   []amconfig.TimeInterval // calendar.maintenance: neither told nor learnt
	InhibitRules  []amcommon.InhibitRule

	OutboxMaxBytes int64 // of notifications that wait
	DeadLetters    DeadLetters

	Flapping alert.Flapping
	Digest   *alert.Digest // nil for none
}

func (l *loader) alerting(s *alertingSchema) {
	l.outbox(s)
	l.alertmanagers(s)
	names := l.receivers(s.Receivers)
	l.fatigue(s, names)
	if s.Route == nil {
		if len(names) > 0 {
			l.fail("alerting.receivers", "add alerting.route", "receivers without a route hear nothing")
		}
		return
	}
	before := len(l.errs.Problems)
	l.route("alerting.route", s.Route, names, true)
	if len(l.errs.Problems) > before {
		return
	}
	text, err := marshal(s.Route)
	if err == nil {
		l.cfg.Alerting.Route = &amconfig.Route{}
		err = yamlv2.UnmarshalStrict(text, l.cfg.Alerting.Route)
	}
	if err != nil {
		l.fail("alerting.route", "", "%s", err)
	}
}

// rootOnlyFor are keys that the root of the tree cannot have: it is where everything ends up that nobody else wants.
var notInRoot = []string{"match", "match_re", "matchers", "continue", "mute_time_intervals", "active_time_intervals"}

// route checks one node of the tree by itself, then its children.
func (l *loader) route(path string, n *yaml.Node, receivers []string, root bool) {
	if n.Kind != yaml.MappingNode {
		l.fail(path, "", "is %s, want a mapping", describe(n))
		return
	}
	own := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line}
	var children *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i].Value; key == "routes" {
			children = n.Content[i+1]
			continue
		} else if root && slices.Contains(notInRoot, key) && !isFalse(n.Content[i+1]) {
			l.fail(join(path, key), "move it to a route below", "the root route takes every alert")
		}
		own.Content = append(own.Content, n.Content[i], n.Content[i+1])
	}
	block{
		node: own, path: path, known: keysOf(reflect.TypeFor[amconfig.Route]()),
		load: func(text []byte) error { return yamlv2.UnmarshalStrict(text, &amconfig.Route{}) },
	}.check(l.errs)

	if labels := lookup(n, "labels"); labels != nil && labels.Kind == yaml.MappingNode {
		var texts map[string]string
		if err := labels.Decode(&texts); err == nil { // else it was told
			if err := webhook.CheckRouteLabels(texts); err != nil {
				l.fail(path+".labels", "", "%s", err)
			}
		}
	}
	if r := lookup(n, "receiver"); r != nil && r.Kind == yaml.ScalarNode && !slices.Contains(receivers, r.Value) {
		l.fail(path+".receiver", didYouMean(r.Value, receivers), "receiver %q is not defined", r.Value)
	} else if r == nil && root {
		l.fail(path+".receiver", "", "is missing")
	}
	if !root {
		for _, key := range []string{"mute_time_intervals", "active_time_intervals"} {
			l.timeIntervals(join(path, key), lookup(n, key))
		}
	}

	if children == nil || isNull(children) {
		return
	}
	if children.Kind != yaml.SequenceNode {
		l.fail(path+".routes", "", "is %s, want a list", describe(children))
		return
	}
	for i, c := range children.Content {
		l.route(index(path+".routes", i), c, receivers, false)
	}
}

// timeIntervals checks that the intervals of a route exist.
func (l *loader) timeIntervals(path string, names *yaml.Node) {
	if names == nil || names.Kind != yaml.SequenceNode {
		return
	}
	var defined []string
	if p := l.places["alerting.time_intervals"]; p.node != nil {
		for _, t := range p.node.Content {
			if name := lookup(t, "name"); name != nil {
				defined = append(defined, name.Value)
			}
		}
	}
	for i, n := range names.Content {
		if n.Kind == yaml.ScalarNode && !slices.Contains(defined, n.Value) {
			l.fail(index(path, i), didYouMean(n.Value, defined), "time interval %q is not defined", n.Value)
		}
	}
}

func isFalse(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == "false" || isNull(n) }

// isSet reports whether a value asks for anything.
func isSet(n *yaml.Node) bool {
	return n != nil && !isNull(n) && (n.Kind == yaml.ScalarNode || len(n.Content) > 0)
}
