package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/signal"
)

// CapacityInput is what a capacity report is made of.
type CapacityInput struct {
	From, To   time.Time
	Traffic    string // empty when none is known
	Capacities []correlate.Capacity
}

// Resource is one measurement that has a limit.
type Resource struct {
	Name      string  `json:"measurement"`
	Unit      string  `json:"unit,omitempty"`
	Why       string  `json:"not_looked_at,omitempty"`
	Limit     Number  `json:"limit"`
	Peak      Number  `json:"peak_now"`
	Rises     bool    `json:"rises_with_load_or_time"`
	PerLoad   Range   `json:"per_peak_of_load"`
	UseWeek   Range   `json:"growth_of_use_per_week"`
	Weeks     Range   `json:"weeks_until_limit"` // null: beyond the horizon
	Scenarios []Range `json:"peak_with_more_load"`

	of *correlate.Capacity
}

// CapacityReport is when resources are used up.
type CapacityReport struct {
	Kind      string     `json:"kind"`
	Method    string     `json:"method"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Zone      string     `json:"timezone"`
	Traffic   string     `json:"traffic,omitempty"`
	Growth    Range      `json:"growth_of_load_per_week_percent"`
	Growths   []float64  `json:"more_load"`
	Horizon   int        `json:"horizon_weeks"`
	Resources []Resource `json:"resources"`
	Caveat    string     `json:"caveat"`
}

const capacityCaveat = "This carries on what was seen: growth of the load, of use at equal load, and a straight line from one to the other. Campaigns, seasons of the year, new " +
	"customers, releases and knees beyond the loads that were seen are not in it."

// NewCapacity sorts resources by when they are used up.
func NewCapacity(in CapacityInput) *CapacityReport {
	out := &CapacityReport{
		Kind: "capacity", Method: correlate.Method, From: in.From, To: in.To, Zone: in.From.Location().String(), Traffic: in.Traffic, Growths: correlate.Growths,
		Horizon: correlate.Horizon, Resources: []Resource{}, Caveat: capacityCaveat,
	}
	of := func(e correlate.Effect) Range { return Range{Number(e.Coef), Number(e.Low), Number(e.High)} }
	come := func(o correlate.Outcome) Range { return Range{Number(o.Value), Number(o.Low), Number(o.High)} }
	for i := range in.Capacities {
		c := &in.Capacities[i]
		r := Resource{
			Name: c.Name, Unit: c.Unit, Why: c.Why, Limit: Number(c.Limit), Peak: Number(c.Peak), PerLoad: of(c.PerLoad), UseWeek: of(c.UseWeek), Weeks: come(c.Weeks), of: c,
			Rises: c.PerLoad.Low > 0 || c.UseWeek.Low > 0,
		}
		for _, s := range c.Scenarios {
			r.Scenarios = append(r.Scenarios, come(s))
		}
		if l := c.LoadWeek; l.SE > 0 && c.Why == "" {
			out.Growth = Range{Number(correlate.Percent(l.Coef)), Number(correlate.Percent(l.Low)), Number(correlate.Percent(l.High))}
		}
		out.Resources = append(out.Resources, r)
	}
	rank := func(r *Resource) float64 {
		switch {
		case r.Why != "":
			return 1e9
		case !r.Rises:
			return 1e6
		case math.IsInf(float64(r.Weeks.Value), 1):
			return 1e3 - float64(r.Scenarios[len(r.Scenarios)-1].Value)/float64(r.Limit)
		}
		return float64(r.Weeks.Value)
	}
	slices.SortStableFunc(out.Resources, func(a, b Resource) int { return cmp.Compare(rank(&a), rank(&b)) })
	return out
}

// weeksText prints an interval of weeks.
func (c *CapacityReport) weeksText(r Range) string {
	one := func(v Number) string {
		if math.IsInf(float64(v), 1) {
			return fmt.Sprintf("more than %d", c.Horizon)
		}
		return fmt.Sprintf("%.0f", float64(v))
	}
	if r.Low == r.High {
		return one(r.Low)
	}
	return one(r.Low) + " to " + one(r.High)
}

// Document writes the projection down.
func (c *CapacityReport) Document() *Document {
	d := &Document{
		Title:    "When it is used up",
		Subtitle: fmt.Sprintf("%s to %s, %s · looking %d weeks ahead", c.From.Format("2 January 2006"), c.To.Format("2 January 2006"), c.Zone, c.Horizon),
		Data:     c,
	}
	d.Sections = []Section{c.answer(), c.chart(), c.table(), c.howSure()}
	return d
}

func (c *CapacityReport) answer() Section {
	s := Section{Title: "The answer"}
	for i := range c.Resources {
		r := &c.Resources[i]
		if r.Why != "" || !r.Rises || len(s.Blocks) == leads || math.IsInf(float64(r.Weeks.Low), 1) {
			continue
		}
		format := func(v Number) string { return signal.Format(float64(v), r.Unit) }
		text := fmt.Sprintf("**%s**, at %s in peak hours now, reaches %s in **%s weeks** (95 %% interval) if everything goes on as it did.",
			r.Name, format(r.Peak), format(r.Limit), c.weeksText(r.Weeks))
		switch {
		case r.Weeks.High == 0:
			text = fmt.Sprintf("**%s**, at %s in peak hours, is **over %s already**.", r.Name, format(r.Peak), format(r.Limit))
		case math.IsInf(float64(r.Weeks.Value), 1):
			text = fmt.Sprintf("**%s**, at %s in peak hours now, stays below %s for a year more likely than not; at the earliest it is there in %s weeks.",
				r.Name, format(r.Peak), format(r.Limit), c.weeksText(Range{Low: r.Weeks.Low, High: r.Weeks.Low}))
		}
		grade := "C"
		if r.Weeks.Value > 8 {
			grade = "B"
		}
		s.Blocks = append(s.Blocks, Lead{Text: text, Grade: grade, Badge: "!"})
	}
	if len(s.Blocks) == 0 {
		s.Blocks = append(s.Blocks, Lead{Text: fmt.Sprintf("None of %d resources is used up within %d weeks, if everything goes on as it did.", len(c.Resources), c.Horizon)})
	}
	if c.Growth.Low != c.Growth.High {
		s.text("Load (%s) grows by %s a week (95 %% interval %s).", c.Traffic, signed(float64(c.Growth.Value), "percent"),
			between(float64(c.Growth.Low), float64(c.Growth.High), percent, func(v float64) string { return signed(v, "percent") }))
	} else {
		s.text("The load is not known: only use itself is carried on, and there are no scenarios.")
	}
	return s
}

const labelWidth = 44 // pixels that "+100 %" takes, with a gap

// chart is the peak of today with more load.
func (c *CapacityReport) chart() Section {
	s := Section{Title: "With more load, today"}
	var rows []*Resource
	for i := range c.Resources {
		if r := &c.Resources[i]; r.Why == "" && r.PerLoad.Low > 0 && len(rows) < 10 {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		s.text("Nothing rises with the load.")
		return s
	}
	const w, left, right, tall = float64(pageWidth), 260.0, 30.0, 34.0
	foot := tall*float64(len(rows)) + 22
	d := draw(foot+38, "Peak use with more load")
	x := scale{0, 1.3, left, w - right}
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1, 1.25} {
		d.lineTo(x.at(v), 16, x.at(v), foot, rule, 1, "")
		d.text(x.at(v), foot+16, "middle", dim, share(Number(v)))
	}
	d.lineTo(x.at(1), 16, x.at(1), foot, bad, 1.5, "4 3")
	d.text(x.at(1), 11, "middle", bad, "limit")
	data := Table{Head: []string{"measurement"}, Numbers: []bool{false}}
	for _, g := range c.Growths {
		data.Head, data.Numbers = append(data.Head, fmt.Sprintf("+%.0f %%", 100*g)), append(data.Numbers, true)
	}
	for n, r := range rows {
		y := tall*float64(n) + 30
		d.text(left-8, y+4, "end", ink, shortened(r.Name))
		row := []string{r.Name}
		at := func(v Number) float64 { return min(x.at(float64(v)/float64(r.Limit)), w-right) }
		d.lineTo(at(r.Scenarios[0].Value), y, at(r.Scenarios[len(r.Scenarios)-1].Value), y, "#9db9d3", 2, "")
		last := math.Inf(-1) // where a label is
		for k, p := range r.Scenarios {
			colour := line
			if p.High >= r.Limit {
				colour = bad
			}
			d.dot(at(p.Value), y, 4.5, colour)
			end := at(r.Scenarios[len(r.Scenarios)-1].Value)
			if here := at(p.Value); k == 0 || k == len(r.Scenarios)-1 && here-last > labelWidth || here-last > labelWidth && end-here > labelWidth {
				d.text(here, y-8, "middle", dim, fmt.Sprintf("+%.0f %%", 100*c.Growths[k]))
				last = here
			}
			row = append(row, plain(float64(p.Value)))
		}
		data.Rows = append(data.Rows, row)
	}
	d.text((left+w-right)/2, foot+33, "middle", ink, "use in peak hours, of the limit")
	s.Blocks = append(s.Blocks, &Chart{
		Name: "capacity with more load", SVG: d.svg(), Data: data,
		Caption: "Use in peak hours today with 0, 10, 25, 50 and 100 % more load, if it rises with it as it does; red where the 95 % interval touches the limit.",
	})
	return s
}

func (c *CapacityReport) table() Section {
	s := Section{Title: "Every resource"}
	t := &Table{
		Name: "capacity", Head: []string{"measurement", "peak now", "limit", "weeks until, 95 %", "a tenth of the load more", "use at equal load, a week", "remark"},
		Numbers: []bool{false, true, true, true, true, true, false},
	}
	for _, r := range c.Resources {
		format := func(v Number) string { return signal.Format(float64(v), r.Unit) }
		if r.Why != "" {
			t.Rows = append(t.Rows, []string{r.Name, "", format(r.Limit), "", "", "", r.Why})
			continue
		}
		change := func(v float64) string { // a thousandth of the limit is nothing
			if math.Abs(v) < float64(r.Limit)/1000 {
				v = 0
			}
			return signed(v, r.Unit)
		}
		row := []string{r.Name, format(r.Peak), format(r.Limit), c.weeksText(r.Weeks), change(float64(r.PerLoad.Value) / 10), change(float64(r.UseWeek.Value)), ""}
		if !r.Rises {
			row[3], row[6] = "", "rises neither with the load nor with time: no resource that is used up"
		}
		t.Rows = append(t.Rows, row)
	}
	t.dropEmpty()
	s.Blocks = append(s.Blocks, t)
	return s
}

func (c *CapacityReport) howSure() Section {
	s := Section{Title: "How sure this is, and what it is not"}
	s.text("%s", capacityCaveat)
	s.text("Method %s: growth of the load at equal hour of the week, use on load and time with autoregressive errors; a thousand draws of the three slopes; peak hours are those at the usual "+
		"weekly peak of the load, and of them the highest but one in twenty.", c.Method)
	return s
}
