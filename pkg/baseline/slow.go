package baseline

import (
	"math"

	"github.com/baseliner/baseliner/pkg/stats"
)

const (
	hoursOfWeek = 168
	hoursOfDay  = 24
	halvesOfDay = 48

	// A profile needs a day to exist, and the tail of what is usual needs another.
	firstDay  = 24
	tailHours = 24

	levelHalfLife  = 72.0  // hours: follows growth, too slow for an incident
	dayHalfLife    = 14.0  // days
	weekHalfLife   = 6.0   // weeks
	scaleHalfLife  = 504.0 // hours, of what holds for all hours
	hourHalfLife   = 28.0  // days, of the scale of an hour of the day
	clipSpreads    = 4.0   // residuals beyond so many mean deviations teach no more than those
	openSpeed      = 0.1   // of learning while an hour looks anomalous
	dayScalePrior  = 12.0  // days of the whole series' scale that an hour of the day starts with
	weekScalePrior = 24.0  // weeks of its hour of the day's scale that an hour of the week starts with

	meanAbsOfNormal = 0.7978845608 // E|N(0,1)| = √(2/π)
)

// Past is how much a model has folded. Its fields are exported for the snapshot alone.
type Past struct {
	Hours    uint32 // summaries
	LastHour int32
}

// Slow is the fold over hourly summaries. Its zero value knows nothing. The fields are exported for the snapshot alone.
type Slow struct {
	Past
	Level      float64
	LevelHours uint32 // hours the level was learnt from since it was last taken anew

	Day   [halvesOfDay]float32 // deviation of half an hour from the level
	DayN  [halvesOfDay]uint8
	Week  [hoursOfWeek]float32 // deviation from level and day
	WeekN [hoursOfWeek]uint8
	Power float32 // of the level, with which shape and noise go: 0 additive, 1 multiplicative

	Spread     float64               // mean |residual| of a point, over all hours
	SpreadDay  [hoursOfDay]logFloat  // the same in this hour of the day
	SpreadWeek [hoursOfWeek]logFloat // and of the week
	HourN      [hoursOfDay]uint8     // how often the hour of the day taught its scales

	Move, Move2, Amaze float64              // mean |jump|, |two-row difference| and |surprise|
	MoveHours          uint32               // hours they were learnt from
	MoveDay            [hoursOfDay]logFloat // how an hour of the day moves, as a multiple of all
	Follow, Follow2    float64              // how a residual follows from the two before it

	Quantum     float64 // smallest usual change of the value
	RowsPerHour float64

	Tails  [viewCount]stats.Tail // largest value of each hour, in the view's scale
	Limits [viewCount]float32    // thresholds, in the view's scale; 0 until calibrated
	Widens [viewCount]float32    // 90 % quantile over median of the hours' largest: the base of the extrapolation

	Recurring Schedule
	Shift     Shift
}

// Fold takes the next summary. Summaries come in the order of their hours; one that is not newer than the last is
// ignored, so that folding twice changes nothing.
func (m *Model) fold(s *Summary) bool {
	if m.loan != nil && s.Hour < m.loan.Since {
		return true // for the history; what was lent knows better
	}
	if s.N == 0 || s.Flags&Withheld != 0 || m.knows(s.Hour) {
		return false
	}
	past := m.past()
	past.Hours++
	past.LastHour = s.Hour
	h := m.hourOf(s)
	if m.Ratio != nil {
		m.learnRatio(&h)
		return true
	}
	f := &m.Slow
	if s.Flags&FreshLevel != 0 && f.Hours > firstDay {
		f.freshLevel(0)
	}
	f.learnGrain(s)
	if m.loan != nil && m.foldLoan(&h) {
		return true
	}
	switch {
	case f.Hours <= firstDay:
		f.learnFirstDay(&h)
	case h.group > 0:
		m.learnGroup(&h) // an exception teaches nothing but itself
	default:
		f.learn(&h)
	}
	return true
}

// Hours is how many hours of history are behind the model.
func (m *Model) Hours() int { return int(m.past().Hours) }

func (m *Model) past() *Past {
	if m.Ratio != nil {
		return &m.Past
	}
	return &m.Slow.Past
}

// hour is a summary set against the calendar.
type hour struct {
	*Summary
	slot  int // hour of the week whose shape it borrows
	half  [2]int
	group int
	value [2]float64 // typical of each half
	have  [2]bool
	n     float64 // halves that have a value
}

