package calendar

import (
	"fmt"
	"strings"
	"time"
)

// HolidayGroup is the group of public holidays: they behave alike until somebody names one of them.
const HolidayGroup = "holiday"

// Rules say which days are not like others. What applies first decides the group of an instant: a date, a timed event,
// an all-day event, a country's holiday, a cycle, and among equals the one listed first. The zero value knows no special
// day. Rules are immutable once a calendar is built from them.
type Rules struct {
	Dates     []Date
	Events    []Event
	Countries []Country
	Cycles    []Cycle
}

// Empty reports whether there is nothing special about any day.
func (r *Rules) Empty() bool {
	return r == nil || len(r.Dates)+len(r.Events)+len(r.Countries)+len(r.Cycles) == 0
}

// Like says whose shape a special day borrows. An instant takes it from the first rule that applies and says one;
// without any, a day is like its own weekday.
type Like uint8

// What a rule may say. LikeSunday + n is the n-th day after Sunday.
const (
	LikeUnset  Like = iota // leaves it to the next rule that applies
	LikeOwn                // its own weekday, whatever the next rule says
	LikeSunday             // … to Saturday
)

// ParseLike reads own, the days of the week, and their first three letters.
func ParseLike(text string) (Like, error) {
	if text == "own" {
		return LikeOwn, nil
	}
	d, err := ParseWeekday(text)
	if err != nil {
		return LikeUnset, fmt.Errorf("%q is not one of own, sunday, monday, tuesday, wednesday, thursday, friday, saturday", text)
	}
	return LikeSunday + Like(d), nil
}

// ParseWeekday reads the English name of a weekday, in full or its first three letters.
func ParseWeekday(text string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := strings.ToLower(d.String()); text == name || text == name[:3] {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is not a weekday such as tuesday or tue", text)
}

// ParseMonth reads the English name of a month, in full or its first three letters.
func ParseMonth(text string) (time.Month, error) {
	for m := time.January; m <= time.December; m++ {
		if name := strings.ToLower(m.String()); text == name || text == name[:3] {
			return m, nil
		}
	}
	return 0, fmt.Errorf("%q is not a month such as november or nov", text)
}

// Day counts days since 1970-01-01, in no time zone.
type Day int32

// DayOf returns the day of a date.
func DayOf(year int, month time.Month, day int) Day {
	return Day(floorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), 86400))
}

// ParseDay reads 2026-11-27.
func ParseDay(text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date such as 2026-11-27", text)
	}
	return DayOf(t.Date()), nil
}

// Weekday returns the day of the week.
func (d Day) Weekday() time.Weekday {
	return time.Weekday((int64(time.Thursday) + int64(d)%7 + 7) % 7)
}

// String prints 2026-11-27.
func (d Day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// Date is a single day. All dates of one name are one group; one without a name is a public holiday.
type Date struct {
	Day  Day
	Name string
	Like Like
}

// group and like complete what a date leaves open.
func (d *Date) group() string {
	if d.Name == "" {
		return HolidayGroup
	}
	return d.Name
}

func (d *Date) like() Like {
	if d.Name == "" && d.Like == LikeUnset {
		return LikeSunday
	}
	return d.Like
}

// EventKind says in what the times of an event are counted.
type EventKind uint8

// The kinds of events.
const (
	AllDay   EventKind = iota // days since 1970-01-01, in whatever zone is asked
	Timed                     // unix milliseconds
	Floating                  // milliseconds on the clock on the wall, in whatever zone is asked
)

// Event is an event of an .ics file with all of its occurrences [start, start + Length). All events of one name are one
// group.
type Event struct {
	Name   string
	Like   Like
	Kind   EventKind
	Length int64   // more than 0, in the unit of Kind
	Starts []int64 // ascending
}

// Country is the public holidays of a country or one of its regions; see Countries.
type Country struct {
	Code   string // ISO 3166-1, such as DE
	Region string // the second part of ISO 3166-2, such as BY; may be empty
	Like   Like   // Sunday when unset
}

// Cycle is a day that comes back every month, or in some of them: the Nth weekday, or a day of the month moved to a
// working day. Working days are Monday to Friday but for those of HolidayGroup.
type Cycle struct {
	Name     string // of its group
	MonthDay int    // 1 to 31, at most the last day of the month; 0 for the Nth weekday
	After    bool   // move to the working day after, not before
	Weekday  time.Weekday
	Nth      int          // 1 to 5, or −1 to −5 from the end
	Months   []time.Month // all when empty
	Offset   int          // calendar days behind the day found, for "the day after the fourth Thursday"
}

// The cycles that have a name of their own.
var (
	MonthEnd   = Cycle{Name: "month_end", MonthDay: 31}
	MonthStart = Cycle{Name: "month_start", MonthDay: 1, After: true}
)
