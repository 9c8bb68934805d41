package web

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// What fits on the page of an incident and on the overview.
const (
	maxLanes         = 40
	maxIncidentCards = 4
)

type incidentPage struct {
	Head     head
	Message  string
	One      *IncidentView
	When     string
	First    []suspectLine
	Former   []string // who was said to be first before
	Broken   *suspectLine
	Impact   []impactLine
	Causes   []suspectLine
	Events   []eventLine
	Carriers []string
	Lanes    []lane
	Ticks    []string // of the time, evenly
	Marks    []float64
	More     int // members without a lane
	Merged   string
}

// suspectLine is a suspect in words.
type suspectLine struct {
	Signal, Link, Layer, Label, Shift, With, Since string
	Labels                                         []series.Label
	Member                                         bool
}

type impactLine struct{ Signal, Link, Lost, Range, Cost string }

type eventLine struct{ Type, Text, When string }

// lane is one member over time; thousandths of the width.
type lane struct {
	Name, Layer, Link, Text, Severity string
	Labels                            []series.Label
	Left, Width                       float64
}

// incidentCard is an incident on the overview.
type incidentCard struct{ Title, Summary, When, Link, State, Impact, Severity string }

func (h *handler) incidentPage(w http.ResponseWriter, r *http.Request) {
	signals := h.Views.Signals()
	c := newClock(h.Now(), h.Views.Status().Timezone)
	page := incidentPage{Head: h.head("Incident", "incident", signals, c)}
	code := http.StatusOK
	one, err := h.incident(r.FormValue("id"))
	if err != nil {
		page.Message, code = fmt.Sprintf("There is no incident %q: it may be older than what is kept.", r.FormValue("id")), http.StatusNotFound
	} else {
		page.fill(one, c)
	}
	h.render(w, code, "incident.html", page)
}

func (p *incidentPage) fill(i *IncidentView, c clock) {
	p.One, p.When = i, incidentWhen(i, c)
	if i.MergedInto != "" {
		p.Merged = incidentLink(i.MergedInto)
	}
	for k := range i.FirstMovers {
		p.First = append(p.First, newSuspectLine(&i.FirstMovers[k], c))
	}
	for _, f := range i.Former {
		var names []string
		for k := range f.FirstMovers {
			name := f.FirstMovers[k].Signal
			if own := series.FromMap(f.FirstMovers[k].Labels); len(own) > 0 {
				name += " " + own.String()
			}
			names = append(names, name)
		}
		p.Former = append(p.Former, fmt.Sprintf("Until %s it said %s.", c.at(f.Until), strings.Join(names, " and ")))
	}
	if i.Broken != nil {
		line := newSuspectLine(i.Broken, c)
		p.Broken = &line
	}
	for k := range i.Impact {
		p.Impact = append(p.Impact, newImpactLine(&i.Impact[k]))
	}
	for k := range i.Causes {
		p.Causes = append(p.Causes, newSuspectLine(&i.Causes[k], c))
	}
	for _, e := range i.Events {
		when := formatSpan(i.StartsAt.Sub(e.At)) + " before"
		if e.At.After(i.StartsAt) {
			when = formatSpan(e.At.Sub(i.StartsAt)) + " after it began"
		}
		p.Events = append(p.Events, eventLine{e.Type, e.Text, c.at(e.At) + ", " + when})
	}
	for _, x := range i.Contributors {
		p.Carriers = append(p.Carriers, fmt.Sprintf("%s=%s carries %.0f %% of the deviation of %s, where %.0f %% would be usual", x.Name, x.Value, 100*x.Share, x.Signal, 100*x.Usual))
	}
	p.draw(i, c)
}

func newSuspectLine(s *SuspectView, c clock) suspectLine {
	own := series.FromMap(s.Labels)
	l := suspectLine{Signal: s.Signal, Layer: s.Layer, Labels: own, Link: signalLink(s.Signal, own, nil), Member: s.Anomalous}
	switch s.Label {
	case "strong":
		l.Label = "strong"
	case "same_time":
		l.Label = "moved at the same time"
	}
	if s.Shift != 0 {
		l.Shift = fmt.Sprintf("%.1f sd %s normal", math.Abs(s.Shift), map[bool]string{true: "below", false: "above"}[s.Shift < 0])
	}
	if s.CoMovement != 0 {
		l.With = fmt.Sprintf("%+.2f", s.CoMovement)
	}
	if !s.Since.IsZero() {
		l.Since = c.at(s.Since)
	}
	return l
}

