package baseline

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

const (
	// closeAfter is how long an hour stays open for late points.
	closeAfter = int64(15 * time.Minute / time.Millisecond)
	// memoryHalfLife, in points, of the recent course that an innovation breaks away from.
	memoryHalfLife = 3.0
	// The recent course is forgotten after a hole of so many steps.
	memoryGapSteps = 5
)

// State is everything a model remembers; it has a fixed size.
type State struct {
	Slow    Slow
	Open    OpenHour
	Pending Summary // closed, waiting for its hour to be final; N is 0 when there is none

	Memory   float64 // recent residual
	MemoryN  uint32
	MemoryOf uint32 // 1 while Memory is of residuals, 0 while it is of plain values
	LastT    int64  // of the last observed point
	LastV    float64
}

// Model is what is normal for one series.
type Model struct {
	State
	zone slotter
	step int64 // milliseconds between points
}

// New returns a model that knows nothing. step is the distance of its points.
func New(zone slotter, step time.Duration) *Model {
	return &Model{zone: zone, step: max(step.Milliseconds(), 1)}
}

// Expectation is what the model says of an instant before it has seen the point.
type Expectation struct {
	Center       float64
	Lower, Upper float64 // where |score| reaches 1; infinite while Known is false
	Known        bool
	Weeks        int     // times this hour of the week was seen
	Hours        int     // hours of history behind it
	Reason       string  // why Known is false
	context      float64 // half widths of the two gates
	breakaway    float64
	expected     bool // Center means something, known or not
}

// Verdict is a judged point.
type Verdict struct {
	series.Point
	Expectation
	Score float64 // signed; ±1 is the edge of the band; 0 when missing or not known
}

// Expect states the expectation for the instant t (unix milliseconds).
func (m *Model) Expect(t int64) Expectation {
	s := &m.Slow
	middle := max(hourMillis-m.step, 0) / 2
	hour := hourOf(t - middle)
	frac := float64(t-middle-hour*hourMillis) / float64(hourMillis)
	a, b := s.slot(m.zone, hour), s.slot(m.zone, hour+1)
	// A series that lives by day only has an edge: beyond it the last hour goes on.
	if frac == 0 || s.DayN[b%hoursOfDay] == 0 {
		b = a
	} else if s.DayN[a%hoursOfDay] == 0 {
		a = b
	}
	e := Expectation{Hours: int(s.Hours), Weeks: int(min(s.WeekN[a], s.WeekN[b])), Lower: math.Inf(-1), Upper: math.Inf(1)}
	if s.Hours < firstDay || s.DayN[a%hoursOfDay] == 0 || s.DayN[b%hoursOfDay] == 0 {
		e.Center = math.NaN()
		e.Reason = fmt.Sprintf("learning: %d of %d hours of history seen", s.Hours, firstDay+tailHours)
		if s.Hours >= firstDay+tailHours {
			e.Reason = "learning: this hour of the day has not been seen yet"
		}
		return e
	}
	lerp := func(x, y float64) float64 { return x + (y-x)*frac }
	e.expected = true
	e.Center = lerp(s.knot(a), s.knot(b))
	if !s.known(a) || !s.known(b) {
		e.Reason = fmt.Sprintf("learning: %d of %d hours of history seen", s.Hours, firstDay+tailHours)
		return e
	}
	e.Known = true
	young := max(1, 2-float64(e.Weeks)/2) // an hour of the week not seen yet may differ from its day
	e.context = young * s.ContextThreshold * lerp(s.spread(a), s.spread(b))
	e.breakaway = young * s.BreakThreshold * lerp(s.moveSpread(a), s.moveSpread(b))
	e.Lower, e.Upper = e.Center-e.context, e.Center+e.context
	if s.BreakThreshold > 0 && m.MemoryN > 0 && m.MemoryOf == 1 && t-m.LastT <= memoryGapSteps*m.step {
		lo, hi := e.Center+m.Memory-e.breakaway, e.Center+m.Memory+e.breakaway
		e.Lower, e.Upper = max(e.Lower, lo), min(e.Upper, hi)
		if e.Lower > e.Upper { // the gates exclude each other: only their common border is left
			mid := clip(m.Memory, e.context) + e.Center
			e.Lower, e.Upper = mid, mid
		}
	} else {
		e.breakaway = math.Inf(1)
	}
	return e
}

