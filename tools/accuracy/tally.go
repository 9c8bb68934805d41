package main

// tally is what one operating point finds and costs.
type tally struct {
	found, late int // events: within the delay, after it
	alarms      int // false ones
	flagged     int // rows
	foundRows   int // labelled rows of the events found
	missedRows  int // labelled rows of the other events
	falseRows   int // flagged rows without a label
	delays      []int64
	events      int
	weeks       float64
}

func (a *tally) add(b tally) {
	a.found += b.found
	a.late += b.late
	a.alarms += b.alarms
	a.flagged += b.flagged
	a.foundRows += b.foundRows
	a.missedRows += b.missedRows
	a.falseRows += b.falseRows
	a.events += b.events
	a.weeks += b.weeks
	a.delays = append(a.delays, b.delays...)
}

func (a *tally) precision() float64 { return ratio(a.found, a.found+a.alarms) }
func (a *tally) recall() float64    { return ratio(a.found, a.events) }
func (a *tally) alarmRate() float64 { return float64(a.alarms) / a.weeks }

// f1 counts events: one alarm is one error, one event missed is one.
func (a *tally) f1() float64 { return ratio(2*a.found, a.found+a.alarms+a.events) }

// delayF1 counts rows as the AIOps 2018 competition did: an event found within the delay is found with all its rows.
func (a *tally) delayF1() float64 {
	return ratio(2*a.foundRows, 2*a.foundRows+a.falseRows+a.missedRows)
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// decided counts the product's own decisions on a series.
func (t *track) decided() tally {
	c := tally{events: len(t.event), weeks: t.weeks}
	last, seen := int64(0), false
	for i, flagged := range t.flag {
		if !flagged {
			continue
		}
		c.flagged++
		if !t.label[i] {
			c.falseRows++
		}
		if t.near[i] {
			continue
		}
		if !seen || t.time[i]-last > t.gap {
			c.alarms++
		}
		last, seen = t.time[i], true
	}
	for _, e := range t.event {
		first := e[0]
		for first < e[1] && !t.flag[first] {
			first++
		}
		if first < e[1] {
			c.delays = append(c.delays, t.time[first]-t.time[e[0]])
		}
		switch {
		case first < e[1] && first-e[0] <= delayRows:
			c.found++
			c.foundRows += e[1] - e[0]
			continue
		case first < e[1]:
			c.late++
		}
		c.missedRows += e[1] - e[0]
	}
	return c
}
