package pipeline

import (
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

const (
	// A step between wall and monotonic time beyond this is a jump of the clock.
	jumpAfter = int64(5 * time.Minute / time.Millisecond)
	// After a jump nothing is judged or learnt until the clock has run true for so long.
	settleFor = int64(5 * time.Minute / time.Millisecond)
	// So many ticks are caught up one by one; the rest of a backlog is missing.
	catchUp = 10
	// A clock before this has not been set.
	clockUnset = int64(946_684_800_000) // 2000-01-01
)

// Schedule decides which tick is next. It knows only the times it is told.
type Schedule struct {
	Interval int64 // milliseconds
	Delay    int64 // how long a tick waits for its samples
	Last     int64 // newest tick that ran or was given up; 0 before the first

	wall, mono int64
	running    bool
	settled    int64 // wall time from which the clock is trusted again
}

// Plan is what to do now.
type Plan struct {
	Tick   int64          // to run; 0 for none
	Missed int64          // ticks given up
	Reason series.Missing // why they were
	Jump   time.Duration  // of the wall clock since the last call; 0 for none
	Wait   time.Duration  // until there may be something to do
}

// Next takes the wall clock (unix milliseconds) and a monotonic one (milliseconds since any fixed instant).
func (s *Schedule) Next(wall, mono int64) Plan {
	p := Plan{Wait: 5 * time.Second}
	if wall < clockUnset {
		s.running = false
		return p
	}
	first := !s.running
	if s.running {
		if jump := (wall - s.wall) - (mono - s.mono); jump > jumpAfter || jump < -jumpAfter {
			p.Jump = time.Duration(jump) * time.Millisecond
			s.settled = wall + settleFor
		}
	}
	s.wall, s.mono, s.running = wall, mono, true

	due := (wall - s.Delay) / s.Interval * s.Interval
	if s.Last == 0 {
		s.Last = due
	}
	s.Last = s.Last / s.Interval * s.Interval // another source or another pace may have left it between two ticks
	backlog := (due - s.Last) / s.Interval
	switch {
	case backlog <= 0: // nothing is due, or the clock went back: wait until what was done is passed
		p.Wait = min(p.Wait, time.Duration(s.Last+s.Interval+s.Delay-wall)*time.Millisecond)
		return p
	case wall < s.settled:
		p.Missed, p.Reason = backlog, series.ClockJump
		s.Last = due
		return p
	case backlog > catchUp:
		p.Missed, p.Reason = backlog-catchUp, series.Downtime
		if !first {
			p.Reason = series.Overrun
		}
		s.Last += p.Missed * s.Interval
	}
	s.Last += s.Interval
	p.Tick, p.Wait = s.Last, 0
	return p
}
