package baseline

import (
	"fmt"
	"math"

	"github.com/baseliner/baseliner/pkg/series"
)

// KnownAfter is how many hours of history a series needs before it is judged.
const KnownAfter = firstDay + tailHours

// Ignorance says why a series cannot be judged.
type Ignorance uint8

// The reasons.
const (
	NotIgnorant Ignorance = iota
	YoungSeries           // less than two days of history
	UnseenHour            // this hour of the day has not been seen yet
	Thin                  // too few denominators to judge a ratio
	YoungLevel            // its siblings lend all but the level, which needs some points
)

// Expectation is what the model says of an instant before it has seen the point.
type Expectation struct {
	Center       float64
	Lower, Upper float64 // where |score| reaches 1; infinite while Known is false
	Known        bool
	Weeks        int       // times this hour of the week was seen; of a special day, times such a day was
	Hours        int       // hours of history behind it
	Borrowed     bool      // what is known of this hour of the week is its siblings'
	Why          Ignorance // why Known is false

	expected bool // Center means something, known or not
	widen    float64
	unit     float64 // the usual spread of the time; 1 while nothing is expected
	limits   [viewCount]float64
}

// Reason says why Known is false, and is empty when it is true.
func (e *Expectation) Reason() string {
	switch e.Why {
	case YoungSeries:
		return fmt.Sprintf("learning: %d of %d hours of history seen", e.Hours, firstDay+tailHours)
	case YoungLevel:
		return "learning: the shape is its siblings', its own level is known after ten minutes and ten points"
	case UnseenHour:
		return "learning: this hour of the day has not been seen yet"
	case Thin:
		return fmt.Sprintf("thin: fewer than %d denominators in an hour are too few to judge", int(thinBelow))
	default:
		return ""
	}
}

// Verdict is a judged point.
type Verdict struct {
	series.Point
	Expectation
	// Score is how far the point is on the way from its expectation to the edge of what is usual, in the view that shows
	// it most: its absolute value is at least 1 if and only if the point is anomalous. Its sign is the direction. 0 when
	// missing or not known.
	Score float64
	// Excess is how far the threshold could be moved before the point were inside it, as an exponent: ≥ 0 if and only if
	// the point is anomalous, NoExcess when well inside or not known. It is what budgets are kept by.
	Excess float64
	// Returning says that the point is inside its context again after one that was not: a break, but back to normal.
	Returning bool
	// Gates are the views with their limits; a view that has nothing to show has a limit of 0.
	Gates [viewCount]Gate
	// Counted says that the gates are not the views of a value but windows of a ratio's counts, see WindowName: each has
	// seen the numerators that came beyond the expected ones, in events, and the limit is that of their side.
	Counted bool
}

// Gate is one view of a point.
type Gate struct {
	Seen  float64 // what the view shows, in the unit of the value; of Flat in nats
	Limit float64 // where |score| is 1; 0 when the view does not judge
}

// Score of the gate alone.
func (g Gate) Score() float64 {
	if g.Limit <= 0 {
		return 0
	}
	return g.Seen / g.Limit
}

// Score combines the views: the one that is furthest beyond its own limit decides. A flat line has no direction of its
// own and takes that of the residual.
func Score(gates *[viewCount]Gate) (score float64) {
	for v, g := range gates {
		s := g.Score()
		if View(v) == Flat {
			s = math.Copysign(s, gates[Context].Seen)
		}
		if math.Abs(s) > math.Abs(score) { // never with NaN
			score = s
		}
	}
	if c := gates[Context].Score(); math.Abs(c) >= 1 && math.Abs(score) >= 1 {
		score = math.Copysign(score, c)
	}
	return score
}

// Expect states the expectation for the instant t (unix milliseconds). It changes nothing: several may ask at once.
func (m *Model) Expect(t int64) (e Expectation) {
	reader := *m // with a cache of its own
	if m.Ratio != nil {
		own := *m.Ratio
		reader.Ratio, reader.frame.ok = &own, false
	}
	reader.expect(t, &e)
	return e
}

func (m *Model) expect(t int64, e *Expectation) {
	if m.Ratio != nil {
		m.foresee(t, e)
		return
	}
	f, frac := m.frameAt(t)
	*e = Expectation{Center: math.NaN(), Lower: math.Inf(-1), Upper: math.Inf(1), Hours: int(m.Slow.Hours), widen: 1, unit: 1}
	if m.loan != nil {
		e.Hours = int(m.loan.Hours)
	}
	if !f.expected {
		e.Why = YoungSeries
		if f.shaped {
			e.Why = YoungLevel
			return
		}
		if e.Hours >= firstDay+tailHours {
			e.Why = UnseenHour
		}
		return
	}
	e.expected, e.Weeks, e.Borrowed = true, int(f.weeks), f.borrowed
	e.Center = lerp(f.a.center, f.b.center, frac)
	if !f.known {
		e.Why = YoungSeries
		return
	}
	e.Known = true
	if !m.loan.settling() { // then scales move with every point
		e.unit = lerp(float64(f.a.unit), float64(f.b.unit), frac)
	}
	if f.schedule {
		e.widen = m.scheduled(t)
	}
	spread, move, amaze := f.scales(frac)
	there := e.widen * float64(f.young) // an hour that was not often seen may lie elsewhere; it will hardly jump more
	e.limits[Context] = there * float64(m.Slow.Limits[Context]) * spread
	e.limits[ShortMean] = there * float64(m.Slow.Limits[ShortMean]) * spread
	e.limits[LongMean] = there * float64(m.Slow.Limits[LongMean]) * spread
	e.limits[Jump] = e.widen * float64(m.Slow.Limits[Jump]) * move
	e.limits[Surprise] = e.widen * float64(m.Slow.Limits[Surprise]) * amaze
	e.limits[Flat] = e.widen * float64(m.Slow.Limits[Flat])
	if m.loan != nil {
		m.widen(&e.limits)
	}
	m.edges(t, e)
}

// edges puts the band where the first of the views would say that it is too much, given what they remember.
func (m *Model) edges(t int64, e *Expectation) {
	lo, hi := -e.limits[Context], e.limits[Context]
	if m.fresh(t, m.recentKind()) {
		c := &m.Recent
		narrow := func(center, width float64) {
			if width > 0 {
				lo, hi = max(lo, center-width), min(hi, center+width)
			}
		}
		narrow(-e.unit*c.Short*(1-shortGain)/shortGain, e.limits[ShortMean]/shortGain)
		narrow(-e.unit*c.Long*(1-longGain)/longGain, e.limits[LongMean]/longGain)
		narrow(e.unit*c.Before, e.limits[Jump])
		if c.N > 1 {
			narrow(e.unit*(m.Slow.Follow*c.Before+m.Slow.Follow2*c.Before2), e.limits[Surprise])
		}
	}
	if lo > hi { // the gates exclude each other: only a point between them is left
		lo = clip((lo+hi)/2, e.limits[Context])
		hi = lo
	}
	e.Lower, e.Upper = e.Center+lo, e.Center+hi
}

func lerp(x, y, frac float64) float64 { return x + (y-x)*frac }
