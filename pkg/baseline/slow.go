package baseline

import (
	"math"

	"github.com/baseliner/baseliner/pkg/stats"
)

const (
	hoursOfWeek = 168
	hoursOfDay  = 24

	// A profile needs a day to exist, and the tail of what is usual needs another.
	firstDay  = 24
	tailHours = 24

	levelHalfLife  = 72.0 // hours: follows growth, too slow for an incident
	dayHalfLife    = 14.0 // days
	weekHalfLife   = 4.0  // weeks
	spreadHalfLife = 504. // hours
	tailHalfLife   = 336. // hours

	clipSpreads   = 4.0                   // residuals beyond so many mean deviations teach no more than those
	openSpeed     = 0.1                   // of learning while an hour looks anomalous …
	openHours     = 6                     // … for so many hours in a row; then it is accepted
	spreadPrior   = 6.0                   // hours of the whole series' spread that an hour of the week starts with
	thresholdLow  = 4.0                   // mean deviations: no calibration goes below
	tailMargin    = 1.25                  // real tails are heavier than the Gaussian that the extrapolation is taken from
	tailReach     = 1.5                   // how far beyond the worst seen a threshold may lie
	alarmsPerHour = 1.0 / hoursOfWeek / 2 // one a week, shared by the two gates

	meanAbsOfNormal = 0.7978845608 // E|N(0,1)| = √(2/π)
)

// Slow is the fold over hourly summaries. Its zero value knows nothing. The fields are exported for the snapshot alone.
type Slow struct {
	Hours    uint32 // summaries folded
	LastHour int32
	Level    float64

	Day    [hoursOfDay]float32 // deviation from the level
	DayN   [hoursOfDay]uint16
	Week   [hoursOfWeek]float32 // deviation from level and day
	WeekN  [hoursOfWeek]uint16
	Spread [hoursOfWeek]float32 // mean absolute residual of a point in this hour of the week

	AllSpread   float64 // the same over all hours
	Move        float64 // mean absolute innovation
	MoveHours   uint32  // hours it was learnt from
	Quantum     float64 // smallest usual change of the value
	RowsPerHour float64
	Hot         uint8 // hours in a row that looked anomalous

	ContextTail, BreakTail           stats.Tail // largest deviation of each hour, in spreads
	ContextThreshold, BreakThreshold float64    // in spreads; 0 until calibrated
}

// slotter maps an instant to the hour of the week of the business's zone, 0 to 167.
type slotter interface{ HourOfWeek(unixMillis int64) int }

func (m *Slow) slot(z slotter, hour int64) int { return z.HourOfWeek(hour*hourMillis + hourMillis/2) }

// knot is the expectation at the middle of an hour.
func (m *Slow) knot(slot int) float64 {
	e := m.Level + float64(m.Day[slot%hoursOfDay])
	if n := float64(m.WeekN[slot]); n > 0 {
		e += float64(m.Week[slot]) * n / (n + 1) // one week is hearsay: shrunk towards the plain day
	}
	return e
}

// spread is the mean absolute deviation that a point of this hour of the week usually shows, never zero for a series
// that ever moved.
func (m *Slow) spread(slot int) float64 {
	n := float64(m.WeekN[slot])
	s := (n*float64(m.Spread[slot]) + spreadPrior*m.AllSpread) / (n + spreadPrior)
	return s + m.floor()
}

// moveSpread is the same for innovations; busy hours move more.
func (m *Slow) moveSpread(slot int) float64 {
	busy := 1.0
	if m.AllSpread > 0 {
		busy = min(max(m.spread(slot)/(m.AllSpread+m.floor()), 0.5), 2)
	}
	return m.Move*busy + m.floor()
}

// floor keeps integers and near-constants from being judged by less than their own grain.
func (m *Slow) floor() float64 {
	return max(m.Quantum, math.Abs(m.Level)*1e-9, 1e-12)
}

// known tells whether the slot may be judged.
func (m *Slow) known(slot int) bool {
	return m.ContextThreshold > 0 && m.DayN[slot%hoursOfDay] > 0
}

// Fold takes the next summary. Summaries come in the order of their hours; one that is not newer than the last is
// ignored, so that folding twice changes nothing.
func (m *Slow) Fold(z slotter, s *Summary) bool {
	if s.N == 0 || (m.Hours > 0 && s.Hour <= m.LastHour) {
		return false
	}
	m.Hours++
	m.LastHour = s.Hour
	slot := m.slot(z, int64(s.Hour))
	x := s.Mean + float64(s.Median)
	m.learnGrain(s)
	if m.Hours <= firstDay {
		m.learnFirstDay(slot, x)
		return true
	}
	m.learnShape(z, slot, x, s)
	return true
}

// learnFirstDay only gathers: there is nothing to deviate from yet.
func (m *Slow) learnFirstDay(slot int, x float64) {
	if m.Hours == 1 {
		m.Level = x
	}
	d := slot % hoursOfDay
	m.DayN[d]++
	m.Day[d] += float32((x - m.Level - float64(m.Day[d])) / float64(m.DayN[d]))
	if m.Hours < firstDay {
		return
	}
	var sum, n float64
	for i, c := range m.DayN {
		if c > 0 {
			sum, n = sum+float64(m.Day[i]), n+1
		}
	}
	m.Level += sum / n
	for i, c := range m.DayN {
		if c > 0 {
			m.Day[i] -= float32(sum / n)
		}
	}
}

