package report

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/cost"
)

// Worth is what one unit of the outcome is worth; the zero value says that nobody told.
type Worth struct {
	Amount   float64
	Currency string // ISO 4217
}

// CorrelationInput is what a correlation report is made of.
type CorrelationInput struct {
	Family *correlate.Family
	Study  *correlate.Study // of the family, with its hours
	Zone   *calendar.Zone
	Worth  Worth
	Told   []Told // incidents of a server in which the outcome was, over the weeks of the study
}

// Told is an incident as a server told it, with what the outcome lost in it.
type Told struct {
	Start, End time.Time // End is zero while it is open
	Summary    string
	URL        string
	Lost       *Range // nil when its values do not add up
	Money      *Range
}

// Range is an interval in percent, or in the outcome's unit where it has no logarithm.
type Range struct {
	Value Number `json:"value"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
}

// Finding is one relation that is shown, or a driver of which nothing was found.
type Finding struct {
	Driver     string   `json:"driver"`
	Layer      string   `json:"layer,omitempty"`
	Unit       string   `json:"unit,omitempty"`
	Grade      string   `json:"grade"`
	Doubts     []string `json:"doubts,omitempty"`
	Why        string   `json:"not_tested,omitempty"`
	MovesWith  []string `json:"moves_with,omitempty"`
	Leader     string   `json:"part_of,omitempty"`
	Step       Number   `json:"step"`
	StepWords  string   `json:"step_words"`
	LagHours   int      `json:"lag_hours"`
	Effect     Range    `json:"effect_at_equal_traffic"`   // 95 %, selection-adjusted where shown
	Unadjusted Range    `json:"effect_before_selection"`   // 95 %
	Total      *Range   `json:"effect_in_total,omitempty"` // with what stays away
	PerSD      Number   `json:"effect_per_sd"`
	SD         Number   `json:"sd"`
	Detectable Number   `json:"detectable"` // |effect| that would have been seen in four of five cases
	Lowest     Number   `json:"seen_from"`
	Highest    Number   `json:"seen_to"`
	Hours      int      `json:"n"`
	Effective  Number   `json:"n_effective"`
	R          Number   `json:"r"`
	P          Number   `json:"p"`
	Q          Number   `json:"q"`
	Profile    []Number `json:"lag_profile,omitempty"`
	Band       Number   `json:"lag_profile_band"`

	Money *Money `json:"money,omitempty"`
	// AtMost is what a driver without a finding may take of the outcome in 30 days at the most, as far as its interval says.
	AtMost Number `json:"at_most_per_30_days,omitempty"`

	pair *correlate.Pair
}

// Money is what a relation takes, of the outcome and in its currency if that is known.
type Money struct {
	Unit     string `json:"unit"`
	PerHour  Range  `json:"per_step_and_hour_at_peak"`
	PerMonth Range  `json:"observed_excess_per_30_days"`
	Saved    Range  `json:"one_step_better_per_30_days"`
}

// Incident is a time that relations leave out, and what it took.
type Incident struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Lost     Range     `json:"lost"` // 90 %
	Money    *Range    `json:"money,omitempty"`
	SameTime []string  `json:"moved_at_the_same_time,omitempty"`
	Told     string    `json:"told_as,omitempty"` // by a server
	URL      string    `json:"url,omitempty"`
	InUse    bool      `json:"hours_take_part,omitempty"` // no hour of it was improbable by itself
}

// Correlation is the report as data.
type Correlation struct {
	Kind      string     `json:"kind"`
	Method    string     `json:"method"`
	Outcome   string     `json:"outcome"`
	Unit      string     `json:"unit,omitempty"`
	Percent   bool       `json:"effects_in_percent"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to"`
	Zone      string     `json:"timezone"`
	Weeks     int        `json:"w"`
	Hours     int        `json:"hours"`
	Missing   int        `json:"hours_missing"`
	LeftOut   int        `json:"hours_of_incidents"`
	Thin      int        `json:"hours_with_too_few_events"`
	Traffic   string     `json:"traffic,omitempty"`
	Tested    int        `json:"pairs_tested"`
	Groups    int        `json:"m"`
	Threshold Number     `json:"threshold"`
	FDR       Number     `json:"false_discovery_rate"`
	MaxLag    int        `json:"max_lag_hours"`
	Worth     *Worth     `json:"value_per_unit,omitempty"`
	Findings  []*Finding `json:"findings"`
	Followers []*Finding `json:"part_of_a_finding,omitempty"`
	NotFound  []*Finding `json:"not_found"`
	Incidents []Incident `json:"incidents"`
	Caveat    string     `json:"caveat"`
}

