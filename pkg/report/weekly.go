package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/signal"
)

// SignalWeek is how a signal did. NaN is what is not known yet.
type SignalWeek struct {
	Name     string `json:"signal"`
	Layer    string `json:"layer"`
	Alarms   Number `json:"alarms_per_week"`
	Budget   Number `json:"budget_per_week"`
	Coverage Number `json:"coverage"` // share of rows inside the band, each judged before it was learnt
	Series   int    `json:"series"`
	Learning int    `json:"series_learning"` // that cannot be judged yet
	Missing  int    `json:"series_missing"`
	Firing   int    `json:"series_firing"`
	Error    string `json:"error,omitempty"` // of the last evaluation
}

// WeekIncident is a time in which a business figure was far from its usual.
type WeekIncident struct {
	Outcome string `json:"outcome"`
	Unit    string `json:"money_unit"`
	Incident
}

// WeeklyInput is what a weekly report is made of: the week before To, a Monday.
type WeeklyInput struct {
	To        time.Time
	Relations []CorrelationInput
	Signals   []SignalWeek
}

// Weekly is what happened, what it took, how noisy the alerts were and how healthy the baselines are.
type Weekly struct {
	Kind      string         `json:"kind"`
	Method    string         `json:"method"`
	From      time.Time      `json:"from"`
	To        time.Time      `json:"to"`
	Incidents []WeekIncident `json:"incidents"`
	Signals   []SignalWeek   `json:"signals"` // noisiest first
	Ranking   []ImpactRow    `json:"where_to_optimise"`
}

// NewWeekly puts a week together.
func NewWeekly(in WeeklyInput) *Weekly {
	out := &Weekly{Kind: "weekly", Method: correlate.Method, From: in.To.AddDate(0, 0, -7), To: in.To, Incidents: []WeekIncident{}, Signals: slices.Clone(in.Signals), Ranking: []ImpactRow{}}
	for _, r := range in.Relations {
		_, unit := r.value()
		for _, i := range NewCorrelation(r).Incidents {
			if i.End.After(out.From) && i.Start.Before(out.To) {
				out.Incidents = append(out.Incidents, WeekIncident{r.Study.Outcome, unit, i})
			}
		}
	}
	if len(in.Relations) > 0 {
		out.Ranking = NewImpact(in.Relations).Ranking
	}
	slices.SortStableFunc(out.Incidents, func(a, b WeekIncident) int { return a.Start.Compare(b.Start) })
	over := func(s *SignalWeek) float64 {
		if v := float64(s.Alarms / s.Budget); v == v {
			return v
		}
		return -1
	}
	slices.SortStableFunc(out.Signals, func(a, b SignalWeek) int { return cmp.Compare(over(&b), over(&a)) })
	return out
}

// lost is what an incident took, in money where that is known; ok is false where it does not add up.
func (i *WeekIncident) lost() (r Range, ok bool) {
	if r = i.Lost; i.Money != nil {
		r = *i.Money
	}
	return r, r.Value != 0
}

// Document writes the week down.
func (w *Weekly) Document() *Document {
	d := &Document{
		Title:    "The week of " + w.From.Format("2 January 2006"),
		Subtitle: fmt.Sprintf("%s to %s, %s", w.From.Format("Mon 2 January 15:04"), w.To.Format("Mon 2 January 15:04"), w.To.Location()),
		Data:     w,
	}
	d.Sections = []Section{w.answer(), w.incidents(), w.noise(), w.health(), w.optimise(), w.notes()}
	return d
}

func (w *Weekly) answer() Section {
	s := Section{Title: "In short"}
	took := map[string]float64{}
	var units []string
	for i := range w.Incidents {
		if r, ok := w.Incidents[i].lost(); ok {
			if _, seen := took[w.Incidents[i].Unit]; !seen {
				units = append(units, w.Incidents[i].Unit)
			}
			took[w.Incidents[i].Unit] += float64(r.Value)
		}
	}
	text, grade := "No business figure was far from its usual.", ""
	if n := len(w.Incidents); n > 0 {
		grade = "C"
		text = fmt.Sprintf("**%d** times a business figure was far from its usual", n)
		if n == 1 {
			text = "**Once** a business figure was far from its usual"
		}
		var parts []string
		for _, u := range units {
			parts = append(parts, amount(took[u], u))
		}
		if len(parts) > 0 {
			text += ", which took about **" + list(parts, 4) + "**"
		}
		text += "."
	}
	s.Blocks = append(s.Blocks, Lead{Text: text, Grade: grade, Badge: map[string]string{"C": "!"}[grade]})
	alarms, budget, learning, missing := 0.0, 0.0, 0, 0
	for _, g := range w.Signals {
		if g.Alarms == g.Alarms {
			alarms += float64(g.Alarms)
			budget += float64(g.Budget)
		}
		learning += g.Learning
		missing += g.Missing
	}
	s.text("Alarms come at %.1f a week over %d signals, which may cost %.1f. %d series are being learnt, %d are silent.", alarms, len(w.Signals), budget, learning, missing)
	return s
}

