package baseline

import "math"

// logFloat is a positive float in two bytes on a logarithmic scale: 2^±100, steps of 0.2 %; 0 is 0. A float of eight
// leading bits would not notice what an average of a month learns in a day.
type logFloat uint16

const (
	logFloatUnit   = 327 // steps per octave
	logFloatMiddle = 1 << 15
)

func (l logFloat) float() float64 {
	if l == 0 {
		return 0
	}
	return math.Exp2(float64(int(l)-logFloatMiddle) / logFloatUnit)
}

func toLogFloat(f float64) logFloat {
	if !(f > 0) {
		return 0
	}
	return logFloat(min(max(math.Round(math.Log2(f)*logFloatUnit)+logFloatMiddle, 1), math.MaxUint16))
}

// learn moves the average by gain of the way towards x.
func (l *logFloat) learn(x, gain float64) {
	f := l.float()
	*l = toLogFloat(f + gain*(x-f))
}

// spread is the mean absolute residual that a point of this hour of the week usually shows, never zero for a series that
// ever moved: what the hour of the week has shown, leaning on its hour of the day, leaning on all hours. Few weeks say
// little of a scale, and what a scale gets wrong is a false alarm or a blind spot.
func (m *Slow) spread(slot int) float64 {
	return shrunk(m.SpreadWeek[slot].float(), float64(m.WeekN[slot]), m.daySpread(slot%hoursOfDay), weekScalePrior) + m.floor()
}

// daySpread is that of an hour of the day, of any day of the week; without a floor.
func (m *Slow) daySpread(hour int) float64 {
	return shrunk(m.SpreadDay[hour].float(), float64(m.HourN[hour]), m.Spread, dayScalePrior)
}

// busy says how much more than usual a series moves in this hour of the day.
func (m *Slow) busy(slot int) float64 {
	d := slot % hoursOfDay
	return shrunk(m.MoveDay[d].float(), float64(m.HourN[d]), 1, dayScalePrior)
}

// scales are the units of the views in this hour of the week.
func (m *Slow) scales(slot int) (s [viewCount]float64) {
	spread, busy, floor := m.spread(slot), m.busy(slot), m.floor()
	s[Context], s[ShortMean], s[LongMean] = spread, spread, spread
	s[Jump], s[Surprise] = m.Move*busy+floor, m.Amaze*busy+floor
	s[Flat] = 1
	return s
}

func shrunk(own, n, common, prior float64) float64 { return (n*own + prior*common) / (n + prior) }

// floor keeps integers and near-constants from being judged by less than their own grain.
func (m *Slow) floor() float64 {
	return max(m.Quantum, math.Abs(m.Level)*1e-9, 1e-12)
}

func (m *Slow) learnSpread(h *hour, row, speed float64) {
	d := h.slot % hoursOfDay
	m.Spread += speed * gain(scaleHalfLife, float64(m.Hours-firstDay-1)) * (row - m.Spread)
	m.SpreadDay[d].learn(row, speed*gain(hourHalfLife, float64(m.HourN[d])))
	m.SpreadWeek[h.slot].learn(row, speed*gain(weekHalfLife, float64(m.WeekN[h.slot])))
	m.HourN[d] = inc(m.HourN[d])
}

// learnGrain follows what needs no expectation.
func (m *Slow) learnGrain(s *Summary) {
	g := gain(scaleHalfLife, float64(m.Hours-1))
	m.RowsPerHour += g * (float64(s.N) - m.RowsPerHour)
	if step := float64(s.Step); step > 0 {
		if m.Quantum == 0 || step < m.Quantum {
			m.Quantum = step
		} else {
			m.Quantum += g * (min(step, 2*m.Quantum) - m.Quantum)
		}
	}
}

// learnMoves follows how the residual moves from point to point, and what that foretells.
func (m *Slow) learnMoves(h *hour) {
	if isNaN32(h.Move) {
		return
	}
	g := gain(scaleHalfLife, float64(m.MoveHours))
	learn := func(mean *float64, x float64) {
		if m.MoveHours > firstDay {
			x = min(x, clipSpreads*(*mean+m.floor()))
		}
		*mean += g * (x - *mean)
	}
	d := h.slot % hoursOfDay
	if m.Move > 0 {
		rel := min(float64(h.Move)/m.Move, clipSpreads)
		m.MoveDay[d].learn(rel, gain(hourHalfLife, float64(m.HourN[d])))
	} else if m.HourN[d] == 0 {
		m.MoveDay[d] = toLogFloat(1)
	}
	learn(&m.Move, float64(h.Move))
	learn(&m.Move2, float64(h.Move2))
	learn(&m.Amaze, float64(h.Amaze))
	m.MoveHours++
	if m.Hours > 2*firstDay && m.Spread > 0 {
		m.Follow, m.Follow2 = follow(m.Move/m.Spread, m.Move2/m.Spread)
	}
}

// follow returns the coefficients of the best forecast of a residual from the two before it (Yule and Walker), given the
// mean absolute one-row and two-row differences in units of the mean absolute residual. For a stationary Gaussian series
// of autocorrelation ρ, E|difference| / E|value| is √(2−2ρ).
func follow(one, two float64) (first, second float64) {
	const most = 0.98
	r1 := min(max(1-one*one/2, 0), most)
	r2 := min(max(1-two*two/2, -most), most)
	return r1 * (1 - r2) / (1 - r1*r1), (r2 - r1*r1) / (1 - r1*r1)
}
