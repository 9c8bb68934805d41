package config

import "time"

// Correlation says how relations are learnt.
type Correlation struct {
	MaxLag             time.Duration // that a measurement may lead or follow; counted in whole hours
	FalseDiscoveryRate float64       // share of chance among what is shown
}

// The defaults.
const (
	defaultMaxLag = 6 * time.Hour
	defaultFDR    = 0.05
)

func (l *loader) correlation(s *correlationSchema) Correlation {
	if d := s.MaxLag; d < time.Hour || d > 48*time.Hour {
		l.fail("correlation.max_lag", "relations are learnt in hours", "%v is not between 1h and 48h", d)
	}
	if q := float64(s.FalseDiscoveryRate); !(q > 0 && q <= 0.5) {
		l.fail("correlation.false_discovery_rate", "", "%v is not above 0 and at most 0.5", q)
	}
	return Correlation{MaxLag: s.MaxLag, FalseDiscoveryRate: float64(s.FalseDiscoveryRate)}
}
