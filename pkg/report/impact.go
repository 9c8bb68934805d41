package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/correlate"
)

// ImpactRow is what one measurement takes of one business figure.
type ImpactRow struct {
	*Finding
	Outcome string `json:"outcome"`
	Unit    string `json:"money_unit"`
}

// Impact ranks measurements by what they take: where to optimise first.
type Impact struct {
	Kind     string      `json:"kind"`
	Method   string      `json:"method"`
	Outcomes []string    `json:"outcomes"`
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to"`
	Zone     string      `json:"timezone"`
	Weeks    int         `json:"w"`
	Tested   int         `json:"pairs_tested"`
	Groups   int         `json:"m"`
	FDR      Number      `json:"false_discovery_rate"`
	Ranking  []ImpactRow `json:"ranking"`
	Bounds   []ImpactRow `json:"not_found"` // by what they may take at the most
	Caveat   string      `json:"caveat"`
}

// NewImpact ranks the findings on all outcomes. Inputs share a family and have at least one member; outcomes that do not add up have
// nothing to take.
func NewImpact(inputs []CorrelationInput) *Impact {
	out := &Impact{Kind: "impact", Caveat: caveat, Outcomes: []string{}, Ranking: []ImpactRow{}, Bounds: []ImpactRow{}}
	for _, in := range inputs {
		c := NewCorrelation(in)
		out.Method, out.Zone, out.Tested, out.Groups, out.FDR = c.Method, c.Zone, c.Tested, c.Groups, c.FDR
		if out.Weeks < c.Weeks {
			out.From, out.To, out.Weeks = c.From, c.To, c.Weeks
		}
		out.Outcomes = append(out.Outcomes, c.Outcome)
		_, unit := in.value()
		for _, f := range c.Findings {
			if f.Money != nil && f.Grade != correlate.Unstable.String() {
				out.Ranking = append(out.Ranking, ImpactRow{f, c.Outcome, unit})
			}
		}
		for _, f := range c.NotFound {
			if f.AtMost > 0 && f.pair.Leader == f.Driver {
				out.Bounds = append(out.Bounds, ImpactRow{f, c.Outcome, unit})
			}
		}
	}
	slices.SortStableFunc(out.Ranking, func(a, b ImpactRow) int { return cmp.Compare(b.takes(), a.takes()) })
	slices.SortStableFunc(out.Bounds, func(a, b ImpactRow) int { return cmp.Compare(b.AtMost, a.AtMost) })
	return out
}

// Document writes the ranking down.
func (i *Impact) Document() *Document {
	d := &Document{
		Title: "Where to optimise first",
		Subtitle: fmt.Sprintf("What measurements take of %s · %s to %s, %s · %d whole weeks",
			list(i.Outcomes, 5), i.From.Format("2 January 2006"), i.To.Format("2 January 2006"), i.Zone, i.Weeks),
		Data: i,
	}
	d.Sections = []Section{i.answer(), i.ranking(), i.bounds(), i.howSure()}
	return d
}

func (i *Impact) answer() Section {
	s := Section{Title: "The answer"}
	for n, r := range i.Ranking {
		if n == details {
			break
		}
		format := func(v float64) string { return amount(v, r.Unit) }
		m := r.Money
		text := fmt.Sprintf("**%s** above its usual went with **%s** of %s lost in 30 days (95 %% interval %s). One step better (%s) all the time goes with %s more (%s).",
			r.Driver, format(float64(m.PerMonth.Value)), r.Outcome, between(float64(m.PerMonth.Low), float64(m.PerMonth.High), format, format),
			stepOf(r.Finding), format(float64(m.Saved.Value)), between(float64(m.Saved.Low), float64(m.Saved.High), format, format))
		if r.Effect.Value > 0 {
			text = strings.Replace(text, "above its usual", "below its usual", 1)
		}
		s.Blocks = append(s.Blocks, Lead{Text: text, Grade: r.Grade})
	}
	if len(i.Ranking) == 0 {
		s.Blocks = append(s.Blocks, Lead{Text: fmt.Sprintf("Nothing among the %d pairs takes of %s clearly enough to be ranked.", i.Tested, list(i.Outcomes, 5))})
	}
	return s
}

