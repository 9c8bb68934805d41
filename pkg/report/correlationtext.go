package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/signal"
)

// caveat is part of every report of relations, word for word.
const caveat = "These are associations in normal operation, not an experiment. Traffic volume and weekly rhythm are held equal; campaigns, " +
	"releases, price changes and bots are not unless you mark them."

const (
	leads   = 5  // sentences of the answer
	details = 3  // findings that get charts
	listed  = 40 // drivers named among those without a finding
)

// Document writes the report down, in the nine sections that it always has.
func (c *Correlation) Document(in CorrelationInput) *Document {
	d := &Document{
		Title: "How speed and reliability go with " + c.Outcome,
		Subtitle: fmt.Sprintf("%s to %s, %s · %d whole weeks, %s of %s hours used · %s",
			c.From.Format("2 January 2006"), c.To.Format("2 January 2006"), c.Zone, c.Weeks, whole(c.Hours), whole(c.Weeks*correlate.HoursPerWeek), c.quality()),
		Data: c,
	}
	shown := c.Findings[:min(details, len(c.Findings))]
	d.Sections = []Section{
		c.answer(), c.curves(in, shown), c.lags(shown), c.money(), c.envelope(in, shown), c.heatMaps(in, shown), c.ranking(), c.incidents(), c.howSure(),
	}
	return d
}

func whole(n int) string { return signal.Format(float64(n), "") }

// quality is the line on what the data were like.
func (c *Correlation) quality() string {
	parts := []string{}
	if c.Missing > 0 {
		parts = append(parts, whole(c.Missing)+" hours missing")
	}
	if c.LeftOut > 0 {
		parts = append(parts, whole(c.LeftOut)+" hours of incidents left out")
	}
	if c.Thin > 0 {
		parts = append(parts, whole(c.Thin)+" hours with too few events to tell left out")
	}
	if len(parts) == 0 {
		return "nothing missing, nothing left out"
	}
	return strings.Join(parts, ", ")
}

// effect formats.
func (c *Correlation) size(v float64) string {
	if c.Percent {
		return percent(v)
	}
	return signal.Format(math.Abs(v), c.Unit)
}

func (c *Correlation) signed(v float64) string {
	if c.Percent {
		text := percent(v)
		switch {
		case text == "any":
			return "?"
		case v < 0:
			return "−" + text
		case v > 0:
			return "+" + text
		}
		return text
	}
	return signed(v, c.Unit)
}

func (c *Correlation) interval(r Range) string {
	return between(float64(r.Low), float64(r.High), c.size, c.signed)
}

func direction(v Number) string {
	if v < 0 {
		return "lower"
	}
	return "higher"
}

// atTraffic says what is held equal.
func (c *Correlation) atTraffic() string {
	if c.Traffic == "" {
		return ""
	}
	return " at equal traffic"
}

func (c *Correlation) answer() Section {
	s := Section{Title: "The answer"}
	n := 0
	for _, f := range c.Findings {
		if n == leads {
			s.text("%d more in the table below.", len(c.Findings)-n)
			break
		}
		if f.Grade == "A" || n < 1 || f.Grade == "B" && n < details {
			s.Blocks = append(s.Blocks, Lead{Text: c.sentence(f), Grade: f.Grade})
			n++
		}
	}
	if n == 0 {
		s.Blocks = append(s.Blocks, Lead{Text: fmt.Sprintf("Nothing among the %d measurements goes with **%s** clearly enough to be shown.", c.Tested, c.Outcome)})
	}
	if none := c.nonFindings(); none != "" {
		s.Blocks = append(s.Blocks, Text(none))
	}
	return s
}

// sentence is one finding in words.
func (c *Correlation) sentence(f *Finding) string {
	above := f.StepWords
	if !knownStep(f) {
		above = fmt.Sprintf("one standard deviation (%s)", signal.Format(float64(f.Step), f.Unit))
	}
	text := fmt.Sprintf("When **%s** was %s above normal for its hour of the week, **%s**%s were **%s %s** (95 %% interval %s), %s.",
		f.Driver, above, c.Outcome, c.atTraffic(), c.size(float64(f.Effect.Value)), direction(f.Effect.Value), c.interval(f.Effect), later(f.LagHours))
	if f.Total != nil && f.Grade == "A" {
		text += fmt.Sprintf(" With traffic left to itself, so that visitors who stay away count, and so does that busy hours are slow: %s (%s).",
			c.signed(float64(f.Total.Value)), c.interval(*f.Total))
	}
	text += fmt.Sprintf(" Grade %s: %d weeks, %s hours", f.Grade, c.Weeks, whole(f.Hours))
	if c.Traffic != "" {
		text += ", traffic held equal"
	}
	if len(f.Doubts) > 0 {
		text += "; " + strings.Join(f.Doubts, "; ")
	}
	text += "."
	if len(f.MovesWith) > 0 {
		move := "move with it and are"
		if len(f.MovesWith) == 1 {
			move = "moves with it and is"
		}
		text += fmt.Sprintf(" %s %s the same finding.", list(f.MovesWith, 3), move)
	}
	return text
}

