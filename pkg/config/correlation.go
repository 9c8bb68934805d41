package config

import (
	"slices"
	"time"
)

// Correlation says how relations are learnt, and what incidents are told by.
type Correlation struct {
	MaxLag             time.Duration // that a measurement may lead or follow; counted in whole hours
	FalseDiscoveryRate float64       // share of chance among what is shown

	ServiceLabels []string    // labels that name a service, the first that is there counts; nil: the usual ones
	Calls         [][2]string // from caller to callee, sorted
	CallMetrics   []string    // expressions that say who calls whom; nil: those of what is widely used
}

// The defaults.
const (
	defaultMaxLag = 6 * time.Hour
	defaultFDR    = 0.05
)

func (l *loader) correlation(s *correlationSchema) {
	c := &l.cfg.Correlation
	if c.MaxLag = s.MaxLag; c.MaxLag < time.Hour || c.MaxLag > 48*time.Hour {
		l.fail("correlation.max_lag", "relations are learnt in hours", "%v is not between 1h and 48h", c.MaxLag)
	}
	if c.FalseDiscoveryRate = float64(s.FalseDiscoveryRate); !(c.FalseDiscoveryRate > 0 && c.FalseDiscoveryRate <= 0.5) {
		l.fail("correlation.false_discovery_rate", "", "%v is not above 0 and at most 0.5", c.FalseDiscoveryRate)
	}
	for i, name := range s.ServiceLabels {
		if !labelName.MatchString(name) {
			l.fail(index("correlation.service_labels", i), "use letters, digits and _", "%q is not a label name", name)
		}
	}
	c.ServiceLabels = s.ServiceLabels
	for caller, callees := range s.Calls {
		for i, callee := range callees {
			switch path := index(join("correlation.calls", caller), i); callee {
			case "":
				l.fail(path, "", "is empty")
			case caller:
				l.fail(path, "leave it out", "%s calls itself", caller)
			default:
				c.Calls = append(c.Calls, [2]string{caller, callee})
			}
		}
	}
	slices.SortFunc(c.Calls, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	if !l.has("correlation.call_metrics") {
		return
	}
	c.CallMetrics = []string{}
	for i, expr := range s.CallMetrics {
		l.expression(index("correlation.call_metrics", i), expr, l.cfg.Global.Lookback)
		c.CallMetrics = append(c.CallMetrics, expr)
	}
}
