package detect

import (
	"testing"
	"time"
)

// course steps an hour-of-week pattern of reporters and returns the ticks (minutes since the start) at which the loss began
// and ended.
func course(c *Coverage, minutes int, n func(minute int) int) (changes []int) {
	was := c.Lost
	for m := range minutes {
		c.Step(m/60%168, int64(m)*60_000, n(m), 5*time.Minute)
		if c.Lost != was {
			was = c.Lost
			changes = append(changes, m)
		}
	}
	return changes
}

func TestCoverage(t *testing.T) {
	const day = 24 * 60
	steady := func(int) int { return 20 }
	check := func(what string, minutes int, n func(int) int, want ...int) {
		t.Helper()
		var c Coverage
		got := course(&c, minutes, n)
		if len(got) != len(want) {
			t.Errorf("%s: changes at %v, want %v", what, got, want)
			return
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: changes at %v, want %v", what, got, want)
				return
			}
		}
	}
	check("steady", 8*day, steady)
	check("a third gone for an hour on the ninth day", 9*day, func(m int) int {
		if m >= 8*day+100 && m < 8*day+160 {
			return 14
		}
		return 20
	}, 8*day+100, 8*day+160)
	check("one of twenty at a time", 9*day, func(m int) int { return 20 - m%7/6 })
	check("on the first day nobody knows", day, func(m int) int {
		if m > 700 {
			return 3
		}
		return 20
	})
	office := func(m int) int { // scaled by day and by week
		hour := m / 60
		if hour%24 >= 8 && hour%24 < 20 && hour/24%7 < 5 {
			return 40
		}
		return 10
	}
	check("scaled by the hour of the week", 21*day, office) // the first weekend falls from nowhere
	check("half of the day's exporters are as many as by night", 15*day, func(m int) int {
		if m >= 14*day+10*60 && m < 14*day+11*60 {
			return 20
		}
		return office(m)
	}, 14*day+10*60, 14*day+11*60)
	check("fewer for good are told for a day", 20*day, func(m int) int {
		if m >= 8*day {
			return 12
		}
		return 20
	}, 8*day, 9*day)
	check("more are no loss", 20*day, func(m int) int { return 20 + m/day })
	check("two, one of them gone", 3*day, func(m int) int {
		if m > 2*day {
			return 1
		}
		return 2
	}, 2*day+1)
}

// What is lacked is lacked as long as a range looks back.
func TestLackLastsAsLongAsTheRange(t *testing.T) {
	var c Coverage
	n := func(m int) int {
		if m >= 2000 && m < 2010 {
			return 15
		}
		return 20
	}
	for m := range 2030 {
		lack, _ := c.Step(m/60%168, int64(m)*60_000, n(m), 5*time.Minute)
		want := 0.0
		if m >= 2000 && m <= 2014 {
			want = 0.25
		}
		if float64(int(lack*100+0.5))/100 != want {
			t.Errorf("minute %d: lack %v, want %v", m, lack, want)
		}
	}
	if Covers(0.25, 45, 100) || !Covers(0.25, 60, 100) || Covers(0.25, 120, 100) || Covers(0, 99, 100) || Covers(0.3, -3, -1) {
		t.Error("a lack explains falls up to twice its size, and nothing else")
	}
}