func knownStep(f *Finding) bool { _, _, ok := correlate.Step(f.Unit); return ok }

// nonFindings says what would have been seen.
func (c *Correlation) nonFindings() string {
	var seen, short []string
	for _, f := range c.NotFound {
		switch {
		case strings.HasPrefix(f.Why, "not enough data"):
			short = append(short, f.Driver)
		case f.Why == "" && f.pair.Leader == f.Driver: // what moves with it would be the same finding
			seen = append(seen, fmt.Sprintf("%s (above %s per %s)", f.Driver, c.size(float64(f.Detectable)), stepOf(f)))
		}
	}
	var out []string
	if len(seen) > 0 {
		out = append(out, fmt.Sprintf("No relation found between %s and %s; effects larger than those in brackets would have been seen.", c.Outcome, list(seen, leads)))
	}
	if len(short) > 0 {
		out = append(out, fmt.Sprintf("Not enough data on %s.", list(short, leads)))
	}
	return strings.Join(out, " ")
}

func stepOf(f *Finding) string {
	if knownStep(f) {
		return f.StepWords
	}
	if f.SD > 0 && !math.IsInf(float64(f.SD), 0) {
		return fmt.Sprintf("%s, its standard deviation", signal.Format(float64(f.SD), f.Unit))
	}
	return "standard deviation"
}

func (c *Correlation) money() Section {
	s := Section{Title: "What it takes"}
	t := &Table{
		Name: "money", Head: []string{"measurement", "lost per hour at peak", "95 % range", "lost to observed excess, 30 days", "95 % range"},
		Numbers: []bool{false, true, true, true, true},
	}
	for _, f := range c.Findings {
		if m := f.Money; m != nil && f.Grade != "C" {
			format := func(v float64) string { return amount(v, m.Unit) }
			t.Rows = append(t.Rows, []string{
				fmt.Sprintf("%s, per %s", f.Driver, stepOf(f)), format(float64(m.PerHour.Value)), between(float64(m.PerHour.Low), float64(m.PerHour.High), format, format),
				format(float64(m.PerMonth.Value)), between(float64(m.PerMonth.Low), float64(m.PerMonth.High), format, format),
			})
		}
	}
	if len(t.Rows) == 0 {
		s.text("Nothing to reckon with: no relation of grade A or B with an outcome that adds up.")
		return s
	}
	s.Blocks = append(s.Blocks, t)
	if c.Worth != nil {
		s.text("One unit of %s counts as %s. Excess is the time above what is normal for the hour; a step beyond what was seen is an extrapolation.",
			c.Outcome, signal.Format(c.Worth.Amount, c.Worth.Currency))
	} else {
		s.text("In %s; say what one is worth (`value_per_unit`) to have money here. Excess is the time above what is normal for the hour; a step beyond what was seen is an extrapolation.", c.unit())
	}
	return s
}

func (c *Correlation) unit() string {
	if c.Unit != "" {
		return c.Unit
	}
	return c.Outcome
}

