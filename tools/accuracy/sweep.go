package main

import (
	"math"
	"slices"
)

// sweep counts many global thresholds in one pass over the rows. Everything that is counted holds for an interval of
// thresholds: a row is flagged up to its score, an event is found up to the highest score of its first rows, and a row
// begins an alarm up to its score and above the highest score of the rows that would join it to an earlier one. The
// intervals are differences over the grid; their sums from above are the counts.
type sweep struct {
	grid []float64 // ascending
	at   []tally   // by threshold; without delays
}

// newSweep counts the series at the thresholds of the grid.
func newSweep(grid []float64, tracks []*track) *sweep {
	s := &sweep{grid: grid, at: make([]tally, len(grid)+1)}
	events, rows, weeks := 0, 0, 0.0
	for _, t := range tracks {
		s.count(t)
		events += len(t.event)
		weeks += t.weeks
		for _, e := range t.event {
			rows += e[1] - e[0]
		}
	}
	s.at = s.at[:len(grid)]
	for k := len(grid) - 1; k >= 0; k-- {
		if k+1 < len(grid) {
			s.at[k].add(s.at[k+1])
		}
	}
	for k := range s.at {
		s.at[k].events, s.at[k].weeks = events, weeks
		s.at[k].missedRows = rows - s.at[k].foundRows
	}
	return s
}

// below is how many thresholds the score reaches.
func (s *sweep) below(score float64) int {
	k, _ := slices.BinarySearchFunc(s.grid, score, func(g, score float64) int {
		if g <= score {
			return -1
		}
		return 1
	})
	return k
}

// reach returns what is counted at every threshold up to the score, and not above.
func (s *sweep) reach(score float64) *tally {
	if k := s.below(score); k > 0 {
		return &s.at[k-1]
	}
	return &tally{} // reaches none
}

func (s *sweep) count(t *track) {
	join := newRecentMax(t.gap)
	for i, x := range t.score {
		at := s.reach(x)
		at.flagged++
		if !t.label[i] {
			at.falseRows++
		}
		if t.near[i] {
			continue
		}
		before := join.push(t.time[i], x)
		at.alarms++
		s.reach(min(before, x)).alarms--
	}
	for _, e := range t.event {
		soon := slices.Max(t.score[e[0]:min(e[1], e[0]+delayRows+1)])
		at := s.reach(soon)
		at.found++
		at.late--
		at.foundRows += e[1] - e[0]
		s.reach(slices.Max(t.score[e[0]:e[1]])).late++
	}
}

// recentMax is the highest score of a trailing stretch of time: a queue of falling scores.
type recentMax struct {
	gap   int64
	time  []int64
	score []float64
}

func newRecentMax(gap int64) *recentMax { return &recentMax{gap: gap} }

// push returns the highest score of the gap before the time, -Inf when there is none, and adds a score.
func (r *recentMax) push(time int64, score float64) float64 {
	for len(r.time) > 0 && time-r.time[0] > r.gap {
		r.time, r.score = r.time[1:], r.score[1:]
	}
	before := math.Inf(-1)
	if len(r.score) > 0 {
		before = r.score[0]
	}
	for n := len(r.score); n > 0 && r.score[n-1] <= score; n-- {
		r.time, r.score = r.time[:n-1], r.score[:n-1]
	}
	r.time, r.score = append(r.time, time), append(r.score, score)
	return before
}

// thresholdGrid are round multiples of the decision's own threshold and 400 quantiles of every seventh score, from 3 in a
// million to 20 % of the rows, dense in the tail.
func thresholdGrid(tracks []*track) []float64 {
	const (
		quantiles         = 400
		rarest, commonest = 3e-6, 0.2
	)
	var some []float64
	for _, t := range tracks {
		for i := 0; i < len(t.score); i += 7 {
			if t.score[i] > 0 {
				some = append(some, t.score[i])
			}
		}
	}
	slices.Sort(some)
	grid := []float64{0.5, 0.75, 1, 1.33, 1.67, 2, 3, 4, 6, 8, 12, 20}
	for k := range quantiles {
		if len(some) == 0 {
			break
		}
		share := rarest * math.Pow(commonest/rarest, float64(k)/(quantiles-1))
		grid = append(grid, some[int((1-share)*float64(len(some)-1))])
	}
	slices.Sort(grid)
	return slices.Compact(grid)
}
