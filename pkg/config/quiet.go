package config

import (
	"reflect"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	"go.yaml.in/yaml/v3"
)

// quiet takes over what keeps alerts from being told: hours of routes, other alerts, maintenance.
func (l *loader) quiet(s *alertingSchema, maintenance *yaml.Node) {
	a := &l.cfg.Alerting
	a.TimeIntervals = l.intervals("alerting.time_intervals", s.TimeIntervals)
	a.Maintenance = l.intervals("calendar.maintenance", maintenance)
	for _, n := range l.listed("alerting.inhibit_rules", s.InhibitRules, reflect.TypeFor[amcommon.InhibitRule]()) {
		r := amcommon.InhibitRule{}
		if l.into(n.path, n.node, &r) {
			a.InhibitRules = append(a.InhibitRules, r)
		}
	}
}

// intervals reads named recurring times in Alertmanager's syntax.
func (l *loader) intervals(path string, list *yaml.Node) (out []amconfig.TimeInterval) {
	first := map[string]bool{}
	for _, n := range l.listed(path, list, reflect.TypeFor[amconfig.TimeInterval]()) {
		t := amconfig.TimeInterval{}
		if !l.into(n.path, n.node, &t) {
			continue
		}
		if first[t.Name] {
			l.fail(n.path+".name", "", "%q is already defined", t.Name)
		}
		first[t.Name] = true
		out = append(out, t)
	}
	return out
}