func (c *Correlation) ranking() Section {
	s := Section{Title: "Everything that was tried"}
	t := &Table{
		Name:    "relations",
		Head:    []string{"measurement", "layer", "grade", "effect", "95 % interval", "per sd", "later", "q", "r", "hours"},
		Numbers: []bool{false, false, false, true, true, true, true, true, true, true},
	}
	row := func(f *Finding, name string) {
		t.Rows = append(t.Rows, []string{
			name, f.Layer, f.Grade, c.signed(float64(f.Effect.Value)) + " per " + stepOf(f), c.interval(f.Effect), c.signed(float64(f.PerSD)),
			fmt.Sprintf("%d h", f.LagHours), probability(float64(f.Q)), fmt.Sprintf("%.2f", float64(f.R)), whole(f.Hours),
		})
	}
	for _, f := range c.Findings {
		row(f, f.Driver)
		for _, m := range c.Followers {
			if m.Leader == f.Driver {
				row(m, "with it: "+m.Driver)
			}
		}
	}
	if len(t.Rows) > 0 {
		t.dropEmpty()
		s.Blocks = append(s.Blocks, t)
	}
	s.text("q is the share of chance among all that are at least as sure. Intervals allow for having been chosen out of %d pairs.", c.Tested)
	none := &Table{Name: "not_found", Head: []string{"without a finding", "would have been seen above", "remark"}, Numbers: []bool{false, true, false}}
	for _, f := range c.NotFound[:min(listed, len(c.NotFound))] {
		seen := ""
		if f.Why == "" {
			seen = c.size(float64(f.Detectable)) + " per " + stepOf(f)
		}
		none.Rows = append(none.Rows, []string{f.Driver, seen, strings.Join(append(f.Doubts, f.Why), "")})
	}
	if len(none.Rows) > 0 {
		none.dropEmpty()
		s.Blocks = append(s.Blocks, none)
		if n := len(c.NotFound) - listed; n > 0 {
			s.text("%d more without a finding are in the JSON form.", n)
		}
	}
	return s
}

func probability(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

func (c *Correlation) incidents() Section {
	s := Section{Title: "Incidents in the period"}
	if len(c.Incidents) == 0 {
		s.text("None: no hour was further from its usual than chance makes it.")
		return s
	}
	t := &Table{Name: "incidents", Head: []string{"from", "to", "short of what was expected", "90 % interval", "moved at the same time", "told as", "page"}, Numbers: []bool{false, false, true, true, false, false, false}}
	used := false
	for _, i := range c.Incidents {
		lost, interval := "–", "–"
		r, unit := i.Lost, c.unit()
		if i.Money != nil {
			r, unit = *i.Money, c.Worth.Currency
		}
		if r.Value != 0 {
			format := func(v float64) string { return amount(v, unit) }
			lost = format(float64(r.Value))
			if interval = "not enough data"; !math.IsInf(float64(r.Low), 0) {
				interval = between(float64(r.Low), float64(r.High), format, format)
			}
		}
		moved := list(i.SameTime, details)
		if moved == "" && !i.InUse {
			moved = "nothing explains it"
		}
		used = used || i.InUse
		t.Rows = append(t.Rows, []string{i.Start.Format("Mon 2 Jan 15:04"), i.End.Format("Mon 2 Jan 15:04"), lost, interval, moved, i.Told, i.URL})
	}
	t.dropEmpty()
	s.Blocks = append(s.Blocks, t)
	if used {
		s.text("Hours that are improbable by themselves are left out of all relations; what was told and shows in no whole hour is not. A negative shortfall is a gain.")
	} else {
		s.text("These hours are left out of all relations. A negative shortfall is a gain.")
	}
	return s
}

func (c *Correlation) howSure() Section {
	s := Section{Title: "How sure this is, and what it is not"}
	s.text("%s", caveat)
	s.text("%d of %d tested pairs are shown, as %d of %d possible findings; at most %.0f %% of what is shown is expected to be chance.",
		len(c.Findings)+len(c.Followers), c.Tested, len(c.Findings), c.Groups, 100*float64(c.FDR))
	for _, f := range c.Findings[:min(details, len(c.Findings))] {
		s.text("The slope of %s holds between %s and %s.", f.Driver, signal.Format(float64(f.Lowest), f.Unit), signal.Format(float64(f.Highest), f.Unit))
	}
	s.text("To prove cause: slow a small share of traffic on purpose, or compare before and after a known release.")
	s.text("**A**: found and stable at equal traffic, without any one week, and in the evaluation of the week before. " +
		"**B**: as A, but traffic is not known, or the week before did not say so. **C**: found, but it turns between halves or loads, or the outcome moves first.")
	s.text("Method %s: residuals from the hour-of-week mean of the other weeks; hours of the outcome that are as improbable as 5 standard deviations left out (of counts and ratios by the negative binomial distribution of their events), of a measurement drawn back to 4; "+
		"lag by pre-whitened cross-correlation within ± %d hours; significance with the effective sample size × (w − 1)/w, Bonferroni over lags, and as it is without the week that "+
		"speaks most for it; Benjamini–Hochberg at %.0f %% over %d groups of measurements that move together (Simes within each, p up to %.4g shown); effect by regression with "+
		"autoregressive errors, traffic of three hours beside it; intervals over all lags that cannot be told apart, adjusted for selection (Benjamini–Yekutieli).",
		c.Method, c.MaxLag, 100*float64(c.FDR), c.Groups, float64(c.Threshold))
	return s
}
