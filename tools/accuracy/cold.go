package main

import (
	"fmt"
	"math"
	"slices"
)

// coldSize is the extent of the experiment.
type coldSize struct{ seeds, siblings, weeks int }

var (
	coldFull  = coldSize{seeds: 300, siblings: 4, weeks: 4}
	coldShort = coldSize{seeds: 4, siblings: 2, weeks: 2}
)

const (
	coldPurpose = 0xc01d
	coldFrom    = perHour      // the first row judged of a young series
	coldTo      = 25 * perHour // and the one after the last
	coldEvents  = 6            // in these 24 hours
	eventRows   = 6
)

// ageFigures are a series' false alarms and recall at one age.
type ageFigures struct {
	Known  float64 `json:"share_of_rows_known"`
	Alarms float64 `json:"false_alarms_per_day"`
	Events int     `json:"events"`
	Recall float64 `json:"recall"`
	Priced float64 `json:"recall_at_the_grown_series_false_alarms"`
	quiet  []*track
	peaks  []float64 // highest score in the first rows of each event
}

// coldLine compares one series young and four weeks old.
type coldLine struct {
	Borrowing bool       `json:"borrowing"`
	Young     ageFigures `json:"hours_1_to_25"`
	Grown     ageFigures `json:"the_same_hours_weeks_later"`
}

type coldReport struct {
	Size  coldSize   `json:"-"`
	Lines []coldLine `json:"lines"`
}

func runCold(o options) (finding, error) {
	size := coldFull
	if o.short {
		size = coldShort
	}
	r := &coldReport{Size: size, Lines: []coldLine{size.measure(nil)}}
	if borrowing != nil {
		r.Lines = append(r.Lines, size.measure(borrowing))
	}
	return r, nil
}

// measure runs every cohort twice: quiet, for the false alarms, and with events, for the recall.
func (size coldSize) measure(lend borrow) coldLine {
	l := coldLine{Borrowing: lend != nil}
	young, grown := make([]ageFigures, size.seeds), make([]ageFigures, size.seeds)
	parallel(size.seeds, func(seed int) {
		young[seed], grown[seed] = size.cohort(seed, false, lend)
		withEvents, later := size.cohort(seed, true, lend)
		young[seed].peaks, grown[seed].peaks = withEvents.peaks, later.peaks
	})
	l.Young, l.Grown = poolAges(young), poolAges(grown)
	days := float64(size.seeds) * (coldTo - coldFrom) / perDay
	price := max(l.Grown.Alarms, 1/days)
	l.Young.Priced, l.Grown.Priced = l.Young.recallAt(price), l.Grown.recallAt(price)
	return l
}

// poolAges sums the seeds up.
func poolAges(each []ageFigures) ageFigures {
	var sum ageFigures
	var quiet tally
	for _, a := range each {
		sum.Known += a.Known / float64(len(each))
		sum.quiet = append(sum.quiet, a.quiet...)
		sum.peaks = append(sum.peaks, a.peaks...)
	}
	for _, t := range sum.quiet {
		quiet.add(t.decided())
	}
	sum.Alarms = quiet.alarmRate() / 7
	sum.Events = len(sum.peaks)
	sum.Recall = reached(sum.peaks, 1)
	return sum
}

// reached is the share of events whose scores reach the threshold.
func reached(peaks []float64, threshold float64) float64 {
	n := 0
	for _, p := range peaks {
		if p >= threshold {
			n++
		}
	}
	return ratio(n, len(peaks))
}

// recallAt is the recall at the lowest threshold that costs no more false alarms a day.
func (a *ageFigures) recallAt(price float64) float64 {
	var grid []float64
	for x := 0.05; x < 50; x *= 1.02 {
		grid = append(grid, x)
	}
	s := newSweep(grid, a.quiet)
	for k := range s.at {
		if s.at[k].alarmRate()/7 <= price {
			return reached(a.peaks, grid[k])
		}
	}
	return 0
}

