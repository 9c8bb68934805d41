package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/baseliner/baseliner/pkg/signal"
)

// What fits on a page: JSON has all.
const (
	weekIncidents = 30
	weekSignals   = 15
	weekHealth    = 30
)

// Document writes the week down.
func (w *Weekly) Document() *Document {
	d := &Document{
		Title:    "The week of " + w.From.Format("2 January 2006"),
		Subtitle: fmt.Sprintf("%s to %s, %s", w.From.Format("Mon 2 January 15:04"), w.To.Format("Mon 2 January 15:04"), w.To.Location()),
		Data:     w,
	}
	d.Sections = []Section{w.answer(), w.incidents()}
	if len(w.Alone) > 0 {
		d.Sections = append(d.Sections, w.alone())
	}
	d.Sections = append(d.Sections, w.noise(), w.health(), w.optimise(), w.notes())
	return d
}

func (w *Weekly) answer() Section {
	s := Section{Title: "In short"}
	text, grade := "No incident.", ""
	if n := len(w.Incidents); n > 0 {
		grade = "C"
		text = fmt.Sprintf("**%d** incidents", n)
		if n == 1 {
			text = "**One** incident"
		}
		if t := w.took(); t != "" {
			text += ", which took **" + t + "**"
		}
		text += "."
	}
	s.Blocks = append(s.Blocks, Lead{Text: text, Grade: grade, Badge: map[string]string{"C": "!"}[grade]})
	var begun, brief, quiet, signals, learning, missing int
	alarms, budget := 0.0, 0.0
	for i := range w.Signals {
		g := &w.Signals[i]
		if g.Alarms == g.Alarms {
			alarms, budget = alarms+float64(g.Alarms), budget+float64(g.Budget)
		}
		if g.Begun > 0 {
			signals++
		}
		begun, brief, quiet, learning, missing = begun+g.Begun, brief+g.Brief, quiet+g.Quiet, learning+g.Learning, missing+g.Missing
	}
	s.text("%s of %s: %d over within 10 minutes, %d without paging. Over the last eight weeks they come at %.1f a week, and may cost %.1f. %d series are being learnt, %d are silent.",
		counted(begun, "alert"), counted(signals, "signal"), brief, quiet, alarms, budget, learning, missing)
	return s
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return whole(n) + " " + what + "s"
}

func (w *Weekly) incidents() Section {
	s := Section{Title: "Incidents"}
	if len(w.Incidents) == 0 {
		s.text("None.")
		return s
	}
	t := &Table{
		Name: "incidents", Head: []string{"when", "severity", "what", "began with", "took", "90 % interval", "likely causes", "page"},
		Numbers: []bool{false, false, false, false, true, true, false, false},
	}
	for i := range w.Incidents[:min(len(w.Incidents), weekIncidents)] {
		n := &w.Incidents[i]
		lost, interval := "–", "–"
		if unit, r, ok := n.cost(); ok {
			lost, interval = amount(float64(r.Value), unit), cmp.Or(r.interval(unit), "not enough data")
		}
		t.Rows = append(t.Rows, []string{n.when(), n.Severity, n.Summary, n.First, lost, interval, n.Causes, n.URL})
	}
	t.dropEmpty()
	s.Blocks = append(s.Blocks, t)
	if more := len(w.Incidents) - weekIncidents; more > 0 {
		s.text("And %d more.", more)
	}
	return s
}

func (w *Weekly) alone() Section {
	s := Section{Title: "Alerts of business figures that were part of no incident"}
	t := &Table{Name: "business alerts", Head: []string{"when", "what", "impact"}, Numbers: []bool{false, false, false}}
	for i := range w.Alone[:min(len(w.Alone), weekIncidents)] {
		a := &w.Alone[i]
		when := WeekIncident{Start: a.Start, End: a.End}
		t.Rows = append(t.Rows, []string{when.when(), a.Summary, a.Impact})
	}
	t.dropEmpty()
	s.Blocks = append(s.Blocks, t)
	if more := len(w.Alone) - weekIncidents; more > 0 {
		s.text("And %d more.", more)
	}
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
	t := &Table{
		Name: "noise", Head: []string{"signal", "layer", "alerts", "over within 10 min", "without paging", "part of incidents", "alarms a week", "may cost"},
		Numbers: []bool{false, false, true, true, true, true, true, true},
	}
	for i := range w.Signals[:min(len(w.Signals), weekSignals)] {
		g := &w.Signals[i]
		one := func(v float64) string { return fmt.Sprintf("%.1f", v) }
		t.Rows = append(t.Rows, []string{g.Name, g.Layer, whole(g.Begun), whole(g.Brief), whole(g.Quiet), whole(g.InStory), known(g.Alarms, one), known(g.Budget, one)})
	}
	if len(t.Rows) == 0 {
		s.text("No signal is configured.")
		return s
	}
	s.Blocks = append(s.Blocks, t)
	s.text("“Alarms a week” are those of the last eight weeks, real incidents included: a signal far above its budget either has them, or wants `min_change`, `for` or another expression.")
	return s
}

// unwell says what is wrong with a baseline; empty when nothing is.
func (g *SignalWeek) unwell() string {
	var parts []string
	if g.Error != "" {
		parts = append(parts, g.Error)
	}
	if g.Learning > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d series are being learnt", g.Learning, g.Series))
	}
	if g.Missing > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d series are silent", g.Missing, g.Series))
	}
	if g.doubtful() {
		parts = append(parts, fmt.Sprintf("%s of rows are inside the band: it is too narrow, or what is normal keeps changing", signal.Format(float64(g.Coverage), "ratio")))
	}
	return strings.Join(parts, "; ")
}

func (g *SignalWeek) doubtful() bool { return g.Coverage == g.Coverage && g.Coverage < 0.97 }

func (w *Weekly) health() Section {
	s := Section{Title: "Health of the baselines"}
	t := &Table{Name: "health", Head: []string{"signal", "series", "learning", "silent", "firing", "rows inside the band", "remark"}, Numbers: []bool{false, true, true, true, true, true, false}}
	ill := slices.DeleteFunc(slices.Clone(w.Signals), func(g SignalWeek) bool { return g.unwell() == "" && g.Firing == 0 })
	for i := range ill[:min(len(ill), weekHealth)] {
		g := &ill[i]
		remark := g.Error
		if g.doubtful() {
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
	if more := len(ill) - weekHealth; more > 0 {
		s.text("And %d more.", more)
	}
	s.text("Signals that are not listed are learnt, speak, and stay inside their bands. This is how they are now, not how they were.")
	return s
}

func (w *Weekly) optimise() Section {
	s := Section{Title: "Where to optimise first"}
	switch {
	case len(w.Ranking) > 0:
		s.Blocks = (&Impact{Ranking: w.Ranking}).answer().Blocks
	case !w.learnt:
		s.text("What goes with the business figures is not known yet: that takes four whole weeks.")
	default:
		s.text("No relation of grade A or B with a business figure that adds up.")
	}
	return s
}

func (w *Weekly) notes() Section {
	s := Section{Title: "How sure this is, and what it is not"}
	s.text("%s", caveat)
	s.text("Incidents are those that were told, or would have been: anomalies of at least two signals that have to do with each other. What one took is the sum of what was expected and did not come, "+
		"of its dearest signal, with a 90 %% interval learnt from how wrong the same baseline usually is. Method %s.", w.Method)
	return s
}
