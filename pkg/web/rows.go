package web

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// row is one series on a page, in words.
type row struct {
	ID       string // stable over refreshes
	Signal   string
	Unit     string
	Labels   []series.Label
	State    SeriesState
	Note     string // knowledge, or the reason of the state
	Value    string
	Expected string
	Band     string
	Score    string
	Link     string // to the page of the series
	Selector string // of its results
	Match    string // selector of its own labels
	Current  bool
}

func newRow(s SignalView, one SeriesView) row {
	own := series.FromMap(one.Labels)
	r := row{
		ID: "s-" + s.Name + own.String(), Signal: s.Name, Unit: s.Unit, Labels: own, State: one.State, Note: one.Knowledge,
		Value: formatValue(one.Value, s.Unit), Expected: formatValue(one.Expected, s.Unit), Band: formatBand(one.Lower, one.Upper, s.Unit),
		Link: signalLink(s.Name, own, nil), Match: selector(own), Selector: selector(resultLabels(s.Name, s.Layer, one.Labels)),
	}
	if one.Lower == one.Upper && one.Lower.Finite() && one.Expected.Finite() && one.Lower != one.Expected {
		r.Band = "about " + r.Expected // an incident lies in the averages: no single point would be well in all of them
	}
	if one.Score.Finite() {
		r.Score = formatValue(one.Score, "")
	}
	if one.State == StateMissing {
		r.Value = "–"
		r.Note = "missing"
		if one.Reason != "" {
			r.Note += ": " + strings.ReplaceAll(one.Reason, "_", " ")
		}
	} else if r.Note == "" {
		r.Note = one.Reason
	}
	return r
}

// signalLink leads to the page of a series, relative to any page.
func signalLink(name string, own series.Labels, more url.Values) string {
	q := url.Values{"name": {name}}
	if len(own) > 0 {
		q.Set("match", selector(own))
	}
	maps.Copy(q, more)
	return "signal?" + q.Encode()
}

// card is an anomaly in words.
type card struct {
	Title    string
	Signal   string
	Severity string
	State    string
	Type     string
	Labels   []series.Label
	Summary  string
	When     string
	Observed string
	Normal   string
	Causes   string
	Impact   string
	Link     string
	Runbook  string
}

func newCard(a AnomalyView, c clock) card {
	own := series.FromMap(a.Labels)
	out := card{
		Title: a.Alertname, Signal: a.Signal, Severity: a.Severity, State: a.State, Type: a.Type, Labels: own, Summary: a.Summary,
		Causes: a.Annotations["likely_causes"], Impact: a.Annotations["impact"],
		Link: signalLink(a.Signal, own, anomalyWindow(a, c.now)),
	}
	if u, err := url.Parse(a.Annotations["runbook_url"]); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		out.Runbook = u.String()
	}
	if a.Observed.Finite() {
		out.Observed = formatValue(a.Observed, a.Unit)
	}
	if a.Lower.Finite() || a.Upper.Finite() {
		out.Normal = formatBandBeside(a.Observed, a.Lower, a.Upper, a.Unit)
	}
	if a.open() {
		out.When = "since " + c.at(a.StartsAt) + " (" + c.ago(a.StartsAt) + ")"
	} else {
		out.When = c.at(a.StartsAt) + " – " + c.at(a.EndsAt) + " (" + formatSpan(a.EndsAt.Sub(a.StartsAt)) + ")"
	}
	return out
}

// anomalyWindow shows an ended anomaly with as much time around it as it took, at least an hour; an open one shows the
// default window, which ends now, if that holds its start.
func anomalyWindow(a AnomalyView, now time.Time) url.Values {
	end := a.EndsAt
	if a.open() {
		if now.Sub(a.StartsAt) < 5*time.Hour {
			return nil
		}
		end = now
	}
	around := max(time.Hour, end.Sub(a.StartsAt))
	return url.Values{
		"from": {a.StartsAt.Add(-around).UTC().Format(time.RFC3339)},
		"to":   {slices.MinFunc([]time.Time{end.Add(around), now}, time.Time.Compare).UTC().Format(time.RFC3339)},
	}
}

// anomalyCards are the open anomalies, the gravest first and then the newest, and the most recent of the ended ones.
func anomalyCards(all []AnomalyView, c clock, maxOpen, maxEnded int) (open, ended []card, more int) {
	rank := map[string]int{"critical": 2, "warning": 1}
	all = slices.DeleteFunc(slices.Clone(all), func(a AnomalyView) bool { return a.Type == "incident" }) // they have cards of their own
	slices.SortStableFunc(all, func(a, b AnomalyView) int {
		if a.open() && b.open() {
			if a.State != b.State {
				return strings.Compare(a.State, b.State) // firing before pending
			}
			if d := rank[b.Severity] - rank[a.Severity]; d != 0 {
				return d
			}
		}
		return b.StartsAt.Compare(a.StartsAt)
	})
	for _, a := range all {
		switch {
		case a.open() && len(open) < maxOpen:
			open = append(open, newCard(a, c))
		case a.open():
			more++
		case len(ended) < maxEnded:
			ended = append(ended, newCard(a, c))
		}
	}
	return open, ended, more
}
