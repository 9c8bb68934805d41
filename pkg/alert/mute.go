package alert

import (
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/common/model"
)

// SetQuiet takes over silences and maintenance.
func (m *Machine) SetQuiet(q *Quiet) { m.quiet = q }

// mutedBy names what keeps an episode from being told to a route now, "" for nothing: a silence, maintenance, another
// alert, or the hours of the route.
func (m *Machine) mutedBy(now int64, e *Episode, o dispatch.RouteOpts) string {
	if e.Meta() {
		return ""
	}
	if by := m.quiet.By(e.Shown(), now); by != "" {
		return by
	}
	for _, name := range o.MuteTimeIntervals {
		if w, ok := m.intervals[name]; ok && w.Contains(now) {
			return "mute time interval " + name
		}
	}
	active := len(o.ActiveTimeIntervals) == 0
	for _, name := range o.ActiveTimeIntervals {
		w, ok := m.intervals[name]
		active = active || ok && w.Contains(now)
	}
	if !active {
		return "outside of active time intervals"
	}
	return m.inhibitedBy(e)
}

// inhibitedBy names the rule by which an alert that fires inhibits this one. As in Alertmanager, an alert that is both a
// source and a target of a rule is not inhibited by another such.
func (m *Machine) inhibitedBy(e *Episode) string {
	ls := labelSet(e.Shown())
	for i, r := range m.inhibit {
		if !r.TargetMatchers.Matches(ls) {
			continue
		}
		if s, ok := m.sources(i, r)[equalKey(r, ls)]; ok && (s.pure || s.any && !r.SourceMatchers.Matches(ls)) {
			if r.Name != "" {
				return "inhibited by rule " + r.Name
			}
			return "inhibited by " + s.alertname
		}
	}
	return ""
}

// source is what fires under one value of a rule's equal labels.
type source struct {
	any, pure bool // pure: at least one that is not a target itself
	alertname string
}

// sources indexes what fires by the equal labels of a rule, once for each Advance.
func (m *Machine) sources(i int, r *inhibit.InhibitRule) map[string]source {
	if m.inhibiting[i] != nil {
		return m.inhibiting[i]
	}
	index := map[string]source{}
	for _, k := range slices.Sorted(maps.Keys(m.episodes)) {
		e := m.episodes[k]
		ls := labelSet(e.Shown())
		if !e.Firing || !r.SourceMatchers.Matches(ls) {
			continue
		}
		key := equalKey(r, ls)
		s := index[key]
		s.any, s.pure = true, s.pure || !r.TargetMatchers.Matches(ls)
		if s.alertname == "" {
			s.alertname = e.Labels["alertname"]
		}
		index[key] = s
	}
	m.inhibiting[i] = index
	return index
}

func equalKey(r *inhibit.InhibitRule, ls model.LabelSet) string {
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(r.Equal)) {
		b.WriteString(string(ls[n]))
		b.WriteByte(0xff)
	}
	return b.String()
}
