package alert

import (
	"slices"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
)

// Routing is what the configuration says of who hears what.
type Routing struct {
	Route     *dispatch.Route // nil tells nobody anything
	Receivers []string        // that can be told something
	Intervals []Window        // that routes name
	Inhibit   []*inhibit.InhibitRule

	Flapping   Flapping
	Allowances map[string]Allowance // by receiver; those that are not named have none
	Digest     *Digest              // nil for none
}

// MetaDeadLetters is the alert about notifications that were given up. Its label receiver names whom they were for; it is
// told to others.
const MetaDeadLetters = "BaselinerDeadLetters"

// avoided is the receiver that must not be told: it is the one that does not listen.
func avoided(labels map[string]string) (receiver string, ok bool) {
	return labels["receiver"], labels["alertname"] == MetaDeadLetters && labels["signal"] == ""
}

// Meta says whether an episode is about ourselves and not about a signal.
func (t *Transition) Meta() bool {
	_, ok := avoided(t.Labels)
	return ok
}

// others sends what one receiver must not be told to the others: to those that its route names, else to all.
func (m *Machine) others(ps []place, avoid string) []place {
	ps = slices.DeleteFunc(ps, func(p place) bool {
		return p.group.Receiver == avoid || !slices.Contains(m.receivers, p.group.Receiver)
	})
	if len(ps) > 0 {
		return ps
	}
	for _, r := range m.receivers {
		if r != avoid {
			labels := map[string]string{"alertname": MetaDeadLetters}
			ps = append(ps, place{m.route, Group{
				Key: m.route.Key() + ":" + labelSet(labels).String(), Receiver: r, Labels: labels, RouteLabels: map[string]string{},
			}})
		}
	}
	return ps
}
