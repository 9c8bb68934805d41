package baseline

import "math"

const (
	powerDays = 2 // on which an hour of the day must have taught its scale before it counts
	// Levels of the hours are compared where they differ by more than this (variance of their logarithms): a series that is
	// as high at any hour does not say what its noise goes with.
	powerVariance = 0.02
	powerLowest   = 0.05 // of the level: an expectation below counts as this
)

// choosePower decides how the series goes with its level: 0 is additive, its shape and its noise are the same at any
// level; 1 is multiplicative, they grow with it; ½ is that of counts. It is the slope of the logarithm of what an
// hour of the day varies by over that of its level (spread-versus-level plot, Tukey, Exploratory Data Analysis, 1977). A series on
// both sides of zero is additive.
func (m *Slow) choosePower() {
	m.Power = 0
	size := math.Abs(m.Level)
	if size == 0 {
		return
	}
	var n, sx, sy, sxx, sxy float64
	for d, seen := range m.HourN {
		if seen < powerDays {
			continue
		}
		level := m.Level + float64(m.Day[2*d]+m.Day[2*d+1])/2
		x := math.Log(max(math.Copysign(1, m.Level)*level, powerLowest*size))
		y := math.Log(m.SpreadDay[d].float() + m.floor())
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if sxx -= sx * sx / n; n >= hoursOfDay/2 && sxx > powerVariance*n {
		m.Power = float32(min(max((sxy-sx*sy/n)/sxx, 0), 1))
	}
}

// grow takes the shape along after the level moved from before; but not from a level that it may go back to.
func (m *Slow) grow(before float64) {
	if m.Power == 0 || m.Shift.Hours > 0 || !(before*m.Level > 0) {
		return
	}
	by := float32(math.Pow(min(max(m.Level/before, 1/growMost), growMost), float64(m.Power)))
	for i := range m.Day {
		m.Day[i] *= by
	}
	for i := range m.Week {
		m.Week[i] *= by
	}
}
