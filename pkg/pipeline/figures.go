package pipeline

import "math"

// Figures are what became of a signal's bands and alarms in the last eight weeks, counted once an hour. Coverage and
// rate are two numbers: neither follows from the other. NaN is what cannot be told yet.
type Figures struct {
	Coverage        float64 // share of judged rows inside the band, each judged before it was learnt
	Low, High       float64 // its 95 % interval, by a bootstrap of days
	EpisodesPerWeek float64 // anomalies told, over the hours that were judged
	Budget          float64 // anomalies a week that may be told of the signal
	Exponent        float64 // by which the thresholds of its series are moved
}

// shown are the figures as of the last hour that was counted.
func (s *Signal) shown() Figures {
	f := s.figures
	if s.counted == 0 {
		f.Coverage, f.Low, f.High, f.EpisodesPerWeek = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	}
	f.Budget, f.Exponent = s.budget.PerWeek, max(s.budget.Exponent(), s.team.budget.Exponent())
	return f
}

// publish counts the figures of every hour anew and hands out the metrics. The driver calls it after each tick.
func (in *Instance) publish(t int64) {
	m := in.metrics
	hour := t / hourMillis
	for _, s := range in.core.signals {
		if s.counted == hour {
			continue
		}
		f := Figures{EpisodesPerWeek: s.realised.EpisodesPerWeek(t)}
		f.Coverage, f.Low, f.High = s.realised.Coverage(t)
		in.mu.Lock()
		s.figures, s.counted = f, hour
		in.mu.Unlock()
		name := s.Def.Name
		m.coverage.WithLabelValues(name).Set(f.Coverage)
		m.coverageLow.WithLabelValues(name).Set(f.Low)
		m.coverageHigh.WithLabelValues(name).Set(f.High)
		m.episodes.WithLabelValues(name).Set(f.EpisodesPerWeek)
	}
	for _, team := range in.core.teams {
		m.exponent.WithLabelValues(team.name).Set(team.budget.Exponent())
		m.left.WithLabelValues(team.name).Set(team.budget.Left)
	}
}

// forgetFigures takes back the metrics of signals and teams that may be gone.
func (in *Instance) forgetFigures() {
	m := in.metrics
	m.coverage.Reset()
	m.coverageLow.Reset()
	m.coverageHigh.Reset()
	m.episodes.Reset()
	m.exponent.Reset()
	m.left.Reset()
}
