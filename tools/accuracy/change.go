package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// changeSize is how many seeds each story is told with.
type changeSize struct{ seeds int }

var (
	changeFull  = changeSize{seeds: 20}
	changeShort = changeSize{seeds: 2}
)

const changePurpose = 0xc4a76e

// plot is the course of one story: what happens to a series and what is asked of the detector.
type plot struct {
	name, want string
	step       int64   // seconds between rows
	level      float64 // mean of the weekly cycle, or of all rows when flat; may be negative
	flat       bool    // no weekly cycle
	weeks      int     // before anything happens
	rows       int64   // judged from then on
	// happens changes a value: row counts from 0 where it begins, usual is the mean there, sd the noise's deviation. When
	// nil, the value is stuck where it was, for six hours.
	happens func(v float64, row int64, usual, sd float64) float64
	// holds says whether the alarms are what is wanted, in rows since it began.
	holds func(told []alarmSpan) bool
}

// alarmSpan are the first and the last flagged row of an alarm: flags at most an hour apart are one.
type alarmSpan struct{ first, last int64 }

const (
	alarmQuiet = int64(3600) // seconds without a flag that end an alarm
	hourRows   = int64(perHour)
	dayRows    = int64(perDay)
)

// plotLine is how often a story went as wanted.
type plotLine struct {
	Story  string  `json:"story"`
	Want   string  `json:"want"`
	Seeds  int     `json:"seeds"`
	Held   int     `json:"held"`
	Alarms float64 `json:"alarms_mean"`
	Delay  float64 `json:"median_delay_s"` // of the first alarm; -1 when there is none
}

type changeReport struct {
	Lines []plotLine `json:"lines"`
}

func runChange(o options) (finding, error) {
	size := changeFull
	if o.short {
		size = changeShort
	}
	r := &changeReport{}
	for _, p := range plots() {
		r.Lines = append(r.Lines, p.tell(size.seeds))
	}
	return r, nil
}

// tell plays a story with every seed.
func (p *plot) tell(seeds int) plotLine {
	told := make([][]alarmSpan, seeds)
	parallel(seeds, func(seed int) { told[seed] = p.play(seed) })
	l := plotLine{Story: p.name, Want: p.want, Seeds: seeds, Delay: -1}
	var delays []int64
	for _, alarms := range told {
		l.Held += int(one(p.holds(alarms)))
		l.Alarms += float64(len(alarms)) / float64(seeds)
		if len(alarms) > 0 {
			delays = append(delays, alarms[0].first*p.step)
		}
	}
	if len(delays) > 0 {
		slices.Sort(delays)
		l.Delay = float64(delays[len(delays)/2])
	}
	return l
}

// play returns the alarms of one seed. Noise is AR(1) .5 with a deviation of 2 % of the level.
func (p *plot) play(seed int) (alarms []alarmSpan) {
	r := seeded(changePurpose, seed)
	week, noise := newWeekCycle(r), ar1{phi: 0.5}
	sd := 0.02 * math.Abs(p.level)
	if p.level == 0 {
		sd = 1
	}
	d := newDetector(time.Duration(p.step) * time.Second)
	begins := int64(p.weeks)*weekSeconds/p.step + r.Int64N(dayRows)
	before := 0.0
	for i := range begins + p.rows {
		unix := epoch + i*p.step
		usual := p.level
		if !p.flat {
			usual *= week.at(unix)
		}
		v := usual + sd*noise.next(r.NormFloat64())
		row := i - begins
		switch {
		case row >= 0 && p.happens != nil:
			v = p.happens(v, row, usual, sd)
		case row >= 0 && row < 6*hourRows:
			v = before
		}
		before = v
		if !d.step(series.Point{T: unix * 1000, Value: v}).anomalous() || row < 0 {
			continue
		}
		if n := len(alarms); n > 0 && (row-alarms[n-1].last)*p.step <= alarmQuiet {
			alarms[n-1].last = row
		} else {
			alarms = append(alarms, alarmSpan{row, row})
		}
	}
	return alarms
}

func (r *changeReport) tables() []table {
	t := table{
		title: "Changes",
		head:  []string{"what happens", "wanted", "as wanted", "alarms, mean", "median delay"},
		note:  "Noise AR(1) .5, 2 % of the level; rows every five minutes unless said otherwise. Flags at most an hour apart are one alarm.",
	}
	for _, l := range r.Lines {
		delay := "–"
		if l.Delay >= 0 {
			delay = (time.Duration(l.Delay) * time.Second).String()
		}
		t.row(l.Story, l.Want, fmt.Sprintf("%d of %d", l.Held, l.Seeds), fmt.Sprintf("%.2f", l.Alarms), delay)
	}
	return []table{t}
}
