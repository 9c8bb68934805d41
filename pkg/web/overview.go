package web

import (
	"net/http"
	"slices"
	"strings"
)

// What fits on a page. The rest is counted, and found by the search box.
const (
	maxOpenCards   = 12
	maxEndedCards  = 6
	maxGroups      = 400 // signals
	rowsPerSignal  = 4
	crowdedSignals = 100 // from here on one row a signal
)

type overview struct {
	Head            head
	Search          string
	Incidents, Past []incidentCard
	Open            []card
	More            int // open anomalies without a card
	Ended           []card
	Layers          []layer
	Hidden          int // signals that did not fit
	Empty           bool
}

type layer struct {
	Name   string
	Groups []group
}

// group is a signal with its most urgent series.
type group struct {
	Name    string
	Error   string
	Waiting string // why there are no series
	Rows    []row
	More    int
	Link    string
}

func (h *handler) overviewPage(w http.ResponseWriter, r *http.Request) {
	signals := h.Views.Signals()
	c := newClock(h.Now(), h.Views.Status().Timezone)
	page := overview{Head: h.head("Overview", "overview", signals, c), Search: strings.TrimSpace(r.FormValue("q")), Empty: len(signals) == 0}
	page.Incidents, page.Past = h.incidentCards(c)
	page.Open, page.Ended, page.More = anomalyCards(h.Views.Anomalies(), c, maxOpenCards, maxEndedCards)
	signals = filter(signals, page.Search)
	if len(signals) > maxGroups {
		page.Hidden = len(signals) - maxGroups
		signals = signals[:maxGroups]
	}
	page.Layers = byLayer(signals)
	h.render(w, http.StatusOK, "overview.html", page)
}

// filter keeps the signals whose name, layer or any series' labels hold the words, and of those only such series.
func filter(signals []SignalView, words string) []SignalView {
	fields := strings.Fields(strings.ToLower(words))
	if len(fields) == 0 {
		return signals
	}
	holds := func(text string) bool {
		return !slices.ContainsFunc(fields, func(f string) bool { return !strings.Contains(text, f) })
	}
	var out []SignalView
	for _, s := range signals {
		name := strings.ToLower(s.Name + " " + s.Layer + " ")
		if holds(name) {
			out = append(out, s)
			continue
		}
		s.Series = slices.DeleteFunc(slices.Clone(s.Series), func(one SeriesView) bool {
			return !holds(name + strings.ToLower(labelText(one.Labels)+" "+string(one.State)))
		})
		if len(s.Series) > 0 {
			out = append(out, s)
		}
	}
	return out
}

func labelText(ls map[string]string) string {
	var b strings.Builder
	for n, v := range ls {
		b.WriteString(n + "=" + v + " ")
	}
	return b.String()
}

// byLayer groups signals from the money down to the machine, in the order of the configuration within a layer.
func byLayer(signals []SignalView) []layer {
	limit := rowsPerSignal
	if len(signals) > crowdedSignals {
		limit = 1
	}
	var out []layer
	for _, name := range []string{"business", "application", "infrastructure", ""} {
		l := layer{Name: name}
		for _, s := range signals {
			known := s.Layer == "business" || s.Layer == "application" || s.Layer == "infrastructure"
			if s.Layer == name || name == "" && !known {
				l.Groups = append(l.Groups, newGroup(s, limit))
			}
		}
		if len(l.Groups) > 0 {
			out = append(out, l)
		}
	}
	return out
}

func newGroup(s SignalView, limit int) group {
	sum := summarise(s, limit)
	g := group{Name: s.Name, Error: s.Error, Waiting: s.Waiting, Link: signalLink(s.Name, nil, nil), More: sum.SeriesTotal - len(sum.Series)}
	for _, one := range sum.Series {
		g.Rows = append(g.Rows, newRow(s, one))
	}
	return g
}
