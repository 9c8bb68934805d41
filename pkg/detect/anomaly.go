package detect

import (
	"math"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// recoverBelow is the |score| under which a firing anomaly may end. Between it and 1 nothing changes: a value on the
// edge of its band does not flap.
const recoverBelow = 0.7

// A point barely outside says little by itself: one in a few hundred is, of a series that is well. An anomaly begins with
// a point that is outside by half as much again, or with the second of three that are outside. On seven months of New
// York's taxis that leaves one of eight false alarms (TestTaxi), and every event.
const (
	sureScore = 1.5
	sureOf    = 3
)

// Rule is what a signal's configuration asks of an anomaly.
type Rule struct {
	Direction     series.Direction
	MinAbsolute   float64 // smallest |value − expected|
	MinRelative   float64 // smallest |value − expected| / |expected|
	For           time.Duration
	KeepFiringFor time.Duration
	// LostAfter ends a firing anomaly whose series shows nothing any more; 0 means DefaultAbsentFor.
	LostAfter time.Duration
	Interval  time.Duration // between points
}

// Phase is where an anomaly is in its life.
type Phase uint8

// The phases.
const (
	Inactive Phase = iota
	Pending        // outside its context, but not for long enough
	Firing
)

var phaseNames = [...]string{"inactive", "pending", "firing"}

func (p Phase) String() string { return phaseNames[p] }

// State is what one series remembers between points. The zero value is inactive.
type State struct {
	Phase    Phase
	Dir      series.Direction // Up or Down while not inactive
	StartsAt int64            // first point outside its context, unix milliseconds
	LastBad  int64            // last point that kept it
	Stepped  int64            // last point, missing or not
	Silent   int64            // milliseconds of silence since the last observed point that the source is to blame for
	Peak     float64          // largest |score| so far, signed
	Sure     bool             // far enough outside, or often enough, to be told
	Calm     uint8            // points in a row that did not keep it
}

// Input is a judged point as the rule sees it.
type Input struct {
	T               int64
	Missing         series.Missing
	Known           bool // the baseline may be judged by
	Value, Expected float64
	Score           float64
	Tell            bool    // beyond what the budgets ask for: worth telling
	Returning       bool    // inside its context again after an excursion
	Context         float64 // score of the context alone
	Lack            float64 // share of what a sum usually adds up that was not seen
}

// Event is a change that others must hear of.
type Event struct {
	Kind     Kind
	Dir      series.Direction
	StartsAt int64
	EndsAt   int64 // of an End
	Peak     float64
}

// Kind of an event.
type Kind uint8

// The kinds.
const (
	Begin Kind = iota + 1 // the anomaly fires
	End                   // it is over
	Grow                  // it goes on, and was told to nobody who would be woken; by now it is certain
)

// Gate names what held an anomaly back, or what let it through.
type Gate string

// The gates, in the order in which they are asked.
const (
	GateMissing   Gate = "missing"
	GateLearning  Gate = "learning"
	GateScore     Gate = "inside_band"
	GateBudget    Gate = "budget"    // outside its band, but no further than has come too often for the budget
	GateReturning Gate = "returning" // a break, but back to normal
	GateDirection Gate = "direction"
	GateCoverage  Gate = "coverage" // a fall that comes of what did not report
	GateAbsolute  Gate = "min_change_absolute"
	GateRelative  Gate = "min_change_relative"
	GateSure      Gate = "sure" // barely outside, and alone so far
	GateFor       Gate = "for"
	GateOpen      Gate = "anomalous"
)

// Step judges the next point and returns at most two events: an anomaly may turn into its opposite at once. gate says
// what decided.
func (r *Rule) Step(s *State, in Input) (events []Event, gate Gate) {
	if in.Missing != series.Observed {
		return r.lost(s, in), GateMissing
	}
	if s.Phase == Pending && in.T-s.Stepped > 2*r.Interval.Milliseconds() {
		*s = State{} // nobody watched in between: for has to begin anew
	}
	s.Stepped, s.Silent = in.T, 0
	dir, gate := r.side(in)
	if s.Phase != Inactive && gate == GateOpen && dir != s.Dir { // the opposite
		events = s.finish(in.T, events)
	}
	if s.Phase == Inactive {
		if gate != GateOpen {
			return events, gate
		}
		*s = State{Phase: Pending, Dir: dir, StartsAt: in.T, LastBad: in.T, Stepped: in.T, Peak: in.Score, Sure: sure(in.Score)}
	} else if r.holds(s, in, gate) {
		s.Sure = true // the second
		s.LastBad, s.Calm = in.T, 0
		if math.Abs(in.Score) > math.Abs(s.Peak) {
			s.Peak = in.Score
		}
	} else if s.Calm++; r.over(s, in.T) {
		return s.finish(in.T, events), gate
	} else if s.Phase == Pending {
		return events, gate
	}
	if s.Phase == Pending {
		switch {
		case in.T-s.StartsAt < r.For.Milliseconds():
			return events, GateFor
		case !s.Sure:
			return events, GateSure
		}
		s.Phase = Firing
		events = append(events, Event{Kind: Begin, Dir: s.Dir, StartsAt: s.StartsAt, Peak: s.Peak})
	}
	return events, gate
}

func sure(score float64) bool { return math.Abs(score) >= sureScore }

// over tells whether an anomaly that the point did not keep has ended. One that waits for its second point is given
// three; what has to last, has to last without a break.
func (r *Rule) over(s *State, t int64) bool {
	if s.Phase == Pending {
		return r.For > 0 || s.Sure || s.Calm >= sureOf-1
	}
	return t-s.LastBad > r.KeepFiringFor.Milliseconds()
}

// Break ends what is open without waiting, as when the signal's definition changes.
func (s *State) Break(t int64) []Event { return s.finish(t, nil) }

// Wants tells whether a point would be told if it were far enough outside: whatever but its score speaks for it.
func (r *Rule) Wants(in Input) bool {
	in.Tell = true
	_, gate := r.side(in)
	return gate == GateOpen
}

// side returns the direction of a point that passes every gate but duration.
func (r *Rule) side(in Input) (series.Direction, Gate) {
	if !in.Known {
		return series.Both, GateLearning
	}
	if !in.Tell && math.Abs(in.Score) >= 1 {
		return series.Both, GateBudget
	}
	if !in.Tell || math.IsNaN(in.Score) {
		return series.Both, GateScore
	}
	dir := direction(in.Score)
	if in.Returning {
		return dir, GateReturning
	}
	if r.Direction != series.Both && r.Direction != dir {
		return dir, GateDirection
	}
	if dir == series.Down && Covers(in.Lack, in.Value, in.Expected) {
		return dir, GateCoverage
	}
	// An innovation may point the other way than the deviation: back from an incident, say. The smallest change is
	// asked of what people see, value against expectation.
	change := math.Abs(in.Value - in.Expected)
	if change < r.MinAbsolute {
		return dir, GateAbsolute
	}
	if change < r.MinRelative*math.Abs(in.Expected) {
		return dir, GateRelative
	}
	return dir, GateOpen
}

// holds tells whether an open anomaly goes on: pending ones need the full condition, firing ones only to stay away from
// the middle.
func (r *Rule) holds(s *State, in Input, gate Gate) bool {
	if gate == GateOpen {
		return true
	}
	if s.Phase != Firing || !in.Known {
		return false
	}
	change := math.Abs(in.Value - in.Expected)
	if in.Returning && math.Abs(in.Context) < recoverBelow {
		return false // what still speaks for it is memory
	}
	return math.Abs(in.Score) >= recoverBelow && direction(in.Score) == s.Dir &&
		change >= recoverBelow*r.MinAbsolute && change >= recoverBelow*r.MinRelative*math.Abs(in.Expected)
}

// lost keeps an anomaly over a short silence of its source, and over any of ours. A pending one is dropped: nobody saw
// it last.
func (r *Rule) lost(s *State, in Input) []Event {
	after := r.LostAfter
	if after == 0 {
		after = DefaultAbsentFor
	}
	after = patience(after, r.Interval)
	elapsed := min(in.T-s.Stepped, r.Interval.Milliseconds()) // what lies between ticks further apart was our own downtime
	s.Stepped = in.T
	switch {
	case s.Phase == Pending:
		return s.finish(in.T, nil)
	case s.Phase == Inactive || in.Missing.Ours():
		return nil
	}
	if s.Silent += elapsed; s.Silent < after.Milliseconds() {
		return nil
	}
	return s.finish(in.T, nil)
}

func (s *State) finish(t int64, events []Event) []Event {
	if s.Phase == Firing {
		events = append(events, Event{Kind: End, Dir: s.Dir, StartsAt: s.StartsAt, EndsAt: t, Peak: s.Peak})
	}
	*s = State{Stepped: s.Stepped}
	return events
}

func direction(score float64) series.Direction {
	if score > 0 {
		return series.Up
	}
	return series.Down
}