func newImpactLine(i *ImpactView) impactLine {
	l := impactLine{Signal: i.Signal, Link: signalLink(i.Signal, series.FromMap(i.Labels), nil)}
	if i.Lost == nil {
		return l
	}
	amount := func(v float64) string { return formatValue(Float(math.Round(v)), "") }
	than := " fewer than expected"
	if i.More {
		than = " more than expected"
	}
	l.Lost = strings.TrimSpace(amount(*i.Lost)+" "+i.Unit) + than
	if i.Low != nil && i.High != nil {
		l.Range = fmt.Sprintf("%s to %s, %.0f %%", amount(*i.Low), amount(*i.High), 100*i.Level)
	}
	if m := i.Cost; m != nil {
		l.Cost = amount(m.Amount) + " " + m.Currency
		if m.Low != nil && m.High != nil {
			l.Cost += fmt.Sprintf(" (%s to %s)", amount(*m.Low), amount(*m.High))
		}
	}
	return l
}

// draw lays out the members as lanes, infrastructure at the bottom, each layer by who began first.
func (p *incidentPage) draw(i *IncidentView, c clock) {
	from, to := i.StartsAt, i.EndsAt
	for _, m := range i.Members {
		if m.StartsAt.Before(from) {
			from = m.StartsAt
		}
	}
	for _, e := range i.Events {
		if e.At.Before(from) {
			from = e.At
		}
	}
	if i.open() || to.IsZero() {
		to = c.now
	}
	around := max(to.Sub(from)/12, 2*time.Minute)
	from, to = from.Add(-around), to.Add(around)
	at := func(t time.Time) float64 {
		return math.Round(1000 * min(max(float64(t.Sub(from))/float64(to.Sub(from)), 0), 1))
	}
	members := slices.Clone(i.Members)
	rank := map[string]int{"business": 0, "application": 1, "infrastructure": 2}
	slices.SortStableFunc(members, func(a, b MemberView) int {
		return cmp.Or(cmp.Compare(rank[a.Layer], rank[b.Layer]), b.StartsAt.Compare(a.StartsAt))
	})
	for _, m := range members {
		if len(p.Lanes) == maxLanes {
			p.More = len(members) - maxLanes
			break
		}
		own := series.FromMap(m.Labels)
		l := lane{Name: m.Signal, Layer: m.Layer, Labels: own, Link: signalLink(m.Signal, own, nil), Severity: m.Severity, Left: at(m.StartsAt)}
		end := m.EndsAt
		if end.IsZero() {
			end = c.now
		}
		l.Width = max(at(end)-l.Left, 4)
		l.Text = c.at(m.StartsAt) + " for " + formatSpan(end.Sub(m.StartsAt))
		if m.Type == "absent" {
			l.Text += ", no data"
		} else if m.Direction != "" {
			l.Text += ", " + m.Direction
		}
		if m.Why != "" {
			l.Text += "; " + m.Why
		}
		p.Lanes = append(p.Lanes, l)
	}
	for k := range 5 {
		t := from.Add(to.Sub(from) * time.Duration(k) / 4)
		p.Ticks = append(p.Ticks, t.In(c.zone).Format("15:04"))
	}
	for _, e := range i.Events {
		p.Marks = append(p.Marks, at(e.At))
	}
}

func incidentLink(id string) string { return "incident?" + url.Values{"id": {id}}.Encode() }

func incidentWhen(i *IncidentView, c clock) string {
	if i.open() {
		return "since " + c.at(i.StartsAt) + " (" + c.ago(i.StartsAt) + ")"
	}
	return c.at(i.StartsAt) + " – " + c.at(i.EndsAt) + " (" + formatSpan(i.EndsAt.Sub(i.StartsAt)) + ")"
}

// incidentCards are the open incidents, and the most recent of those that ended.
func (h *handler) incidentCards(c clock) (open, ended []incidentCard) {
	if h.Incidents == nil {
		return nil, nil
	}
	card := func(i *IncidentView) incidentCard {
		return incidentCard{Title: "Incident", Summary: i.Summary, When: incidentWhen(i, c), Link: incidentLink(i.ID), State: "firing", Impact: i.Annotations["impact"], Severity: i.Severity}
	}
	last, err := h.Incidents.Open()
	for k := range last[:min(len(last), maxIncidentCards)] {
		open = append(open, card(&last[k]))
	}
	err = errors.Join(err, h.Incidents.Each(time.Time{}, func(i *IncidentView) bool {
		if i.State == "resolved" {
			ended = append(ended, card(i))
		}
		return len(ended) < maxEndedCards
	}))
	if err != nil {
		h.Logger.Error("incidents are not shown", "err", err)
	}
	return open, ended
}
