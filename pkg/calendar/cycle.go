package calendar

import (
	"slices"
	"time"
)

// each calls f with every day of the cycle. free tells public holidays.
func (c *Cycle) each(free func(Day) bool, f func(Day)) {
	for year := firstYear - 1; year <= endYear; year++ {
		for month := time.January; month <= time.December; month++ {
			if len(c.Months) > 0 && !slices.Contains(c.Months, month) {
				continue
			}
			if d, ok := c.day(year, month, free); ok {
				f(d + Day(c.Offset))
			}
		}
	}
}

// day finds the day in a month; not every month has a fifth Tuesday.
func (c *Cycle) day(year int, month time.Month, free func(Day) bool) (Day, bool) {
	first, next := DayOf(year, month, 1), DayOf(year, month+1, 1)
	if c.MonthDay == 0 {
		d := first + Day((int(c.Weekday)-int(first.Weekday())+7)%7) + Day(c.Nth-1)*7
		if c.Nth < 0 {
			last := next - 1
			d = last - Day((int(last.Weekday())-int(c.Weekday)+7)%7) + Day(c.Nth+1)*7
		}
		return d, first <= d && d < next
	}
	d, step := min(first+Day(c.MonthDay-1), next-1), Day(-1)
	if c.After {
		step = 1
	}
	for from := d; ; d += step {
		if w := d.Weekday(); w != time.Saturday && w != time.Sunday && !free(d) {
			return d, true
		}
		if d-from > 31 || from-d > 31 { // a file may mark every day as a holiday
			return from, true
		}
	}
}