// Step judges the point with what was known before it, then learns from it. Points come in the order of time; a missing
// one only lets time pass. closed is the summary of an hour that became final with this step, or nil; it has been
// folded already and is for the history.
func (m *Model) Step(p series.Point) (v Verdict, closed *Summary) {
	closed = m.pass(p.T)
	v = Verdict{Point: p, Expectation: m.Expect(p.T)}
	if p.Missing != series.Observed {
		return v, closed
	}
	course := p.Value // what the recent course is made of: the residual as soon as there is one
	of := uint32(0)
	if v.expected {
		course, of = p.Value-v.Center, 1
	}
	innovation, change := math.NaN(), 0.0
	fresh := m.MemoryN > 0 && p.T-m.LastT <= memoryGapSteps*m.step
	if fresh {
		change = p.Value - m.LastV
		if of == m.MemoryOf {
			innovation = course - m.Memory
		}
	}
	if v.Known {
		v.Score = course / v.context
		if b := innovation / v.breakaway; math.Abs(b) > math.Abs(v.Score) { // never with NaN
			v.Score = b
		}
	}
	m.learn(&v, course, innovation, change, of, fresh)
	return v, closed
}

func (m *Model) learn(v *Verdict, course, innovation, change float64, of uint32, fresh bool) {
	switch {
	case !fresh || of != m.MemoryOf:
		m.Memory, m.MemoryN, m.MemoryOf = course, 1, of
	case v.Known && math.Abs(course) > v.context:
		// An excursion is not the course: coming back from it is no news.
	default:
		limit := math.Inf(1)
		if v.Known {
			limit = 2 * v.breakaway
		}
		m.MemoryN++
		m.Memory += gain(memoryHalfLife, float64(m.MemoryN-1)) * clip(innovation, limit)
	}
	m.LastT, m.LastV = v.T, v.Value
	expected := math.NaN()
	if v.expected {
		expected = v.Center
	}
	m.Open.add(int32(hourOf(v.T)), v.Value, v.Denominator, expected, innovation, change)
}

// pass closes the open hour when t lies beyond it and folds it once it is final.
func (m *Model) pass(t int64) (closed *Summary) {
	if m.Open.N > 0 && hourOf(t) > int64(m.Open.Hour) {
		if m.Pending.N > 0 { // two hours behind: the older is final by now
			closed = m.foldPending()
		}
		m.Pending, _ = m.Open.summary()
	}
	if closed == nil && m.Pending.N > 0 && t >= (int64(m.Pending.Hour)+1)*hourMillis+closeAfter {
		closed = m.foldPending()
	}
	return closed
}

func (m *Model) foldPending() *Summary {
	s := m.Pending
	m.Pending = Summary{}
	if !m.Slow.Fold(m.zone, &s) {
		return nil // history has that hour already, and knows it better
	}
	return &s
}

// Rest closes what is open and returns the hours that were not folded, oldest first.
func (m *Model) Rest() (rest []Summary) {
	if m.Pending.N > 0 {
		rest = append(rest, m.Pending)
		m.Pending = Summary{}
	}
	if s, ok := m.Open.summary(); ok {
		rest = append(rest, s)
	}
	return rest
}

// Refold makes the slow model anew from a whole history, oldest first; the fast state stays.
func (m *Model) Refold(history []Summary) {
	m.Slow = Slow{}
	for i := range history {
		m.Slow.Fold(m.zone, &history[i])
	}
}

// AppendBinary encodes the state behind b.
func (m *Model) AppendBinary(b []byte) ([]byte, error) {
	return binary.Append(b, binary.LittleEndian, &m.State)
}

// StateBytes is the encoded size of a model.
var StateBytes = binary.Size(State{})

// UnmarshalBinary reads what AppendBinary wrote.
func (m *Model) UnmarshalBinary(b []byte) error {
	if len(b) != StateBytes {
		return fmt.Errorf("decode model: %d bytes, want %d", len(b), StateBytes)
	}
	_, err := binary.Decode(b, binary.LittleEndian, &m.State)
	return err
}

// hourOf is the hour since 1970 that holds the instant.
func hourOf(ms int64) int64 {
	h := ms / hourMillis
	if ms%hourMillis < 0 {
		h--
	}
	return h
}