// NewCorrelation computes the report.
func NewCorrelation(in CorrelationInput) *Correlation {
	s, f := in.Study, in.Family
	frame := s.Frame()
	at := func(row int) time.Time { return in.Zone.Local((frame.First + int64(row)) * 3600_000) }
	c := &Correlation{
		Kind: "correlation", Method: f.Method, Outcome: s.Outcome, Unit: s.Unit, Percent: s.Log, From: at(0), To: at(frame.Rows()),
		Zone: in.Zone.Name(), Weeks: frame.Weeks(), Hours: s.Hours, Traffic: s.AtTraffic, Tested: f.Tested, Groups: f.Groups,
		Threshold: Number(f.Threshold), FDR: Number(f.FDR), MaxLag: f.MaxLag, Caveat: caveat,
		Findings: []*Finding{}, NotFound: []*Finding{}, Incidents: []Incident{},
	}
	if in.Worth.Amount > 0 {
		c.Worth = &in.Worth
	}
	for _, v := range s.Amounts() {
		if v != v {
			c.Missing++
		}
	}
	c.LeftOut, c.Thin = s.LeftOut()
	for _, span := range s.Incidents() {
		c.Incidents = append(c.Incidents, in.incident(span, at))
	}
	c.tell(in.Told)
	for i := range s.Pairs {
		p := &s.Pairs[i]
		g := in.finding(p)
		switch {
		case !p.Shown:
			c.NotFound = append(c.NotFound, g)
		case p.Leader != p.Driver:
			g.Leader = p.Leader
			c.Followers = append(c.Followers, g)
		default:
			for _, m := range s.Following(p.Driver) {
				g.MovesWith = append(g.MovesWith, m.Driver)
			}
			g.Money = in.money(p)
			c.Findings = append(c.Findings, g)
		}
	}
	// By what they take where that is known, surest first of equals.
	slices.SortStableFunc(c.Findings, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(b.pair.Grade, a.pair.Grade), cmp.Compare(b.takes(), a.takes()), cmp.Compare(a.P, b.P))
	})
	return c
}

// tell puts what a server told beside what the hours say; what was told and shows in no hour is an incident all the same.
func (c *Correlation) tell(told []Told) {
	found := slices.Clip(c.Incidents)
	for _, t := range told {
		end := t.End
		if end.IsZero() {
			end = c.To
		}
		if !t.Start.Before(c.To) || !end.After(c.From) {
			continue
		}
		k := slices.IndexFunc(found, func(i Incident) bool { return t.Start.Before(i.End) && end.After(i.Start) })
		if k >= 0 {
			if c.Incidents[k].Told == "" {
				c.Incidents[k].Told, c.Incidents[k].URL = t.Summary, t.URL
			}
			continue
		}
		i := Incident{Start: t.Start, End: end, Told: t.Summary, URL: t.URL, InUse: true}
		if c.Worth != nil {
			i.Money = t.Money
		}
		if t.Lost != nil {
			i.Lost = *t.Lost
		}
		c.Incidents = append(c.Incidents, i)
	}
	slices.SortStableFunc(c.Incidents, func(a, b Incident) int { return a.Start.Compare(b.Start) })
}

// takes is the observed excess of a month.
func (f *Finding) takes() float64 {
	if f.Money == nil {
		return 0
	}
	return float64(f.Money.PerMonth.Value)
}

func (in *CorrelationInput) finding(p *correlate.Pair) *Finding {
	g := &Finding{
		Driver: p.Driver, Unit: p.Unit, Grade: p.Grade.String(), Doubts: p.Doubts, Why: p.Why, Step: Number(p.Step), StepWords: p.StepWords,
		LagHours: p.Lag, SD: Number(p.SD), Detectable: Number(math.Abs(in.told(p.Detectable))), Lowest: Number(p.Lo), Highest: Number(p.Hi), Hours: p.N,
		Effective: Number(p.Ne), R: Number(p.R), P: Number(p.P), Q: Number(p.Q), Band: Number(p.Band), pair: p,
	}
	if p.Layer != 0 {
		g.Layer = p.Layer.String()
	}
	g.Unadjusted = in.rangeOf(p.Effect.Coef, p.Effect.Low, p.Effect.High)
	g.Effect = g.Unadjusted
	if p.Shown {
		g.Effect = in.rangeOf(p.Effect.Coef, p.ChosenLow, p.ChosenHigh)
		if p.Total.SE > 0 {
			r := in.rangeOf(p.Total.Coef, p.Total.Low, p.Total.High)
			g.Total = &r
		}
	}
	if !p.Shown && p.Why == "" && in.Study.Log && in.Study.AddsUp() {
		value, _ := in.value()
		g.AtMost = Number(value * monthHours * max(-p.Effect.Low*p.Above, p.Effect.High*p.Below, 0))
	}
	if p.Step > 0 {
		g.PerSD = Number(in.told(p.Effect.Coef * p.SD / p.Step))
	}
	for _, r := range p.Profile {
		g.Profile = append(g.Profile, Number(r))
	}
	return g
}

