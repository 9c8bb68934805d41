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
			m.magnify(1 / max(1, float64(c.Grew)))
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
	m.magnify(max(1, grow)) // what shrank is judged by scales that learn it: too wide for a while rather than too narrow
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

// magnify lets everything move by so much more: where the shape grew, noise did too.
func (m *Slow) magnify(by float64) {
	if by == 1 {
		return
	}
	for _, x := range [...]*float64{&m.Spread, &m.Move, &m.Move2, &m.Amaze} {
		*x *= by
	}
	for i := range m.SpreadDay {
		m.SpreadDay[i] = toLogFloat(by * m.SpreadDay[i].float())
	}
	for i := range m.SpreadWeek {
		m.SpreadWeek[i] = toLogFloat(by * m.SpreadWeek[i].float())
	}
}

// freshLevel lets the level be learnt within hours.
func (m *Slow) freshLevel(seen uint32) { m.LevelHours = min(m.LevelHours, seen) }

// LevelMark is where a model's level stood, to be compared with where it stands after an hour was closed.
type LevelMark struct {
	level float64
	hours uint16 // for which a level that was left is still remembered
}

// LevelMark marks the level as it is.
func (m *Model) LevelMark() LevelMark {
	if m.Ratio != nil {
		return LevelMark{m.Level, m.LeftHours}
	}
	return LevelMark{m.Slow.Level, m.Slow.Shift.Hours}
}

// Resettled says whether the level was moved at once since the mark, because the series lives on another one for good or is
// back on the one before; left and now are the two, in the unit of the values.
func (m *Model) Resettled(since LevelMark) (left, now float64, back, ok bool) {
	mark := m.LevelMark()
	back = mark.hours == 0 && since.hours > 1
	return since.level, mark.level, back, back || mark.hours > since.hours
}
