package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/correlate"
)

// SignalWeek is how a signal did. NaN is what is not known yet.
type SignalWeek struct {
	Name     string `json:"signal"`
	Layer    string `json:"layer,omitempty"`
	Begun    int    `json:"alerts"` // of this week
	Brief    int    `json:"alerts_over_within_10_minutes"`
	Quiet    int    `json:"alerts_without_paging"`
	InStory  int    `json:"alerts_of_incidents"`
	Alarms   Number `json:"alarms_per_week"` // of the last eight
	Budget   Number `json:"budget_per_week"`
	Coverage Number `json:"coverage"` // share of rows inside the band, each judged before it was learnt
	Series   int    `json:"series"`
	Learning int    `json:"series_learning"` // that cannot be judged yet
	Missing  int    `json:"series_missing"`
	Firing   int    `json:"series_firing"`
	Error    string `json:"error,omitempty"` // of the last evaluation
}

// WeekLoss is what one series of an incident lost.
type WeekLoss struct {
	Signal string            `json:"signal"`
	Labels map[string]string `json:"labels,omitempty"`
	Unit   string            `json:"unit,omitempty"`
	More   bool              `json:"lost_is_surplus,omitempty"` // bad news is more: lost is what came too much
	Lost   Range             `json:"lost"`                      // 90 %; an interval that is not known is infinite
	Money  *Range            `json:"money,omitempty"`
	Of     string            `json:"currency,omitempty"`
}

// WeekIncident is one story of the week, in the words in which it was told.
type WeekIncident struct {
	ID        string     `json:"id"`
	Summary   string     `json:"summary"`
	Severity  string     `json:"severity,omitempty"`
	Start     time.Time  `json:"starts_at"`
	End       time.Time  `json:"ends_at,omitzero"` // zero while it is open
	First     string     `json:"first_mover,omitempty"`
	Broken    string     `json:"broken,omitempty"`
	Causes    string     `json:"likely_causes,omitempty"`
	Anomalies int        `json:"anomalies"`
	Losses    []WeekLoss `json:"losses"`
	URL       string     `json:"url,omitempty"`
}

// WeekAlert is an alert of a business figure that was part of no incident.
type WeekAlert struct {
	Name    string    `json:"alertname"`
	Start   time.Time `json:"starts_at"`
	End     time.Time `json:"ends_at,omitzero"`
	Summary string    `json:"summary"`
	Impact  string    `json:"impact,omitempty"`
}

// WeekCost is what the incidents of a week took, in one unit.
type WeekCost struct {
	Unit string `json:"unit"`
	Range
}

// WeeklyInput is what a weekly report is made of: the seven days before To.
type WeeklyInput struct {
	To        time.Time
	Incidents []WeekIncident // that overlap with the week
	Alone     []WeekAlert
	Signals   []SignalWeek
	Relations []CorrelationInput
	Learnt    bool   // whether relations have been learnt at all
	URL       string // of this report as a page; empty where there is none
}

// Weekly is what happened, what it took, how noisy the alerts were and how healthy the baselines are.
type Weekly struct {
	Kind      string         `json:"kind"`
	Method    string         `json:"method"`
	From      time.Time      `json:"from"`
	To        time.Time      `json:"to"`
	Incidents []WeekIncident `json:"incidents"` // by their begin
	Cost      []WeekCost     `json:"cost"`
	Alone     []WeekAlert    `json:"business_alerts_of_no_incident"`
	Signals   []SignalWeek   `json:"signals"` // noisiest first
	Ranking   []ImpactRow    `json:"where_to_optimise"`
	URL       string         `json:"url,omitempty"`

	learnt bool
}

// NewWeekly puts a week together.
func NewWeekly(in WeeklyInput) *Weekly {
	out := &Weekly{
		Kind: "weekly", Method: correlate.Method, From: in.To.AddDate(0, 0, -7), To: in.To, Incidents: append([]WeekIncident{}, in.Incidents...),
		Cost: []WeekCost{}, Alone: append([]WeekAlert{}, in.Alone...), Signals: slices.Clone(in.Signals), Ranking: []ImpactRow{}, URL: in.URL, learnt: in.Learnt,
	}
	if len(in.Relations) > 0 {
		out.Ranking = NewImpact(in.Relations).Ranking
	}
	slices.SortStableFunc(out.Incidents, func(a, b WeekIncident) int { return a.Start.Compare(b.Start) })
	slices.SortStableFunc(out.Alone, func(a, b WeekAlert) int { return a.Start.Compare(b.Start) })
	over := func(s *SignalWeek) float64 {
		if v := float64(s.Alarms / s.Budget); v == v {
			return v
		}
		return -1
	}
	slices.SortStableFunc(out.Signals, func(a, b SignalWeek) int {
		return cmp.Or(cmp.Compare(b.Begun, a.Begun), cmp.Compare(over(&b), over(&a)))
	})
	out.sum()
	return out
}

