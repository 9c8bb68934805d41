package baseline

import "math"

const (
	// confirmHours in a row outside on the same side are no incident any more but how the series is now.
	confirmHours = 24
	// returnHours is how long a level that was left is remembered: coming back to it is no news.
	returnHours = 7 * hoursOfDay
	// A level that was moved learns on as one that saw so many hours, one that was opened as one that saw none; until so
	// many were seen, whatever is seen is believed.
	movedHours = 3
	freshUntil = 8
	// A shape grows with its level when that explains so much of what a plain shift leaves unexplained.
	growExplains = 0.5
	growMost     = 8.0 // times, up or down
)

// Shift watches for a level that changed for good. A shift may be plain, or the whole shape grows with it: traffic that
// doubles doubles its evenings too.
type Shift struct {
	Hot            uint8   // hours in a row that looked anomalous, on the same side
	Sum            float64 // of their residuals …
	Shape, Shape2  float64 // … of what the shape was then, and its square …
	Moved2, Moving float64 // … of the residuals' squares, and of residual times shape

	Left  float64 // the level before the last accepted shift
	Grew  float32 // by which the shape was multiplied then
	Hours uint16  // for which both are still remembered
}

// settle moves the level and the shape at once: to the new ones after confirmHours outside, and back to those that were
// left not long ago as soon as the series goes back. It reports whether it did. residual is that of the hour.
func (c *Shift) settle(m *Slow, h *hour, residual float64) bool {
	limit := float64(m.Limits[Context])
	outside := limit > 0 && math.Abs(residual) >= limit*m.spread(h.slot)
	shape := h.typical() - residual - m.Level
	if c.Hours > 0 {
		c.Hours--
		before := c.Left + shape/float64(c.Grew) // what would have been expected without the shift
		if outside && math.Abs(h.typical()-before) < math.Abs(residual)/2 {
			m.moveLevel(c.Left-m.Level, 1/float64(c.Grew))
			*c = Shift{}
			return true
		}
	}
	if !outside || m.Hours <= 2*firstDay {
		*c = Shift{Left: c.Left, Grew: c.Grew, Hours: c.Hours}
		return false
	}
	if c.Hot > 0 && c.Sum > 0 != (residual > 0) {
		*c = Shift{Left: c.Left, Grew: c.Grew, Hours: c.Hours}
	}
	c.Hot++
	c.Sum += residual
	c.Shape += shape
	c.Shape2 += shape * shape
	c.Moved2 += residual * residual
	c.Moving += residual * shape
	if c.Hot <= confirmHours {
		return false
	}
	by, grow := c.fit()
	*c = Shift{Left: m.Level, Grew: float32(grow), Hours: returnHours}
	m.moveLevel(by, grow)
	return true
}

// fit is the least-squares line of the residuals over the shape: by which the level moved, and the shape grew. A line that
// explains too little is not believed: the shift was plain.
func (c *Shift) fit() (by, grow float64) {
	n := float64(c.Hot)
	mean, shape := c.Sum/n, c.Shape/n
	sxx := c.Shape2 - n*shape*shape
	sxy := c.Moving - n*mean*shape
	syy := c.Moved2 - n*mean*mean
	if !(sxx > 0) || !(sxy*sxy > growExplains*sxx*syy) {
		return mean, 1
	}
	slope := min(max(sxy/sxx, 1/growMost-1), growMost-1)
	return mean - slope*shape, 1 + slope
}

func (m *Slow) moveLevel(by, grow float64) {
	m.Level += by
	m.freshLevel(movedHours)
	if grow == 1 {
		return
	}
	for i := range m.Day {
		m.Day[i] *= float32(grow)
	}
	for i := range m.Week {
		m.Week[i] *= float32(grow)
	}
}

// freshLevel lets the level be learnt within hours.
func (m *Slow) freshLevel(seen uint32) { m.LevelHours = min(m.LevelHours, seen) }
