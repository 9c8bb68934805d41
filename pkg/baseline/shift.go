package baseline

import "math"

const (
	// confirmHours in a row outside on the same side are no incident any more but how the series is now.
	confirmHours = 24
	// returnHours is how long a level that was left is remembered: coming back to it is no news.
	returnHours = 7 * hoursOfDay
	freshHours  = 3 // a level taken anew learns as one that saw so many hours
)

// Shift watches for a level that changed for good.
type Shift struct {
	Hot   uint8   // hours in a row that looked anomalous, on the same side
	Sum   float64 // of their residuals
	Left  float64 // the level before the last accepted shift
	Hours uint16  // for which Left is still remembered
}

// settle returns by how much the level was moved at once: to the new one after confirmHours outside, and back to one
// that was left not long ago as soon as the series does. residual is that of the hour.
func (c *Shift) settle(m *Slow, h *hour, residual float64) (moved float64) {
	limit := float64(m.Limits[Context])
	outside := limit > 0 && math.Abs(residual) >= limit*m.spread(h.slot)
	if c.Hours > 0 {
		c.Hours--
		if back := c.Left - m.Level; outside && math.Abs(residual-back) < math.Abs(residual)/2 {
			*c = Shift{}
			return m.moveLevel(back)
		}
	}
	switch {
	case !outside || m.Hours <= 2*firstDay:
		c.Hot, c.Sum = 0, 0
		return 0
	case c.Hot > 0 && c.Sum > 0 != (residual > 0):
		c.Hot, c.Sum = 0, 0
	}
	c.Hot++
	c.Sum += residual
	if c.Hot <= confirmHours {
		return 0
	}
	moved = c.Sum / float64(c.Hot)
	*c = Shift{Left: m.Level, Hours: returnHours}
	return m.moveLevel(moved)
}

func (m *Slow) moveLevel(by float64) float64 {
	m.Level += by
	m.freshLevel()
	return by
}

// freshLevel lets the level be learnt within hours.
func (m *Slow) freshLevel() { m.LevelHours = min(m.LevelHours, freshHours) }
