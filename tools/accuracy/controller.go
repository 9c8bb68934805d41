package main

import (
	"time"

	"github.com/baseliner/baseliner/pkg/detect"
)

// controller spends a team's budget: it decides for all its series together who is told, as the pipeline does.
type controller struct {
	budget    detect.Budget
	crossings []detect.Crossing // by series
	last      []int64           // last row told, by series, unix milliseconds
	gap       int64             // milliseconds: told rows further apart are two alarms
}

// newController returns a team's controller: a budget of alarms a week, over so many series with a tick every step.
func newController(perWeek float64, series int, step time.Duration) *controller {
	return &controller{
		budget: detect.Budget{PerWeek: perWeek}, crossings: make([]detect.Crossing, series), last: make([]int64, series),
		gap: 1000 * alarmGap(int64(step/time.Second)),
	}
}

// tick takes the verdicts on all series at t, unix milliseconds, and tells each alarm that begins; pages says whether it
// does.
func (c *controller) tick(t int64, rows []row, begins func(i int, pages bool)) {
	c.budget.Turn(t, len(rows))
	for i, r := range rows {
		if !r.known {
			continue
		}
		c.budget.See()
		if before, most, closed := c.crossings[i].Step(t, r.score, r.excess); closed {
			c.budget.Crossed(before, most)
		}
		if !c.budget.Worth(r.score, r.excess) {
			continue
		}
		if t-c.last[i] > c.gap {
			begins(i, c.budget.Tell(r.score))
		}
		c.last[i] = t
	}
}
