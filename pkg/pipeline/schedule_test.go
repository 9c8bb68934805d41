package pipeline

import (
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

const base = int64(1_790_000_000_000) / 60_000 * 60_000

// walk drives a schedule through a story of wall and monotonic times.
type walk struct {
	t          *testing.T
	s          *Schedule
	wall, mono int64
}

func newWalk(t *testing.T, last int64) *walk {
	return &walk{t, &Schedule{Interval: 60_000, Delay: 30_000, Last: last}, base + 30_000, 0}
}

// run lets time pass true for d and returns the ticks that ran and those that were given up.
func (w *walk) run(d time.Duration) (ticks []int64, missed map[series.Missing]int64) {
	missed = map[series.Missing]int64{}
	for end := w.mono + d.Milliseconds(); w.mono < end; {
		p := w.s.Next(w.wall, w.mono)
		if p.Missed > 0 {
			missed[p.Reason] += p.Missed
		}
		if p.Tick != 0 {
			ticks = append(ticks, p.Tick)
			if p.Wait != 0 {
				w.t.Fatal("a tick must not wait")
			}
			continue
		}
		step := max(p.Wait.Milliseconds(), 1)
		w.wall, w.mono = w.wall+step, w.mono+step
	}
	return ticks, missed
}

func TestScheduleRunsEveryTickOnce(t *testing.T) {
	w := newWalk(t, 0)
	ticks, missed := w.run(time.Hour)
	if len(ticks) != 59 && len(ticks) != 60 || len(missed) > 0 {
		t.Errorf("%d ticks, missed %v", len(ticks), missed)
	}
	for i, tick := range ticks {
		if tick%60_000 != 0 || i > 0 && tick != ticks[i-1]+60_000 {
			t.Fatalf("tick %d at %d follows %d", i, tick, ticks[max(i-1, 0)])
		}
	}
}

func TestScheduleCatchesUpTenTicksAfterDowntime(t *testing.T) {
	w := newWalk(t, base-100*60_000)
	ticks, missed := w.run(time.Second)
	if len(ticks) != 10 || missed[series.Downtime] != 90 || ticks[9] != base {
		t.Errorf("%d ticks up to %d, missed %v", len(ticks), ticks[len(ticks)-1]-base, missed)
	}
	w = newWalk(t, base-3*60_000)
	if ticks, missed = w.run(time.Second); len(ticks) != 3 || len(missed) != 0 {
		t.Errorf("short downtime: %d ticks, missed %v", len(ticks), missed)
	}
}

func TestScheduleSurvivesClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 24 * time.Hour, -6 * time.Minute} {
		w := newWalk(t, 0)
		before, _ := w.run(10 * time.Minute)
		w.wall += jump.Milliseconds()
		after, missed := w.run(4 * time.Minute)
		if len(after) != 0 {
			t.Errorf("jump of %v: ticks %v within the settling time", jump, after)
		}
		if jump > 0 && missed[series.ClockJump] < jump.Milliseconds()/60_000-1 {
			t.Errorf("jump of %v: missed %v", jump, missed)
		}
		w.wall -= jump.Milliseconds() // and back
		last := before[len(before)-1]
		if jump > 0 {
			// What was given up stays given up: ticks begin again once the clock has passed it.
			last = w.s.Last
		}
		later, _ := w.run(max(jump, -jump) + 20*time.Minute)
		if len(later) < 5 {
			t.Errorf("jump of %v and back: only %d ticks afterwards", jump, len(later))
		}
		for _, tick := range later {
			if tick <= last {
				t.Errorf("jump of %v: tick %d ran twice", jump, tick)
			}
			last = tick
		}
	}
}

func TestScheduleWaitsForAClockThatIsNotSet(t *testing.T) {
	w := newWalk(t, 0)
	w.wall = 5000
	if ticks, missed := w.run(time.Hour); len(ticks) > 0 || len(missed) > 0 {
		t.Errorf("in 1970: ticks %v, missed %v", ticks, missed)
	}
	w.wall = base
	ticks, _ := w.run(5 * time.Minute)
	if len(ticks) < 4 {
		t.Errorf("after the clock was set: %d ticks", len(ticks))
	}
}
