package main

import (
	"math"
	"time"
)

// controller spends a team's budget: it decides for all its series together who is told.
type controller interface {
	// tick takes the scores of all series at t, unix milliseconds, and writes who is told. A score has the sign of the
	// deviation and is 0 while unknown; ±1 is the series' own threshold at the default budget.
	tick(t int64, scores []float64, told []bool)
}

// newController returns a team's controller: a budget of alarms a week, over so many series with a tick every step.
var newController = func(_ float64, _ int, _ time.Duration) controller { return ownThresholds{} }

// ownThresholds tells whatever is outside its series' own threshold, whatever the budget.
type ownThresholds struct{}

func (ownThresholds) tick(_ int64, scores []float64, told []bool) {
	for i, x := range scores {
		told[i] = math.Abs(x) >= 1
	}
}
