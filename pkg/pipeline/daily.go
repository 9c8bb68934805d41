package pipeline

import (
	"fmt"
	"time"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/signal"
)

// A signal with an interval of a day has one point a day: its tick is the midnight that ends the day, in its zone, and what
// is judged is that day. The baseline counts hours and weeks of 168 of them; for a daily signal each of its hours is a day,
// and its week has the seven of them. What it learns of hours it so learns of days: the shape of the week in the first 24,
// its limits in the next 24, a level with a half-life of 72, a shift after 24 on the same side. Days of 23 and 25 hours are
// days. Only the models count so: times everywhere else are what they are, and a day's summary is kept under its last hour.

// due reports whether the signal is evaluated at the tick.
func due(s *Signal, t int64) bool {
	if s.daily() {
		return s.day(t) != s.day(t-1)
	}
	return t%s.Def.Interval.Milliseconds() == 0
}

func (s *Signal) daily() bool { return s.Def.Interval == signal.Day }

// day is the local day, since 1970, that holds the instant.
func (s *Signal) day(t int64) int64 { return localDay(s.Zone, t) }

func localDay(zone *calendar.Calendar, t int64) int64 { return floorDiv(t+zone.Offset(t), dayMillis) }

// startOf is the first instant of a local day. Midnight may not be there: then the day begins with what follows.
func (s *Signal) startOf(day int64) int64 {
	t := day * dayMillis
	t -= s.Zone.Offset(t - s.Zone.Offset(t)) // of an instant within an hour or so
	for s.day(t) < day {
		t += hourMillis / 4
	}
	for s.day(t-1) == day {
		t -= hourMillis / 4
	}
	return t
}

// nextDue is the first tick at or after t at which a daily signal is evaluated.
func (s *Signal) nextDue(t int64) int64 { return s.startOf(s.day(t-1) + 1) }

// modelTime is the time by which the model knows a tick.
func (s *Signal) modelTime(t int64) int64 {
	if s.daily() {
		return s.day(t-1) * hourMillis
	}
	return t
}

// realHour is the hour since 1970 under which a summary is kept; modelHour is the way back.
func (s *Signal) realHour(hour int32) int32 {
	if s.daily() {
		return int32((s.startOf(int64(hour)+1) - 1) / hourMillis)
	}
	return hour
}

func (s *Signal) modelHour(hour int32) int32 {
	if s.daily() && hour < wholeHistory {
		return int32(s.day(int64(hour) * hourMillis))
	}
	return hour
}

// learnt puts a history into the hours of the model. It reuses the slice.
func (s *Signal) learnt(history []baseline.Summary) []baseline.Summary {
	if s.daily() {
		for i := range history {
			history[i].Hour = s.modelHour(history[i].Hour)
		}
	}
	return history
}

// spanOf is what a summary that is kept under an hour was gathered in.
func (s *Signal) spanOf(hour int32) (from, to int64) {
	if s.daily() {
		day := s.day(int64(hour) * hourMillis)
		return s.startOf(day), s.startOf(day + 1)
	}
	return int64(hour) * hourMillis, int64(hour+1) * hourMillis
}

// describe names what is judged at a tick: the moment, or the day that it ends.
func (s *Signal) describe(t int64) string {
	if !s.daily() {
		return s.Zone.Describe(t)
	}
	noon := s.startOf(s.day(t-1)) + dayMillis/2
	text := s.Zone.Local(noon).Format("Mon 2006-01-02 ") + s.Zone.Name()
	if g := s.Zone.Group(noon); g > 0 {
		text += ", " + s.Zone.GroupName(g)
	}
	return text
}

// reason says why the baseline does not judge yet.
func (s *Signal) reason(e *baseline.Expectation) string {
	if s.daily() && e.Why == baseline.YoungSeries {
		return fmt.Sprintf("learning: %d of %d days of history seen", min(e.Hours, baseline.KnownAfter), baseline.KnownAfter)
	}
	return e.Reason()
}

// modelStep is how far apart points are for the model.
func (s *Signal) modelStep() time.Duration {
	if s.daily() {
		return time.Hour
	}
	return s.Def.Interval
}

// modelCalendar is the calendar in the time of the model.
func (s *Signal) modelCalendar() modelCalendar {
	if s.daily() {
		return days{s.Zone}
	}
	return s.Zone
}

type modelCalendar interface {
	HourOfWeek(ms int64) int
	Group(ms int64) int
}

// days is a calendar whose hours are the days of another.
type days struct{ *calendar.Calendar }

// HourOfWeek is 0 to 6 from Sunday on.
func (d days) HourOfWeek(ms int64) int { return d.Calendar.HourOfWeek(d.noon(ms)) / 24 }

// Group is what is special about the day.
func (d days) Group(ms int64) int { return d.Calendar.Group(d.noon(ms)) }

func (d days) noon(ms int64) int64 {
	t := floorDiv(ms, hourMillis)*dayMillis + dayMillis/2
	return t - d.Offset(t)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// TickOfRow is the tick that a row of a table belongs to. A row of a signal that is judged by the hour or by the day bears the
// time at which that began. Midnight in UTC is a date, whatever the zone: a table of days has no other way to say so.
func (s *Signal) TickOfRow(t int64) int64 {
	switch {
	case s.daily() && t%dayMillis == 0:
		return s.startOf(t/dayMillis + 1)
	case s.daily():
		return s.startOf(s.day(t) + 1)
	case s.Def.Interval == time.Hour:
		return floorDiv(t, hourMillis)*hourMillis + hourMillis
	}
	return t
}