// told is a coefficient as it is told: in percent, or in the outcome's unit.
func (in *CorrelationInput) told(coef float64) float64 {
	if in.Study.Log {
		return correlate.Percent(coef)
	}
	return coef
}

func (in *CorrelationInput) rangeOf(value, low, high float64) Range {
	return Range{Number(in.told(value)), Number(in.told(low)), Number(in.told(high))}
}

// money is what a relation of a count or an amount takes; nil of what does not add up.
func (in *CorrelationInput) money(p *correlate.Pair) *Money {
	s := in.Study
	if !s.Log || !s.AddsUp() {
		return nil
	}
	amounts := s.Amounts()
	peak := quantile(amounts, 0.95)
	x, _ := s.Residual(p.Driver)
	worse := math.Copysign(1, -p.Effect.Coef) // of the driver's sides, the one on which less is sold
	value, unit := in.value()
	of := func(f func(coef float64) float64) Range {
		return ordered(value*f(p.Effect.Coef*worse), value*f(p.ChosenLow*worse), value*f(p.ChosenHigh*worse))
	}
	return &Money{
		Unit:    unit,
		PerHour: of(func(coef float64) float64 { return -peak * math.Expm1(coef) }),
		PerMonth: of(func(coef float64) float64 {
			return monthly(amounts, func(t int) float64 { return -math.Expm1(coef * max(x[t]*worse, 0) / p.Step) })
		}),
		Saved: of(func(coef float64) float64 { return monthly(amounts, func(int) float64 { return math.Expm1(-coef) }) }),
	}
}

// value of one unit of the outcome, and in what: one of itself where nobody told.
func (in *CorrelationInput) value() (float64, string) {
	switch {
	case in.Worth.Amount > 0:
		return in.Worth.Amount, in.Worth.Currency
	case in.Study.Unit != "" && in.Study.Unit != "ratio":
		return 1, in.Study.Unit
	}
	return 1, in.Study.Outcome
}

// monthHours are those of 30 days.
const monthHours = 24 * 30

// monthly is the sum of shares of the amounts, as much as 30 days like these have.
func monthly(amounts []float64, share func(t int) float64) float64 {
	sum, n := 0.0, 0.0
	for t, a := range amounts {
		if v := a * share(t); v == v {
			sum, n = sum+v, n+1
		}
	}
	return sum / max(n, 1) * monthHours
}

func ordered(v, a, b float64) Range { return Range{Number(v), Number(min(a, b)), Number(max(a, b))} }

func quantile(x []float64, q float64) float64 {
	known := slices.DeleteFunc(slices.Clone(x), math.IsNaN)
	if len(known) == 0 {
		return math.NaN()
	}
	slices.Sort(known)
	return known[int(q*float64(len(known)-1))]
}

// incident is one time that relations leave out.
func (in *CorrelationInput) incident(span correlate.Span, at func(row int) time.Time) Incident {
	i := Incident{Start: at(span.From), End: at(span.To)}
	expected, actual := in.Study.Expected()
	rows := make([]cost.Row, len(expected))
	for t := range rows {
		rows[t] = cost.Row{Expected: expected[t], Actual: actual[t]}
	}
	for _, other := range in.Study.Incidents() {
		if other != span {
			for t := other.From; t < other.To; t++ {
				rows[t].Actual = math.NaN()
			}
		}
	}
	// Behind the incident first, so that what was just before it comes last: both are other weeks to its baseline.
	history := append(slices.Clone(rows[span.To:]), rows[:span.From]...)
	l, _ := cost.Estimate(history, rows[span.From:span.To], 0.9) // without enough history the interval is infinite, and is not printed
	if !in.Study.AddsUp() {
		return i
	}
	i.Lost = Range{Number(l.Lost), Number(l.Low), Number(l.High)}
	if in.Worth.Amount > 0 {
		w := l.Worth(in.Worth.Amount)
		i.Money = &Range{Number(w.Lost), Number(w.Low), Number(w.High)}
	}
	i.SameTime, _ = in.Study.Moved(span)
	return i
}
