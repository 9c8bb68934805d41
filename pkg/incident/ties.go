package incident

import (
	"fmt"
	"slices"
	"time"
)

// Ties says what has to do with what. The zero value knows services and labels alone.
type Ties struct {
	Graph *Graph // who calls whom
	// Learned tells whether two signals are known to move together; nil knows of none.
	Learned func(a, b string) bool
	// Together tells whether two anomalies have moved together of late; nil cannot tell.
	Together func(a, b *Anomaly) bool
}

const (
	// hops are the calls between two services that have to do with each other: the one in between need not be watched.
	hops = 2
	// strangers are anomalies that nothing but their course connects: those have to begin within this time.
	strangers = 15 * time.Minute
)

// common are labels that say where something runs, and not what it is: sharing them means nothing.
var common = []string{"job", "cluster", "namespace", "env", "environment", "region", "zone", "team", "tenant", "le", "quantile"}

// Related tells whether an anomaly is one story with b, which was there before, and why, in words.
func (t *Ties) Related(a, b *Anomaly) (why string, ok bool) {
	switch {
	case a.Service != "" && a.Service == b.Service:
		return "of " + a.Service + " too", true
	case a.Service != "" && b.Service != "":
		for _, edge := range [...][2]string{{a.Service, b.Service}, {b.Service, a.Service}} {
			if t.Graph.Within(edge[0], edge[1], hops) {
				return edge[0] + " calls " + edge[1], true
			}
		}
	}
	if t.Learned != nil && a.Signal != b.Signal && t.Learned(a.Signal, b.Signal) {
		return "known to move with " + b.Signal, true
	}
	if a.Service != "" && b.Service != "" {
		return "", false
	}
	// One of them belongs to no service: it may be about any.
	shared := ""
	for _, l := range a.Labels {
		switch v := b.Labels.Get(l.Name); {
		case v == "":
		case v != l.Value:
			return "", false // as two regions, or two tenants
		case !slices.Contains(common, l.Name) && shared == "":
			shared = fmt.Sprintf("%s is %s here too", l.Name, l.Value)
		}
	}
	if shared != "" {
		return shared, true
	}
	if apart := a.StartsAt - b.StartsAt; max(apart, -apart) > strangers.Milliseconds() || t.Together == nil || !t.Together(a, b) {
		return "", false
	}
	return "moved with " + b.Signal, true
}