func (i *Impact) ranking() Section {
	s := Section{Title: "The ranking"}
	if len(i.Ranking) == 0 {
		s.text("Empty.")
		return s
	}
	t := &Table{
		Name: "impact", Head: []string{"measurement", "layer", "of", "grade", "lost in 30 days", "95 % range", "one step better brings", "95 % range"},
		Numbers: []bool{false, false, false, false, true, true, true, true},
	}
	data := Table{Head: []string{"measurement", "lost", "low", "high", "saved", "saved low", "saved high"}, Numbers: []bool{false, true, true, true, true, true, true}}
	for _, r := range i.Ranking {
		format := func(v float64) string { return amount(v, r.Unit) }
		m := r.Money
		name := r.Driver
		if len(r.MovesWith) > 0 {
			name += ", with " + list(r.MovesWith, 2)
		}
		t.Rows = append(t.Rows, []string{
			name, r.Layer, r.Outcome, r.Grade, format(float64(m.PerMonth.Value)), between(float64(m.PerMonth.Low), float64(m.PerMonth.High), format, format),
			fmt.Sprintf("%s per %s", format(float64(m.Saved.Value)), stepOf(r.Finding)), between(float64(m.Saved.Low), float64(m.Saved.High), format, format),
		})
		row := []string{r.Driver + " → " + r.Outcome}
		for _, v := range []Range{m.PerMonth, m.Saved} {
			row = append(row, plain(float64(v.Value)), plain(float64(v.Low)), plain(float64(v.High)))
		}
		data.Rows = append(data.Rows, row)
	}
	t.dropEmpty()
	s.Blocks = append(s.Blocks, i.bars(data), t)
	return s
}

// bars draws the losses with their intervals. Amounts in different units share no axis: the unit of the first is drawn.
func (i *Impact) bars(data Table) *Chart {
	unit := i.Ranking[0].Unit
	var rows []ImpactRow
	most := 0.0
	for _, r := range i.Ranking {
		if r.Unit == unit && len(rows) < 12 {
			rows = append(rows, r)
			most = max(most, min(float64(r.Money.PerMonth.High), 3*float64(i.Ranking[0].Money.PerMonth.Value)))
		}
	}
	const w, left, right, tall = float64(pageWidth), 280.0, 20.0, 30.0
	d := draw(tall*float64(len(rows))+34, "What is lost in 30 days")
	x := scale{0, most, left, w - right}
	foot := tall*float64(len(rows)) + 6
	for _, v := range x.ticks(6) {
		d.lineTo(x.at(v), 4, x.at(v), foot, rule, 1, "")
		d.text(x.at(v), foot+18, "middle", dim, amount(v, unit))
	}
	for n, r := range rows {
		y := tall*float64(n) + 8
		m := r.Money.PerMonth
		at := func(v Number) float64 { return min(max(x.at(float64(v)), left), w-right) }
		d.rect(left, y, at(m.Value)-left, 18, "#9db9d3")
		d.lineTo(at(m.Low), y+9, at(m.High), y+9, ink, 1.5, "")
		d.text(left-8, y+13, "end", ink, shortened(r.Driver))
	}
	d.lineTo(left, 4, left, foot, dim, 1, "")
	return &Chart{Name: "impact lost", Caption: "Lost in 30 days to the time worse than usual; lines are 95 % intervals, which allow for the choice.", SVG: d.svg(), Data: data}
}

func (i *Impact) bounds() Section {
	s := Section{Title: "What cannot be large"}
	if len(i.Bounds) == 0 {
		s.text("Nothing else was tested.")
		return s
	}
	t := &Table{Name: "bounds", Head: []string{"measurement", "of", "takes at most, 30 days"}, Numbers: []bool{false, false, true}}
	for _, r := range i.Bounds[:min(len(i.Bounds), 20)] {
		t.Rows = append(t.Rows, []string{r.Driver, r.Outcome, amount(math.Ceil(float64(r.AtMost)), r.Unit)})
	}
	s.Blocks = append(s.Blocks, t)
	s.text("No relation was found here. Were there one, it would take no more than this, at 97.5 %% confidence each.")
	return s
}

func (i *Impact) howSure() Section {
	s := Section{Title: "How sure this is, and what it is not"}
	s.text("%s", caveat)
	s.text("%d pairs were tested as %d possible findings; at most %.0f %% of what is shown is expected to be chance. Losses overlap where measurements go with the same orders: do not add them up.",
		i.Tested, i.Groups, 100*float64(i.FDR))
	s.text("Method %s, as in the correlation report, which has the curves behind every line.", i.Method)
	return s
}
