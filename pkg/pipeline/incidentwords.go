package pipeline

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/signal"
)

// impactOf is a loss with the signal that it is of.
type impactOf struct {
	signal string
	Loss
}

// DescribeIncident puts an incident into words: the labels it was given, and its three boxes.
func (c *Core) DescribeIncident(in *incident.Incident, t int64, losses []impactOf, external map[string]string, page *url.URL) Words {
	w := Words{Labels: map[string]string{}, Annotations: map[string]string{}}
	maps.Copy(w.Labels, external)
	maps.Copy(w.Labels, in.Labels)
	s, a := &in.Story, w.Annotations
	local := func(ms int64) string { return c.clock(s.Outcome.Signal, ms) }
	outcome := c.short(&s.Outcome)
	switch {
	case in.Merged != "":
		a["summary"] = fmt.Sprintf("Incident around %s turned out to be part of incident %s", outcome, in.Merged)
	case in.EndsAt != 0:
		a["summary"] = fmt.Sprintf("Incident around %s is over after %s", outcome, span(in.EndsAt-in.StartsAt))
	default:
		a["summary"] = fmt.Sprintf("Incident: %s, since %s", outcome, local(in.StartsAt))
	}
	if first := c.firstText(in); first != "" {
		a["first_mover"] = first
		a["summary"] += "; began with " + first
	}
	a["summary"] = clipRunes(a["summary"], 256)
	if s.Broken != nil {
		a["broken"] = c.short(s.Broken)
	}
	var impact []string
	for _, l := range losses {
		impact = append(impact, spaced(l.signal)+": "+l.String())
	}
	if len(impact) == 0 {
		for i := range s.Impact {
			impact = append(impact, c.short(&s.Impact[i]))
		}
	}
	if len(impact) > 0 {
		a["impact"] = strings.Join(impact, "; ")
	}
	a["likely_causes"] = c.causesText(s.Causes, s.Events, in.StartsAt, s.Outcome.Signal)
	a["description"] = c.tale(in, a)
	for i := range s.Carriers {
		x := &s.Carriers[i]
		a["description"] += fmt.Sprintf(" Of the deviation of %s, %s=%s carries %.0f %%, where %.0f %% would be usual.", spaced(x.Signal), x.Name, x.Value, 100*x.Share, 100*x.Usual)
	}
	if in.Gravest != "" {
		a[alert.SeverityAnnotation] = in.Gravest
	}
	if !in.Wakes() {
		a[alert.PagingAnnotation] = "false"
	}
	if page != nil {
		u := page.JoinPath("incident")
		u.RawQuery = url.Values{"id": {in.ID}}.Encode()
		w.GeneratorURL = u.String()
	}
	return w
}

// tale is the description: the three boxes in sentences, and how many anomalies there are.
func (c *Core) tale(in *incident.Incident, a map[string]string) string {
	var b strings.Builder
	if first := a["first_mover"]; first != "" {
		verb := "moved first"
		if len(in.Story.First) > 1 {
			verb = "moved first, at the same time"
		}
		fmt.Fprintf(&b, "%s %s. ", capital(first), verb)
		if n := len(in.Story.Former); n > 0 {
			was := &in.Story.Former[n-1]
			fmt.Fprintf(&b, "First said to be %s; since %s %s. ", c.namesText(was.First), c.clock(in.Story.Outcome.Signal, was.Until), first)
		}
	}
	if broken := a["broken"]; broken != "" {
		fmt.Fprintf(&b, "It shows in %s. ", broken)
	}
	if impact := a["impact"]; impact != "" {
		fmt.Fprintf(&b, "Impact: %s. ", impact)
	}
	open := 0
	for i := range in.Members {
		if in.Members[i].Open() {
			open++
		}
	}
	n := len(in.Members)
	fmt.Fprintf(&b, "%d %s in this incident", n, plural(n, "anomaly", "anomalies"))
	if open < n && in.EndsAt == 0 {
		fmt.Fprintf(&b, ", %d of them open", open)
	}
	b.WriteString(".")
	return b.String()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (c *Core) firstText(in *incident.Incident) string { return c.namesText(in.Story.First) }

func (c *Core) namesText(all []incident.Suspect) string {
	var names []string
	for i := range all {
		names = append(names, c.short(&all[i]))
	}
	if len(names) > 3 {
		names = append(names[:3:3], fmt.Sprintf("%d more", len(names)-3))
	}
	if n := len(names) - 1; n > 1 {
		return strings.Join(names[:n], ", ") + " and " + names[n]
	}
	return strings.Join(names, " and ")
}

// causesText lists what may explain an anomaly, deploys first: who just changed something can say so at once.
func (c *Core) causesText(causes []incident.Suspect, events []incident.Event, start int64, name string) string {
	var parts []string
	for i := range events {
		parts = append(parts, eventText(&events[i], start))
		if i == 2 {
			break
		}
	}
	for i := range causes {
		if i == 3 {
			break
		}
		x := &causes[i]
		label := "moved at the same time"
		if x.Label == incident.Strong {
			label = "strong"
		}
		text := fmt.Sprintf("%s %.0f standard deviations %s normal", c.short(x), math.Abs(x.Shift), side(x.Shift))
		if x.Onset != 0 {
			text += " since " + c.clock(name, x.Onset)
		}
		parts = append(parts, text+" ("+label+")")
	}
	if len(parts) == 0 {
		return "nothing that is watched explains it"
	}
	for i := range parts {
		parts[i] = strconv.Itoa(i+1) + ". " + parts[i]
	}
	return strings.Join(parts, "; ")
}

func eventText(e *incident.Event, start int64) string {
	text := e.Type
	if e.Text != "" {
		text += " “" + clipRunes(e.Text, 80) + "”"
	}
	switch d := start - e.At; {
	case d >= 60_000:
		return text + " " + span(d) + " before"
	case d <= -60_000:
		return text + " " + span(-d) + " after it began"
	}
	return text + " at the same time"
}

func side(shift float64) string {
	if shift < 0 {
		return "below"
	}
	return "above"
}

// short names a suspect: its signal, and what tells its series from the others.
func (c *Core) short(x *incident.Suspect) string {
	o := Occurrence{Signal: c.byName[x.Signal], Series: &Series{Labels: x.Labels}}
	if o.Signal == nil {
		o.Signal = &Signal{Def: signal.Definition{Name: x.Signal}}
	}
	return subject(&o)
}

// clock is the time of day where a signal lives.
func (c *Core) clock(name string, ms int64) string {
	s := c.byName[name]
	if s == nil && len(c.signals) > 0 {
		s = c.signals[0]
	}
	if s == nil {
		return clockText(ms)
	}
	return s.Zone.Local(ms).Format("15:04")
}

func spaced(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '_' }), " ")
}