// sum adds up what the incidents took that began in the week. Several figures of an incident often hold the same loss, orders and conversion as an
// example; so of each the dearest signal counts, with all of its series. Errors of incidents are taken for independent.
func (w *Weekly) sum() {
	squares := map[string][2]float64{}
	for i := range w.Incidents {
		if w.Incidents[i].Start.Before(w.From) {
			continue // the week before has counted it
		}
		unit, r, ok := w.Incidents[i].cost()
		if !ok {
			continue
		}
		k := slices.IndexFunc(w.Cost, func(c WeekCost) bool { return c.Unit == unit })
		if k < 0 {
			k = len(w.Cost)
			w.Cost = append(w.Cost, WeekCost{Unit: unit})
		}
		w.Cost[k].Value += r.Value
		low, high := float64(r.Value-r.Low), float64(r.High-r.Value)
		q := squares[unit]
		squares[unit] = [2]float64{q[0] + low*low, q[1] + high*high}
	}
	for k := range w.Cost {
		c, q := &w.Cost[k], squares[w.Cost[k].Unit]
		c.Low, c.High = c.Value-Number(math.Sqrt(q[0])), c.Value+Number(math.Sqrt(q[1]))
	}
}

// cost is what the dearest signal of an incident lost, in money where that is known; ok is false where nothing adds up.
func (i *WeekIncident) cost() (unit string, r Range, ok bool) {
	type sum struct {
		unit   string
		money  bool
		r      Range
		lo, hi float64
	}
	sums := map[string]*sum{}
	var order []string
	for k := range i.Losses {
		l := &i.Losses[k]
		unit, part, money := cmp.Or(l.Unit, l.Signal), l.Lost, l.Money != nil
		if money {
			unit, part = l.Of, *l.Money
		}
		s := sums[l.Signal]
		if s == nil {
			s = &sum{unit: unit, money: money}
			sums[l.Signal] = s
			order = append(order, l.Signal)
		}
		s.r.Value += part.Value
		low, high := float64(part.Value-part.Low), float64(part.High-part.Value)
		s.lo, s.hi = s.lo+low*low, s.hi+high*high
	}
	var best *sum
	for _, name := range order {
		s := sums[name]
		if best == nil || s.money && !best.money || s.money == best.money && math.Abs(float64(s.r.Value)) > math.Abs(float64(best.r.Value)) {
			best = s
		}
	}
	if best == nil || best.r.Value == 0 {
		return "", r, false
	}
	best.r.Low, best.r.High = best.r.Value-Number(math.Sqrt(best.lo)), best.r.Value+Number(math.Sqrt(best.hi))
	return best.unit, best.r, true
}

// took says a cost, with its interval where that is known.
func took(unit string, r Range) string {
	text := "about " + amount(float64(r.Value), unit)
	if interval := r.interval(unit); interval != "" {
		text += " (" + interval + ")"
	}
	return text
}

// interval is empty where it is not known.
func (r Range) interval(unit string) string {
	if math.IsInf(float64(r.Low), 0) || math.IsInf(float64(r.High), 0) || r.Low != r.Low || r.High != r.High {
		return ""
	}
	format := func(v float64) string { return amount(v, unit) }
	return between(float64(r.Low), float64(r.High), format, format)
}

// took says all that the week took; empty when nothing adds up.
func (w *Weekly) took() string {
	var parts []string
	for i := range w.Cost {
		parts = append(parts, took(w.Cost[i].Unit, w.Cost[i].Range))
	}
	return strings.Join(parts, " and ")
}

// Brief is the week for a message: what it came to, a line for each incident, and a line for each baseline that is not well.
func (w *Weekly) Brief() (head string, incidents, health []string) {
	switch head = "no incident"; len(w.Incidents) {
	case 0:
	case 1:
		head = "1 incident"
	default:
		head = whole(len(w.Incidents)) + " incidents"
	}
	if t := w.took(); t != "" {
		head += ", " + t
	}
	const most = 20
	for i := range w.Incidents {
		n := &w.Incidents[i]
		if i == most {
			incidents = append(incidents, "and "+whole(len(w.Incidents)-most)+" more")
			break
		}
		line := n.when() + ": " + n.Summary
		if unit, r, ok := n.cost(); ok {
			line += "; " + took(unit, r)
		}
		if n.URL != "" {
			line += "; " + n.URL
		}
		incidents = append(incidents, line)
	}
	for i := range w.Signals {
		if why := w.Signals[i].unwell(); why != "" {
			if len(health) == most {
				health = append(health, "and more")
				break
			}
			health = append(health, w.Signals[i].Name+": "+why)
		}
	}
	return head, incidents, health
}

// when says from when to when, by the weekday.
func (i *WeekIncident) when() string {
	const at = "Mon 15:04"
	switch {
	case i.End.IsZero():
		return "since " + i.Start.Format(at)
	case i.End.YearDay() == i.Start.YearDay():
		return i.Start.Format(at) + "–" + i.End.Format("15:04")
	}
	return i.Start.Format(at) + " to " + i.End.Format(at)
}