func (m *Slow) learnShape(z slotter, slot int, x float64, s *Summary) {
	d := slot % hoursOfDay
	expected := m.knot(slot)
	residual := x - expected
	row := math.Hypot(residual, float64(s.Dev)/meanAbsOfNormal) * meanAbsOfNormal

	if m.Hours > firstDay+1 {
		m.learnTails(z, slot, s)
	}
	speed, limit := 1.0, math.Inf(1)
	if m.Hours > 2*firstDay {
		speed, limit = m.caution(math.Abs(residual), slot)
	}
	clipped := clip(residual, limit)

	level := speed * gain(levelHalfLife, float64(m.Hours)) * clipped
	m.Level += level
	day := speed * gain(dayHalfLife, float64(m.DayN[d])) * (clipped - level)
	m.Day[d] += float32(day)
	m.DayN[d] = inc(m.DayN[d])

	// The first sight of an hour of the week is all there is to know of it: neither clipped nor slowed.
	week := x - m.Level - float64(m.Day[d]) - float64(m.Week[slot])
	if m.WeekN[slot] > 0 {
		week = speed * clip(week, limit)
	}
	m.Week[slot] += float32(gain(weekHalfLife, float64(m.WeekN[slot])) * week)

	row = min(row, limit)
	m.AllSpread += speed * gain(spreadHalfLife, float64(m.Hours-firstDay-1)) * (row - m.AllSpread)
	m.Spread[slot] += float32(speed * gain(weekHalfLife, float64(m.WeekN[slot])) * (row - float64(m.Spread[slot])))
	m.WeekN[slot] = inc(m.WeekN[slot])
}

// caution returns the speed of learning for an hour so far from its expectation, and the largest residual it may teach.
// What stays outside for long is no incident any more but how the series is now.
func (m *Slow) caution(residual float64, slot int) (speed, limit float64) {
	limit = clipSpreads * m.spread(slot)
	switch {
	case m.ContextThreshold == 0 || residual < m.ContextThreshold*m.spread(slot):
		m.Hot = 0
		return 1, limit
	case m.Hot >= openHours:
		return 1, math.Inf(1)
	}
	m.Hot++
	return openSpeed, limit
}

// learnTails notes how far the hour went at its worst, in spreads, and recalibrates the thresholds.
func (m *Slow) learnTails(z slotter, slot int, s *Summary) {
	mean := s.Mean
	if !math.IsNaN(float64(s.Ref)) {
		mean += float64(s.Ref) // High and Low are deviations from the expectation of that time
	}
	// Points were judged against the interpolated curve; its mean over an hour leans on both neighbours.
	h := int64(s.Hour)
	side := (1 - 1/max(m.RowsPerHour*m.RowsPerHour, 1)) / 8
	curve := (1-2*side)*m.knot(slot) + side*(m.knot(m.slot(z, h-1))+m.knot(m.slot(z, h+1)))
	shift := mean - curve
	worst := max(math.Abs(float64(s.High)+shift), math.Abs(float64(s.Low)+shift))

	decay := math.Exp2(-1 / tailHalfLife)
	m.ContextTail.Add(worst/m.spread(slot), decay)
	m.BreakTail.Add(float64(s.Jump)/m.moveSpread(slot), decay)
	k := extrapolation(m.RowsPerHour)
	if m.ContextTail.N() > tailHours-1 {
		m.ContextThreshold = threshold(&m.ContextTail, k)
	}
	if m.BreakTail.N() > tailHours-1 {
		m.BreakThreshold = threshold(&m.BreakTail, k)
	}
}

// learnGrain follows what needs no expectation.
func (m *Slow) learnGrain(s *Summary) {
	n := float64(m.Hours - 1)
	g := gain(spreadHalfLife, n)
	m.RowsPerHour += g * (float64(s.N) - m.RowsPerHour)
	if move := float64(s.Move); !math.IsNaN(move) {
		if m.MoveHours > firstDay {
			move = min(move, clipSpreads*(m.Move+m.floor()))
		}
		m.Move += gain(spreadHalfLife, float64(m.MoveHours)) * (move - m.Move)
		m.MoveHours++
	}
	if step := float64(s.Step); step > 0 {
		if m.Quantum == 0 || step < m.Quantum {
			m.Quantum = step
		} else {
			m.Quantum += g * (min(step, 2*m.Quantum) - m.Quantum)
		}
	}
}

// threshold extrapolates in the logarithm from the median of the hourly maxima and their 90 % quantile, which incidents
// in less than a tenth of the hours cannot move, to the quantile passed once per target alarm. It goes no further than
// half again beyond the worst that was remembered: a first weekend, say, is more than a tenth of a short history.
func threshold(t *stats.Tail, k float64) float64 {
	q50, q90, worst := t.Quantile(0.5), t.Quantile(0.9), t.Quantile(0.9999)
	return max(thresholdLow, min(q50*math.Pow(q90/q50, k), tailReach*worst))
}

// extrapolation is the exponent with which a Gaussian's hourly maxima of that many rows reach, from their median and
// their 90 % quantile, the quantile exceeded at the target alarm rate; with a margin for what is not Gaussian.
func extrapolation(rows float64) float64 {
	rows = max(rows, 1)
	q50 := stats.MaxAbsNormalQuantile(0.5, rows)
	q90 := stats.MaxAbsNormalQuantile(0.9, rows)
	target := stats.MaxAbsNormalQuantile(1-alarmsPerHour, rows)
	return tailMargin * math.Log(target/q50) / math.Log(q90/q50)
}

// gain is that of an exponential average of this half-life, and of a plain mean while that learns faster.
func gain(halfLife, seen float64) float64 { return max(1/(seen+1), 1-math.Exp2(-1/halfLife)) }

func clip(x, limit float64) float64 { return min(max(x, -limit), limit) }

func inc(n uint16) uint16 { return min(n, math.MaxUint16-1) + 1 }
