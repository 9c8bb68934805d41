package config

import "slices"

// Correlation says what incidents are told by.
type Correlation struct {
	ServiceLabels []string    // labels that name a service, the first that is there counts; nil: the usual ones
	Calls         [][2]string // from caller to callee, sorted
	CallMetrics   []string    // expressions that say who calls whom; nil: those of what is widely used
}

func (l *loader) correlation(s *correlationSchema) {
	c := &l.cfg.Correlation
	for i, name := range s.ServiceLabels {
		if !labelName.MatchString(name) {
			l.fail(index("correlation.service_labels", i), "use letters, digits and _", "%q is not a label name", name)
		}
	}
	c.ServiceLabels = s.ServiceLabels
	for caller, callees := range s.Calls {
		for i, callee := range callees {
			switch path := index(join("correlation.calls", caller), i); {
			case callee == "":
				l.fail(path, "", "is empty")
			case callee == caller:
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
