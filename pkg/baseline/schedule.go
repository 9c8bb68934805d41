package baseline

const (
	scheduleDays  = 3   // of the last seven on which something must have come to be a schedule
	scheduleReach = 2.0 // how far beyond what comes on schedule the threshold is raised
	// A schedule may be early or late by scheduleSure minutes; from there to scheduleEnd it counts less and less.
	scheduleSure = 20
	scheduleEnd  = 40
	scheduleStep = int64(600_000)      // milliseconds between the instants it is computed for
	quietPeak    = logMiddle - logUnit // a peak of one half: twice that widens nothing
)

// Schedule remembers, for each hour of the last week, the largest score and its minute. What comes at the same time on
// three of seven days, a nightly job, is no anomaly; until it grows.
type Schedule struct {
	Peaks [hoursOfWeek]uint8 // on the logarithmic scale of a summary
	At    [hoursOfWeek]uint8 // minute of the hour
}

func (c *Schedule) note(h *hour) {
	c.Peaks[h.slot], c.At[h.slot] = logByte(float64(h.Peak), 1), h.PeakAt
}

func (c *Schedule) peak(slot int) float64 { return fromLogByte(c.Peaks[slot], 1) }

// possible tells whether any minute of an hour of the week may be on a schedule.
func (c *Schedule) possible(slot int) bool {
	days := 0
	for d := 1; d <= 7; d++ {
		for near := nearest(d); near <= 1; near++ {
			if c.Peaks[wrap(slot-d*hoursOfDay+near)] > quietPeak {
				days++
				break
			}
		}
	}
	return days >= scheduleDays
}

// widen is the factor by which thresholds rise at a minute of an hour of the week: at least 1.
func (c *Schedule) widen(slot, minute int) float64 {
	var first, second, third float64 // the largest of the days
	for d := 1; d <= 7; d++ {
		x := 0.0
		for near := nearest(d); near <= 1; near++ { // a quiet one needs no exception: twice that widens nothing
			s := wrap(slot - d*hoursOfDay + near)
			off := minute - near*60 - int(c.At[s]) // from the peak of that hour
			counts := max(0, min(scheduleEnd-max(off, -off), scheduleEnd-scheduleSure))
			x = max(x, float64(counts)/(scheduleEnd-scheduleSure)*c.peak(s))
		}
		first, x = max(first, x), min(first, x)
		second, x = max(second, x), min(second, x)
		third = max(third, x)
	}
	return max(1, scheduleReach*third)
}

// nearest is the first neighbour of an hour so many days ago: of the hour a week ago, the one before is that of today.
func nearest(days int) int {
	if days == 7 {
		return 0
	}
	return -1
}

// wrap brings a slot back into the week; it is at most a week and an hour away.
func wrap(slot int) int {
	for slot < 0 {
		slot += hoursOfWeek
	}
	for slot >= hoursOfWeek {
		slot -= hoursOfWeek
	}
	return slot
}
