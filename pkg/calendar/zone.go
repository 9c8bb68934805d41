// Package calendar counts hours of the week where the business lives. Time is unix milliseconds, a zone is named by the
// IANA database, which is embedded: a container without /usr/share/zoneinfo counts the same hours.
package calendar

import (
	"fmt"
	"math"
	"time"
	_ "time/tzdata" // the zones of a machine that has none
)

// HoursPerWeek is the number of slots that HourOfWeek tells apart.
const HoursPerWeek = 7 * 24

const hour = int64(time.Hour / time.Millisecond)

// epochHour is the hour of the week at the epoch in UTC: 1970-01-01 was a Thursday.
const epochHour = int64(time.Thursday) * 24

// The years whose offsets are computed once by Load. Other times are answered by package time, more slowly.
const (
	firstYear = 1970
	endYear   = 2100
)

// Zone is a time zone with its offsets laid out for fast lookup. It is immutable: use it from any goroutine.
type Zone struct {
	loc  *time.Location
	from int64 // spans cover [from, to), unix milliseconds
	to   int64
	// ends[i] is where span i ends; its local time is UTC + offsets[i]. Both in milliseconds, ends ascending.
	ends    []int64
	offsets []int64
	blocks  []uint16 // first span that ends behind the begin of each 2^blockBits milliseconds since from
}

const blockBits = 32 // 50 days: hardly ever more than one change of the clock

// Load returns the zone of an IANA name such as Europe/Berlin or UTC. The empty name and Local are refused, because
// what they mean depends on the machine, and a baseline must mean the same on the next one.
func Load(name string) (*Zone, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("time zone %q depends on the machine: use an IANA name such as Europe/Berlin or UTC", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q is unknown: use an IANA name such as Europe/Berlin or UTC", name)
	}
	z := &Zone{
		loc:  loc,
		from: time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
		to:   time.Date(endYear, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
	}
	for t := z.from; t < z.to; {
		at := time.UnixMilli(t).In(loc)
		_, seconds := at.Zone()
		t = min(z.to, spanEnd(at))
		z.append(t, int64(seconds)*1000)
	}
	at := 0
	for t := z.from; t < z.to; t += 1 << blockBits {
		for z.ends[at] <= t {
			at++
		}
		z.blocks = append(z.blocks, uint16(at))
	}
	return z, nil
}

// spanEnd returns until when the offset of at holds at least, in unix milliseconds; always later than at.
func spanEnd(at time.Time) int64 {
	_, end := at.ZoneBounds()
	switch {
	case end.IsZero():
		return math.MaxInt64
	case !end.After(at): // package time ends leap years on December 30th
		return at.Add(24 * time.Hour).UnixMilli()
	default:
		return end.UnixMilli()
	}
}

// append adds a span, or extends the last one when only its abbreviation changed.
func (z *Zone) append(end, offset int64) {
	if n := len(z.ends); n > 0 && z.offsets[n-1] == offset {
		z.ends[n-1] = end
		return
	}
	z.ends = append(z.ends, end)
	z.offsets = append(z.offsets, offset)
}

// Name returns the IANA name the zone was loaded by.
func (z *Zone) Name() string { return z.loc.String() }

// Offset returns how far local time is ahead of UTC at ms, in milliseconds.
func (z *Zone) Offset(ms int64) int64 {
	if ms < z.from || ms >= z.to {
		_, seconds := time.UnixMilli(ms).In(z.loc).Zone()
		return int64(seconds) * 1000
	}
	at := z.blocks[(ms-z.from)>>blockBits]
	for z.ends[at] <= ms {
		at++
	}
	return z.offsets[at]
}

// HourOfWeek returns the local weekday × 24 + the local hour at ms, from 0 (Sunday, 00:00) to 167. On the days when the
// clock changes an hour is skipped or repeated: its slot is then seen not at all, or twice.
func (z *Zone) HourOfWeek(ms int64) int {
	h := (floorDiv(ms+z.Offset(ms), hour) + epochHour) % HoursPerWeek
	if h < 0 {
		h += HoursPerWeek
	}
	return int(h)
}

// Local returns ms as a time in the zone.
func (z *Zone) Local(ms int64) time.Time { return time.UnixMilli(ms).In(z.loc) }

// Describe names the moment for people: "Tue 14:00 Europe/Berlin".
func (z *Zone) Describe(ms int64) string {
	return z.Local(ms).Format("Mon 15:04 ") + z.Name()
}

// floorDiv divides rounding towards minus infinity, so that times before the epoch count like any other.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
