package main

import (
	"math"
	"testing"
)

// TestColdWithoutAndWith: the same series are judged whether or not there is borrowing, and the loan is offered at every row
// of the first 25 hours, to the young one, by siblings that live.
func TestColdWithoutAndWith(t *testing.T) {
	size := coldSize{seeds: 2, siblings: 2, weeks: 2}
	without := size.measure(nil)
	if without.Young.Events != 2*coldEvents || without.Grown.Events != 2*coldEvents || without.Grown.Known != 1 {
		t.Errorf("without borrowing: %+v", without)
	}
	calls, first := 0, int64(0)
	young, grown := size.cohort(1, false, func(unix int64, young *detector, siblings []*detector) {
		if calls == 0 {
			first = unix
		}
		if unix != first+int64(calls)*fiveMin || len(siblings) != 2 || young == nil {
			t.Errorf("call %d at %d, %d siblings", calls, unix, len(siblings))
		}
		calls++
	})
	if calls != coldTo {
		t.Errorf("%d offers, want %d", calls, coldTo)
	}
	if n := len(young.quiet[0].time); n != perDay || len(grown.quiet[0].time) != n {
		t.Errorf("%d rows judged, want a day", n)
	}
	if apart := grown.quiet[0].time[0] - young.quiet[0].time[0]; apart != 2*weekSeconds {
		t.Errorf("judged %d s apart", apart)
	}
}

func TestEventPlan(t *testing.T) {
	for seed := range 50 {
		p := planEvents(seed, 0)
		if len(p) != coldEvents {
			t.Fatalf("%d events", len(p))
		}
		rows := 0
		for row := range int64(coldTo + 100) {
			if m := p.moved(row); m != 0 {
				rows++
				if row < coldFrom || row >= coldTo || math.Abs(m) < 6 {
					t.Fatalf("seed %d: moved by %v at row %d", seed, m, row)
				}
			}
		}
		if rows != coldEvents*eventRows {
			t.Errorf("seed %d: %d rows moved, want %d apart", seed, rows, coldEvents*eventRows)
		}
	}
}

func TestScaledMoments(t *testing.T) {
	s := newScaled(newWeekCycle(seeded(1)), seeded(2))
	level, sd := 0.0, 0.0
	const n = 20 * perWeek
	for i := range int64(n) {
		unix := epoch + i*fiveMin
		v := s.next(unix, 0)
		level += v / n
		d := v - s.level*s.week.at(unix)
		sd += d * d / n
	}
	if math.Abs(level/s.level-1) > 0.02 || math.Abs(math.Sqrt(sd)/s.sd-1) > 0.03 {
		t.Errorf("level %v of %v, deviation %v of %v", level, s.level, math.Sqrt(sd), s.sd)
	}
	for seed := range 200 {
		s := newScaled(s.week, seeded(3, seed))
		if s.level < 100 || s.level > 10_000 || s.sd/s.level < 0.003 || s.sd/s.level > 0.3 {
			t.Fatalf("level %v, deviation %v", s.level, s.sd)
		}
	}
}

func TestRecallAtAPrice(t *testing.T) {
	quiet := drawn("....................................................") // scores of two alarms half an hour apart
	quiet.score[10], quiet.score[45] = 0.8, 0.4
	day := 52.0 * 60 / 86400
	a := ageFigures{quiet: []*track{quiet}, peaks: []float64{2, 0.5, 0.3, 0.1}}
	for price, want := range map[float64]float64{0: 0.25, 1 / day: 0.5, 2 / day: 1} {
		if got := a.recallAt(price * 1.001); got != want {
			t.Errorf("at %v a day: recall %v, want %v", price, got, want)
		}
	}
}
