package pipeline

import (
	"fmt"
	"math"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// SignalStatus is a signal with the last verdict on each of its series.
type SignalStatus struct {
	Def   signal.Definition
	Error string // of the last evaluation
	// Waiting is why a signal without series has none; Observed before its first tick.
	Waiting series.Missing
	Figures Figures
	Series  []SeriesStatus
}

// SeriesStatus is where a series stands.
type SeriesStatus struct {
	Labels    series.Labels
	Phase     detect.Phase
	Since     int64 // of the phase; 0 when inactive
	Verdict   baseline.Verdict
	Gate      detect.Gate
	Knowledge string
}

// Status returns every signal, in the order of the configuration. It is safe to call at any time.
func (in *Instance) Status() []SignalStatus {
	in.mu.RLock()
	defer in.mu.RUnlock()
	out := make([]SignalStatus, len(in.core.signals))
	for i, s := range in.core.signals {
		out[i] = SignalStatus{Def: s.Def, Error: in.failing[s.Def.Name], Waiting: s.waiting, Figures: s.shown(), Series: make([]SeriesStatus, len(s.series))}
		for k, sr := range s.series {
			st := SeriesStatus{Labels: sr.Labels, Phase: sr.anomaly.Phase, Since: sr.anomaly.StartsAt, Verdict: sr.verdict, Gate: sr.gate}
			if sr.stepped == 0 { // recovered, not yet judged
				st.Verdict = unseen(series.Point{T: in.last, Missing: series.Downtime})
				st.Verdict.Expectation = sr.model.Expect(s.modelTime(in.last))
			}
			st.Knowledge = knowledge(s, &st.Verdict)
			out[i].Series[k] = st
		}
	}
	return out
}

func knowledge(s *Signal, v *baseline.Verdict) string {
	if !v.Known {
		return s.reason(&v.Expectation)
	}
	return fmt.Sprintf("normal for %s, %s", s.describe(v.T), seen(&v.Expectation))
}

// HourOfWeek is what is normal in one of the 168 hours.
type HourOfWeek struct {
	Expected, Lower, Upper float64 // at the middle of the hour; NaN and infinities while not known
	Weeks                  int
}

// SeriesProfile is the week of one series, Sunday 00:00 first, in the zone of its signal.
type SeriesProfile struct {
	Labels series.Labels
	Zone   string
	Hours  [168]HourOfWeek
}

// Profiles returns the weeks of those series of a signal that match, as they would be judged after the last tick: each
// hour the next time its day is not special.
func (in *Instance) Profiles(name string, match func(series.Labels) bool) []SeriesProfile {
	in.mu.RLock()
	defer in.mu.RUnlock()
	s := in.core.byName[name]
	if s == nil {
		return nil
	}
	var out []SeriesProfile
	for _, sr := range s.series {
		if !match(sr.Labels) {
			continue
		}
		p := SeriesProfile{Labels: sr.Labels, Zone: s.Def.Zone}
		for i := range p.Hours {
			p.Hours[i] = HourOfWeek{math.NaN(), math.Inf(-1), math.Inf(1), 0}
		}
		first := in.last/hourMillis*hourMillis + hourMillis/2
		for slot, t := range ordinaryWeek(s.Zone, first) {
			if t == 0 {
				continue
			}
			e := sr.model.Expect(s.modelTime(t))
			p.Hours[slot] = HourOfWeek{e.Center, e.Lower, e.Upper, e.Weeks}
		}
		out = append(out, p)
	}
	return out
}

// ordinaryWeek finds for each hour of the week the first instant from t on at which it is nothing special; 0 when there is
// none within ten weeks.
func ordinaryWeek(c *calendar.Calendar, t int64) (week [168]int64) {
	for h, left := 0, len(week); h < 10*168 && left > 0; h++ {
		if slot, group := c.At(t); group == 0 && week[slot] == 0 {
			week[slot] = t
			left--
		}
		t += hourMillis
	}
	return week
}

// SeriesCount counts the series.
func (in *Instance) SeriesCount() int {
	in.mu.RLock()
	defer in.mu.RUnlock()
	return in.core.Size()
}
