package pipeline

import (
	"maps"

	"github.com/baseliner/baseliner/pkg/series"
)

// Silenced says why a series must not learn at an instant (unix milliseconds), "" when it may: it is silenced, or under
// maintenance. labels are those of its alerts that do not depend on what happened: alertname, signal, layer and
// severity, those of the signal and its own. It is asked for every observed point, by explanations for the past as well, and
// has to answer as it did then. It is safe for concurrent use.
type Silenced func(labels series.Labels, t int64) string

// SetSilenced says who knows what is silenced. It takes effect with the next step; nil, the default, silences nothing.
func (c *Core) SetSilenced(f Silenced) { c.silenced = f }

// SetForgotten says what nothing is learnt from. Models that learnt from it already have to be folded anew.
func (c *Core) SetForgotten(f *Forgotten) { c.forgotten = f }

// withheld says why the point of a series at an instant does not teach, "" when it does. lasting reasons keep the hour
// from ever being folded; the others are windows that may be undone.
func (s *Signal) withheld(sr *Series, t int64) (why string, lasting bool) {
	if f := s.core.silenced; f != nil {
		if why := f(s.labelsOf(sr), t); why != "" {
			return why, true
		}
	}
	windows := s.core.covering(t)
	if s.daily() && s.core.forgotten != nil {
		windows = s.core.forgotten.overlapping(s.startOf(s.day(t-1)), t)
	}
	for _, w := range windows {
		if w.about(s.Label(sr)) {
			return w.Kind, false
		}
	}
	return "", false
}

// covering returns the windows that hold t: found once a tick, asked for every series.
func (c *Core) covering(t int64) []forgotten {
	if c.forgotten == nil || len(c.forgotten.spans) == 0 {
		return nil
	}
	if c.coveredAt != t || c.coveredOf != c.forgotten {
		c.coveredAt, c.coveredOf, c.covered = t, c.forgotten, c.forgotten.overlapping(t, t+1)
	}
	return c.covered
}

// labelsOf are the labels of alerts that do not depend on what happened; a nil series asks for the signal as a whole.
func (s *Signal) labelsOf(sr *Series) series.Labels {
	if sr == nil {
		if s.ownLabels == nil {
			s.ownLabels = s.alertLabels(&Series{})
		}
		return s.ownLabels
	}
	if sr.alertLabels == nil {
		sr.alertLabels = s.alertLabels(sr)
	}
	return sr.alertLabels
}

func (s *Signal) alertLabels(sr *Series) series.Labels {
	m := map[string]string{}
	maps.Copy(m, s.Def.Labels)
	for _, l := range sr.Labels {
		m[l.Name] = l.Value
	}
	m["alertname"], m["signal"], m["layer"], m["severity"] = s.Def.Alert, s.Def.Name, s.Def.Layer.String(), s.Def.Severity
	return series.FromMap(m)
}

// close ends the hour that is open, when t lies beyond it. What was unlearned meanwhile is kept and not folded.
func (s *Signal) close(sr *Series, t int64, out *Output) {
	if !sr.model.Ends(s.modelTime(t)) {
		return
	}
	from, to := s.spanOf(s.realHour(sr.model.Open.Hour))
	learn := !s.core.forgotten.touches(from, to, s.Label(sr))
	if closed, ok := sr.model.Close(learn); ok {
		closed.Hour = s.realHour(closed.Hour)
		out.Closed = append(out.Closed, Closed{s, sr, closed})
	}
}

// withhold prepares the model for an observed point. While a series is withheld its recent course goes on, so that it
// can be judged; afterwards it begins anew, so that nothing of it stays.
func (s *Signal) withhold(sr *Series, t int64) {
	if s.core.silenced == nil && s.core.forgotten == nil {
		sr.withheld = ""
		return
	}
	was := sr.withheld
	if sr.stepped == 0 && sr.lastSeen > 0 { // recovered
		was, _ = s.withheld(sr, sr.lastSeen)
	}
	why, lasting := s.withheld(sr, t)
	if lasting {
		sr.model.Withhold()
	}
	if was != "" && why == "" {
		sr.model.Restart()
	}
	sr.withheld = why
}