// cohort lets siblings live for some weeks, then a series join, and judges its hours 1 to 25 and the same after as many
// weeks more.
func (size coldSize) cohort(seed int, events bool, lend borrow) (young, grown ageFigures) {
	c := newCohort(size.siblings, seed)
	when := seeded(coldPurpose+1, seed)
	joins := int64(size.weeks*perWeek) + when.Int64N(perWeek)
	newcomer := size.siblings
	plans := [2]eventPlan{}
	if events {
		plans = [2]eventPlan{planEvents(seed, 0), planEvents(seed, 1)}
	}
	for i := range joins {
		for k := range newcomer {
			c.step(k, epoch+i*fiveMin, 0)
		}
	}
	ages := [2]*ageFigures{&young, &grown}
	for _, a := range ages {
		a.quiet = []*track{{entry: entry{Resolution: fiveMin}}}
		a.peaks = make([]float64, len(plans[0]))
	}
	later := int64(size.weeks * perWeek)
	for age := range later + coldTo {
		unix := epoch + (joins+age)*fiveMin
		if age < coldTo {
			if lend != nil {
				lend(unix, c.detectors[newcomer], c.detectors[:newcomer])
			}
			for k := range newcomer {
				c.step(k, unix, 0)
			}
		}
		which, row := 0, age
		if age >= later {
			which, row = 1, age-later
		}
		v := c.step(newcomer, unix, plans[which].moved(row))
		if row >= coldFrom && row < coldTo {
			ages[which].note(unix, row, v, plans[which])
		}
	}
	for _, a := range ages {
		a.quiet[0].prepare()
		a.Known /= coldTo - coldFrom
	}
	return young, grown
}

func (a *ageFigures) note(unix, row int64, v verdict, plan eventPlan) {
	if v.known {
		a.Known++
	}
	a.quiet[0].push(unix, math.Abs(v.score), v.anomalous(), false)
	if e := plan.at(row); e >= 0 && row <= plan[e].begin+delayRows {
		a.peaks[e] = max(a.peaks[e], math.Abs(v.score))
	}
}

// plannedEvent moves the series by so many standard deviations for half an hour.
type plannedEvent struct {
	begin int64 // row of its age
	size  float64
}

type eventPlan []plannedEvent

// planEvents spreads events over the day, up and down, of 6 and of 10 standard deviations.
func planEvents(seed, window int) eventPlan {
	r := seeded(coldPurpose+2, seed, window)
	sizes := []float64{6, -6, 10, -10, 6, -6}
	r.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	each := int64(coldTo-coldFrom) / coldEvents
	var p eventPlan
	for i, s := range sizes {
		p = append(p, plannedEvent{begin: coldFrom + int64(i)*each + r.Int64N(each-eventRows-delayRows), size: s})
	}
	return p
}

// at is the event that a row lies in, -1 when none.
func (p eventPlan) at(row int64) int {
	return slices.IndexFunc(p, func(e plannedEvent) bool { return row >= e.begin && row < e.begin+eventRows })
}

func (p eventPlan) moved(row int64) float64 {
	if e := p.at(row); e >= 0 {
		return p[e].size
	}
	return 0
}

func (r *coldReport) tables() []table {
	t := table{
		title: fmt.Sprintf("Cold start: hours 1–25 of a series among %d siblings, against the same %d weeks later; %d seeds", r.Size.siblings, r.Size.weeks, r.Size.seeds),
		head: []string{
			"borrowing", "rows known", "false alarms / day", "grown", "times", "recall", "grown", "share", "recall at the grown one's false alarms", "grown",
		},
	}
	for _, l := range r.Lines {
		name := "without"
		if l.Borrowing {
			name = "with"
		}
		t.row(name, l.Young.Known, l.Young.Alarms, l.Grown.Alarms, share(l.Young.Alarms, l.Grown.Alarms),
			l.Young.Recall, l.Grown.Recall, share(l.Young.Recall, l.Grown.Recall), l.Young.Priced, l.Grown.Priced)
	}
	return []table{t}
}