func (m *Model) hourOf(s *Summary) hour {
	h := hour{Summary: s, slot: m.slot(int64(s.Hour)), group: m.groupAt(s.At())}
	for i, typical := range [2]float32{s.First, s.Second} {
		h.half[i] = m.halfOfDay(int64(s.Hour)*2 + int64(i))
		if !isNaN32(typical) {
			h.value[i], h.have[i] = s.Mean+float64(typical), true
			h.n++
		}
	}
	return h
}

// learnFirstDay only gathers: there is nothing to deviate from yet.
func (m *Slow) learnFirstDay(h *hour) {
	if m.Hours == 1 {
		m.Level = h.Mean
	}
	for i, have := range h.have {
		if have {
			d := h.half[i]
			m.DayN[d] = inc(m.DayN[d])
			m.Day[d] += float32((h.value[i] - m.Level - float64(m.Day[d])) / float64(m.DayN[d]))
		}
	}
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
	m.LevelHours = firstDay
	for i, c := range m.DayN {
		if c > 0 {
			m.Day[i] -= float32(sum / n)
		}
	}
}

func (m *Slow) learn(h *hour) {
	if h.Flags&FreshLevel != 0 {
		m.freshLevel(0)
	}
	residual, mean := m.residuals(h)
	moved := m.Shift.settle(m, h, mean)
	m.calibrate(h, moved)
	if moved {
		residual, mean = m.residuals(h)
	}

	speed, limit := 1.0, math.Inf(1)
	if m.Hours > 2*firstDay {
		limit = clipSpreads * m.spread(h.slot)
		if m.Shift.Hot > 0 {
			speed = openSpeed
		}
	}
	row := mean
	if !isNaN32(h.Abs) && !moved {
		row = max(float64(h.Abs), math.Abs(mean))
	}
	level := speed * clip(mean, limit)
	if m.LevelHours < freshUntil {
		level = mean // nothing speaks against it yet
	}
	level *= gain(levelHalfLife, float64(m.LevelHours))
	if m.Hours%firstDay == 0 {
		m.choosePower()
	}
	before := m.Level
	m.Level += level
	m.LevelHours++
	m.grow(before)
	if h.Flags&FreshLevel != 0 { // most of the hour may have been before it
		m.freshLevel(0)
	}
	day := 0.0
	for i, have := range h.have {
		if !have {
			continue
		}
		d := h.half[i]
		m.Day[d] += float32(speed * gain(dayHalfLife, float64(m.DayN[d])) * (clip(residual[i], limit) - level))
		m.DayN[d] = inc(m.DayN[d])
		day += float64(m.Day[d]) / h.n
	}
	// The first sight of an hour of the week is all there is to know of it: neither clipped nor slowed.
	week := h.typical() - m.Level - day - float64(m.Week[h.slot])
	if m.WeekN[h.slot] > 0 {
		week = speed * clip(week, limit)
	}
	m.Week[h.slot] += float32(gain(weekHalfLife, float64(m.WeekN[h.slot])) * week)
	m.learnSpread(h, min(math.Abs(row), limit), speed)
	m.WeekN[h.slot] = inc(m.WeekN[h.slot])
}

// residuals are those of the halves of the hour, and of the hour.
func (m *Slow) residuals(h *hour) (residual [2]float64, mean float64) {
	for i, have := range h.have {
		if have {
			residual[i] = h.value[i] - m.knot(h.half[i], h.slot)
			mean += residual[i] / h.n
		}
	}
	return residual, mean
}

func (h *hour) typical() (x float64) {
	for i, have := range h.have {
		if have {
			x += h.value[i] / h.n
		}
	}
	return x
}

// knot is the expectation at the middle of a half hour.
func (m *Slow) knot(half, slot int) float64 {
	return m.Level + float64(m.Day[half]) + m.weekDeviation(slot)
}

// weekDeviation is what is believed of an hour of the week: one week is hearsay, shrunk towards the plain day.
func (m *Slow) weekDeviation(slot int) float64 {
	n := float64(m.WeekN[slot])
	return float64(m.Week[slot]) * n / (n + 1)
}

// gain is that of an exponential average of this half-life, and of a plain mean while that learns faster.
func gain(halfLife, seen float64) float64 { return max(1/(seen+1), 1-math.Exp2(-1/halfLife)) }

func clip(x, limit float64) float64 { return min(max(x, -limit), limit) }

func inc(n uint8) uint8 { return min(n, math.MaxUint8-1) + 1 }
