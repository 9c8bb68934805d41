package web

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

type signalPage struct {
	Head     head
	Signal   SignalView
	Alert    string
	For      string
	Budget   string // what the signal may cost, and did
	Coverage string // how many rows were inside the band
	Row      *row   // nil: the signal has no series yet
	Since    string
	Others   []row
	Hidden   int // other series that did not fit
	Ranges   []timeRange
	From, To int64 // unix seconds; 0: the range up to now
	Seconds  int64 // length of the range
	Profile  *profile
	Open     []card
	Ended    []card
	Message  string // why there is no such page
}

// timeRange is one of the ranges to choose from.
type timeRange struct {
	Name    string
	Seconds int64
	Link    string
	Current bool
}

const maxOthers = 200

func (h *handler) signalPage(w http.ResponseWriter, r *http.Request) {
	signals := h.Views.Signals()
	c := newClock(h.Now(), h.Views.Status().Timezone)
	name := r.FormValue("name")
	page := signalPage{Head: h.head(name, "signal", signals, c)}
	code := http.StatusOK
	i := slices.IndexFunc(signals, func(s SignalView) bool { return s.Name == name })
	match, err := h.matchParam(r)
	switch {
	case err != nil:
		page.Message, code = err.Error(), http.StatusBadRequest
	case i < 0:
		page.Message, code = fmt.Sprintf("There is no signal %q. It may have been removed from the configuration.", name), http.StatusNotFound
	default:
		page.fill(signals[i], match, c)
		page.window(r)
		if page.Row != nil {
			h.history(&page, c)
		}
	}
	h.render(w, code, "signal.html", page)
}

// fill chooses the series to show — the most urgent of those that match — and lists the others.
func (p *signalPage) fill(s SignalView, match func(series.Labels) bool, c clock) {
	p.Signal, p.Alert = s, s.alertname()
	p.Budget, p.Coverage = s.Budget.spent(), s.Budget.inside()
	if s.For > 0 {
		p.For = formatSpan(time.Duration(s.For * float64(time.Second)))
	}
	sorted := summarise(s, 0).Series
	chosen := slices.IndexFunc(sorted, func(one SeriesView) bool { return match(series.FromMap(one.Labels)) })
	for i, one := range sorted {
		r := newRow(s, one)
		if r.Current = i == chosen; r.Current {
			p.Row = &r
			if !one.Since.IsZero() {
				p.Since = c.at(one.Since)
			}
		}
		if len(p.Others) < maxOthers || r.Current {
			p.Others = append(p.Others, r)
		} else {
			p.Hidden++
		}
	}
	if len(sorted) > 0 && p.Row == nil {
		p.Message = "No series of this signal has these labels now. Choose one below."
	}
}

// window reads from and to, or range, and offers the ranges.
func (p *signalPage) window(r *http.Request) {
	const defaultRange = "6h"
	from, errFrom := parseTime(r.FormValue("from"))
	to, errTo := parseTime(r.FormValue("to"))
	fixed := errFrom == nil && errTo == nil && from.Before(to)
	if fixed {
		p.From, p.To = from.Unix(), to.Unix()
		p.Seconds = p.To - p.From
	}
	wanted := r.FormValue("range")
	for _, o := range []timeRange{{Name: "6h", Seconds: 6 * 3600}, {Name: "2d", Seconds: 2 * 86400}, {Name: "7d", Seconds: 7 * 86400}, {Name: "60d", Seconds: 60 * 86400}} {
		if !fixed && (o.Name == wanted || o.Name == defaultRange && p.Seconds == 0) {
			p.Seconds = o.Seconds
		}
		p.Ranges = append(p.Ranges, o)
	}
	var own series.Labels
	if p.Row != nil {
		own = p.Row.Labels
	}
	for i := range p.Ranges {
		o := &p.Ranges[i]
		o.Current = !fixed && o.Seconds == p.Seconds
		o.Link = signalLink(p.Signal.Name, own, url.Values{"range": {o.Name}})
	}
}

// history adds the profile and the anomalies of the series.
func (h *handler) history(p *signalPage, c clock) {
	own := series.Labels(p.Row.Labels)
	same := func(ls series.Labels) bool { return ls.Equal(own) }
	if all := h.Views.Baselines(p.Signal.Name, same); len(all) > 0 {
		p.Profile = newProfile(all[0], p.Signal.Unit, c.now)
	}
	var mine []AnomalyView
	for _, a := range h.Views.Anomalies() {
		if a.Signal == p.Signal.Name && same(series.FromMap(a.Labels)) {
			mine = append(mine, a)
		}
	}
	p.Open, p.Ended, _ = anomalyCards(mine, c, maxOpenCards, 2*maxEndedCards)
}

// profile is the week as a picture: a row a day, a cell an hour.
type profile struct {
	Zone      string
	Min, Max  string // what the lightest and the darkest shade mean
	Days      []profileDay
	KnownText string
}

type profileDay struct {
	Name  string
	Hours []profileHour
}

// profileHour is a cell. Shade is 0 to 8, or -1 when nothing is known.
type profileHour struct {
	Shade int
	Text  string
	Now   bool
}

const shades = 9

func newProfile(b BaselineView, unit string, now time.Time) *profile {
	lo, hi, known := math.Inf(1), math.Inf(-1), 0
	for _, hour := range b.Hours {
		if hour.Expected.Finite() {
			lo, hi, known = min(lo, float64(hour.Expected)), max(hi, float64(hour.Expected)), known+1
		}
	}
	p := &profile{Zone: b.Zone, KnownText: fmt.Sprintf("%d of 168 hours known", known)}
	if known > 0 {
		p.Min, p.Max = formatValue(Float(lo), unit), formatValue(Float(hi), unit)
	}
	if loc, err := time.LoadLocation(b.Zone); err == nil {
		now = now.In(loc)
	}
	for _, day := range []time.Weekday{1, 2, 3, 4, 5, 6, 0} {
		d := profileDay{Name: day.String()[:3]}
		for hour := range 24 {
			v := b.Hours[int(day)*24+hour]
			cell := profileHour{
				Shade: -1, Now: now.Weekday() == day && now.Hour() == hour,
				Text: fmt.Sprintf("%s %02d:00: nothing known yet", d.Name, hour),
			}
			if v.Expected.Finite() {
				if cell.Shade = shades / 2; hi > lo {
					cell.Shade = min(shades-1, int((float64(v.Expected)-lo)/(hi-lo)*shades))
				}
				cell.Text = fmt.Sprintf("%s %02d:00: %s expected, normal %s, %s seen", d.Name, hour,
					formatValue(v.Expected, unit), formatBand(v.Lower, v.Upper, unit), weeks(v.WeeksSeen))
			}
			d.Hours = append(d.Hours, cell)
		}
		p.Days = append(p.Days, d)
	}
	return p
}

func weeks(n float64) string {
	if n == 1 {
		return "1 week"
	}
	return digits(n) + " weeks"
}
