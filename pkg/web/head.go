package web

import (
	"fmt"
	"time"
)

// head is the top of every page: how the instance is, before what it knows.
type head struct {
	Title    string
	Page     string // overview or signal
	Tallies  []tally
	Facts    []string
	Banners  []string
	Down     []TargetView // targets that cannot be scraped
	Targets  int
	Version  string
	Started  string
	Timezone string
	Now      string
}

// tally is a number of series in a state.
type tally struct {
	State SeriesState
	Count int
}

// tickLate is how many intervals without a tick are worth a warning.
const tickLate = 3

func (h *handler) head(title, page string, signals []SignalView, c clock) head {
	status := h.Views.Status()
	out := head{Title: title, Page: page, Version: status.Version, Timezone: c.zone.String(), Now: c.now.Format("15:04:05")}
	if !status.Started.IsZero() {
		out.Started = c.at(status.Started)
	}
	if err := h.Ready(); err != nil {
		out.Banners = append(out.Banners, "Not ready: "+err.Error())
	}
	if err := h.Healthy(); err != nil {
		out.Banners = append(out.Banners, "Not healthy: "+err.Error())
	}
	interval := time.Duration(status.Interval * float64(time.Second))
	switch {
	case status.LastTick.IsZero():
		out.Facts = append(out.Facts, "no tick yet")
	default:
		out.Facts = append(out.Facts, fmt.Sprintf("last tick %s, %s ago", status.LastTick.In(c.zone).Format("15:04:05"), c.ago(status.LastTick)))
		if late := c.now.Sub(status.LastTick); interval > 0 && late > tickLate*interval {
			out.Banners = append(out.Banners, "No tick for "+formatSpan(late)+": nothing has been judged since.")
		}
	}
	out.Facts = append(out.Facts, plural(status.Series, "series", "series")+" of "+plural(status.Signals, "signal", "signals"))
	out.Banners = append(out.Banners, status.Warnings...)
	out.Tallies = tallies(signals)
	targets := h.Views.Targets()
	out.Targets = len(targets.Active)
	for _, t := range targets.Active {
		if t.Health == "down" {
			out.Down = append(out.Down, t)
		}
	}
	return out
}

// tallies count the series by state, the loudest first. Nobody firing is said as well: it is what people look for.
func tallies(signals []SignalView) []tally {
	counts := map[SeriesState]int{}
	for _, s := range signals {
		for _, one := range s.Series {
			counts[one.State]++
		}
	}
	var out []tally
	for _, state := range []SeriesState{StateFiring, StatePending, StateMissing, StateLearning, StateThin, StateOK} {
		if counts[state] > 0 || state == StateFiring && len(signals) > 0 {
			out = append(out, tally{state, counts[state]})
		}
	}
	return out
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
