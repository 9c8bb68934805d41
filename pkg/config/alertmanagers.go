package config

import (
	"fmt"
	"reflect"

	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/relabel"
	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"
)

// alertmanagers takes Prometheus' own blocks over.
func (l *loader) alertmanagers(s *alertingSchema) {
	a := &l.cfg.Alerting
	for _, n := range l.listed("alerting.alertmanagers", s.Alertmanagers, reflect.TypeFor[promconfig.AlertmanagerConfig](), discoveries...) {
		c := &promconfig.AlertmanagerConfig{}
		if !l.into(n.path, n.node, c) {
			continue
		}
		if c.APIVersion != promconfig.AlertmanagerAPIVersionV2 {
			l.fail(n.path+".api_version", "", "%q is not v2", string(c.APIVersion))
		}
		c.SetDirectory(l.dir)
		a.Alertmanagers = append(a.Alertmanagers, c)
	}
	for _, n := range l.listed("alerting.alert_relabel_configs", s.AlertRelabelConfigs, reflect.TypeFor[relabel.Config]()) {
		c := &relabel.Config{}
		if l.into(n.path, n.node, c) {
			a.AlertRelabel = append(a.AlertRelabel, c)
		}
	}
}

// element is one of a list.
type element struct {
	node *yaml.Node
	path string
}

// listed checks a list whose elements are of a library's type, and returns those that are right.
func (l *loader) listed(path string, n *yaml.Node, of reflect.Type, known ...string) (out []element) {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		l.fail(path, "", "is %s, want a list", describe(n))
		return nil
	}
	for i, e := range n.Content {
		before := len(l.errs.Problems)
		block{
			node: e, path: index(path, i), known: append(allKeys(of), known...),
			load: func(text []byte) error { return yamlv2.UnmarshalStrict(text, reflect.New(of).Interface()) },
		}.check(l.errs)
		if len(l.errs.Problems) == before {
			out = append(out, element{e, index(path, i)})
		}
	}
	return out
}

// into decodes what listed has checked.
func (l *loader) into(path string, n *yaml.Node, v any) bool {
	text, err := marshal(n)
	if err == nil {
		err = yamlv2.UnmarshalStrict(text, v)
	}
	if err != nil {
		l.fail(path, "", "%s", fmt.Sprint(err))
	}
	return err == nil
}