func (w *Weekly) incidents() Section {
	s := Section{Title: "Incidents"}
	if len(w.Incidents) == 0 {
		s.text("None.")
		return s
	}
	t := &Table{Name: "incidents", Head: []string{"from", "to", "of", "short of what was expected", "90 % interval", "moved at the same time"}, Numbers: []bool{false, false, false, true, true, false}}
	for i := range w.Incidents {
		n := &w.Incidents[i]
		lost, interval := "–", "–"
		if r, ok := n.lost(); ok {
			format := func(v float64) string { return amount(v, n.Unit) }
			lost = format(float64(r.Value))
			if interval = "not enough data"; !math.IsInf(float64(r.Low), 0) {
				interval = between(float64(r.Low), float64(r.High), format, format)
			}
		}
		t.Rows = append(t.Rows, []string{n.Start.Format("Mon 15:04"), n.End.Format("Mon 15:04"), n.Outcome, lost, interval, cmp.Or(list(n.SameTime, details), "nothing explains it")})
	}
	s.Blocks = append(s.Blocks, t)
	return s
}

// known prints a number, or that there is none yet.
func known(n Number, format func(float64) string) string {
	if n != n {
		return "not known yet"
	}
	return format(float64(n))
}

func (w *Weekly) noise() Section {
	s := Section{Title: "Noise of the alerts"}
	t := &Table{Name: "noise", Head: []string{"signal", "layer", "alarms a week", "may cost"}, Numbers: []bool{false, false, true, true}}
	for _, g := range w.Signals[:min(len(w.Signals), 15)] {
		one := func(v float64) string { return fmt.Sprintf("%.1f", v) }
		t.Rows = append(t.Rows, []string{g.Name, g.Layer, known(g.Alarms, one), known(g.Budget, one)})
	}
	if len(t.Rows) == 0 {
		s.text("No signal is configured.")
		return s
	}
	s.Blocks = append(s.Blocks, t)
	s.text("Over the last eight weeks, real incidents included: a signal far above its budget either has them, or wants `min_change`, `for` or another expression.")
	return s
}

func (w *Weekly) health() Section {
	s := Section{Title: "Health of the baselines"}
	t := &Table{Name: "health", Head: []string{"signal", "series", "learning", "silent", "firing", "rows inside the band", "remark"}, Numbers: []bool{false, true, true, true, true, true, false}}
	for _, g := range w.Signals {
		doubtful := g.Coverage == g.Coverage && g.Coverage < 0.97
		if g.Learning+g.Missing+g.Firing == 0 && g.Error == "" && !doubtful {
			continue
		}
		remark := g.Error
		if doubtful {
			remark = strings.TrimPrefix(remark+"; the band is too narrow, or what is normal keeps changing", "; ")
		}
		t.Rows = append(t.Rows, []string{
			g.Name, whole(g.Series), whole(g.Learning), whole(g.Missing), whole(g.Firing), known(g.Coverage, func(v float64) string { return signal.Format(v, "ratio") }), remark,
		})
	}
	if len(t.Rows) == 0 {
		s.text("All %d signals are learnt, speak, and stay inside their bands.", len(w.Signals))
		return s
	}
	t.dropEmpty()
	s.Blocks = append(s.Blocks, t)
	s.text("Signals that are not listed are learnt, speak, and stay inside their bands.")
	return s
}

func (w *Weekly) optimise() Section {
	s := Section{Title: "Where to optimise first"}
	if len(w.Ranking) == 0 {
		s.text("No relation of grade A or B with a business figure that adds up.")
		return s
	}
	i := &Impact{Ranking: w.Ranking}
	s.Blocks = i.answer().Blocks
	return s
}

func (w *Weekly) notes() Section {
	s := Section{Title: "How sure this is, and what it is not"}
	s.text("%s", caveat)
	s.text("Incidents are hours of a business figure beyond five robust deviations of their hour of the week; what they took has a 90 %% interval, learnt from how wrong the same baseline "+
		"usually is. Method %s.", w.Method)
	return s
}
