package main

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/report"
	"github.com/baseliner/baseliner/pkg/series"
)

// soonOver is how long an alert lasts at most that hardly anybody could have acted on, as in the digest.
const soonOver = 10 * time.Minute

// weekTo is the end of the week that is reported on: as asked for, else the last Monday.
func (r reporter) weekTo(text string) (time.Time, error) {
	now := r.relations.Zone().Local(r.now().UnixMilli())
	if text == "" {
		return time.Date(now.Year(), now.Month(), now.Day()-(int(now.Weekday())+6)%7, 0, 0, 0, 0, now.Location()), nil
	}
	to, err := parseInstant("to", text, now)
	if err == nil && to.After(now) {
		err = fmt.Errorf("to %s is later than now", text)
	}
	return r.relations.Zone().Local(to.UnixMilli()), err
}

// weekly reports on the seven days before an instant.
func (r reporter) weekly(to time.Time) (*report.Weekly, error) {
	from := to.AddDate(0, 0, -7)
	in := report.WeeklyInput{To: to, URL: r.link("api/baseliner/v1/reports/weekly", url.Values{"format": {"html"}, "to": {to.UTC().Format(time.RFC3339)}})}
	records, err := r.incidents(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return nil, err
	}
	for i := range records {
		n := &records[i]
		if n.Merged == "" {
			in.Incidents = append(in.Incidents, r.weekIncident(n, to.Location()))
		}
	}
	past, err := r.past(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return nil, err
	}
	for i := range past {
		if p := &past[i]; p.Layer == series.Business.String() && p.Incident == "" && p.Name != alert.IncidentAlert {
			in.Alone = append(in.Alone, report.WeekAlert{Name: p.Name, Start: local(p.StartsAt, to), End: local(p.EndsAt, to), Summary: p.Summary, Impact: p.Impact})
		}
	}
	in.Signals = weekSignals(r.status(), past)
	if l := r.relations.Latest(); l != nil {
		in.Learnt = len(l.Family.Studies) > 0
		for _, s := range l.Family.Studies {
			in.Relations = append(in.Relations, relationInput(l, s))
		}
	}
	return report.NewWeekly(in), nil
}

// local is an instant of unix milliseconds where another is; 0 is none.
func local(ms int64, as time.Time) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).In(as.Location())
}

// link is a page of the instance; empty where it has none.
func (r reporter) link(path string, params url.Values) string {
	if r.page == nil {
		return ""
	}
	u := r.page.JoinPath(path)
	u.RawQuery = params.Encode()
	return u.String()
}

func (r reporter) weekIncident(n *pipeline.IncidentRecord, zone *time.Location) report.WeekIncident {
	as := time.UnixMilli(n.StartsAt).In(zone)
	w := report.WeekIncident{
		ID: n.ID, Summary: n.Summary, Severity: cmp.Or(n.Gravest, n.Labels["severity"]), Start: as, End: local(n.EndsAt, as), First: n.Annotations["first_mover"],
		Broken: n.Annotations["broken"], Causes: n.Annotations["likely_causes"], Anomalies: len(n.Members), Losses: []report.WeekLoss{},
		URL: r.link("incident", url.Values{"id": {n.ID}}),
	}
	for i := range n.Losses {
		l := &n.Losses[i]
		loss := report.WeekLoss{Signal: l.Signal, Labels: l.Labels.Map(), Unit: l.Unit, More: l.More, Lost: bounds(l, 1)}
		if l.PerUnit > 0 {
			money := bounds(l, l.PerUnit)
			loss.Money, loss.Of = &money, l.Currency
		}
		w.Losses = append(w.Losses, loss)
	}
	return w
}

// bounds is a loss with its interval, each unit worth so much.
func bounds(l *pipeline.LossRecord, each float64) report.Range {
	r := report.Range{Value: report.Number(l.Lost * each), Low: report.Number(math.Inf(-1)), High: report.Number(math.Inf(1))}
	if l.Low != nil && l.High != nil {
		r.Low, r.High = report.Number(*l.Low*each), report.Number(*l.High*each)
	}
	return r
}

// weekSignals says how every signal did: those that are, and those that had alerts and are gone.
func weekSignals(all []pipeline.SignalStatus, past []outbox.Past) (out []report.SignalWeek) {
	for i := range all {
		out = append(out, signalWeek(&all[i]))
	}
	for i := range past {
		p := &past[i]
		if p.Name == alert.IncidentAlert {
			continue // its parts are counted
		}
		k := slices.IndexFunc(out, func(w report.SignalWeek) bool { return w.Name == p.Signal })
		if k < 0 {
			k = len(out)
			unknown := report.Number(math.NaN())
			out = append(out, report.SignalWeek{Name: p.Signal, Layer: p.Layer, Alarms: unknown, Budget: unknown, Coverage: unknown})
		}
		w := &out[k]
		w.Begun++
		if p.EndsAt != 0 && p.EndsAt-p.StartsAt <= soonOver.Milliseconds() {
			w.Brief++
		}
		if p.Quiet {
			w.Quiet++
		}
		if p.Incident != "" {
			w.InStory++
		}
	}
	return out
}

func signalWeek(s *pipeline.SignalStatus) report.SignalWeek {
	w := report.SignalWeek{
		Name: s.Def.Name, Layer: s.Def.Layer.String(), Alarms: report.Number(s.Figures.EpisodesPerWeek), Budget: report.Number(s.Figures.Budget),
		Coverage: report.Number(s.Figures.Coverage), Series: len(s.Series), Error: s.Error,
	}
	for i := range s.Series {
		one := &s.Series[i]
		switch {
		case one.Phase == detect.Firing:
			w.Firing++
		case one.Verdict.Missing != series.Observed && !one.Verdict.Missing.Ours():
			w.Missing++
		case !one.Verdict.Known:
			w.Learning++
		}
	}
	return w
}

// facts are what the weekly digest says of the week that ends at due, beside what the announcer counted.
func (r reporter) facts(due int64) (f alert.Facts, err error) {
	for _, s := range r.status() {
		if g := &s.Figures; g.EpisodesPerWeek > g.Budget {
			f.Budgets = append(f.Budgets, fmt.Sprintf("%s: %.1f a week of %.1f", s.Def.Name, g.EpisodesPerWeek, g.Budget))
		}
	}
	w, err := r.weekly(r.relations.Zone().Local(due))
	if err != nil {
		return f, err
	}
	f.Head, f.Incidents, f.Health = w.Brief()
	f.URL = w.URL
	f.Report, err = w.Document().Text(report.Markdown)
	return f, err
}
