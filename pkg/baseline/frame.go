package baseline

import "math"

// frame holds what stays the same between two knots, half an hour apart: everything that costs a look at the calendar.
type frame struct {
	left int64 // half hour of the left knot
	ok   bool

	expected bool
	anchored bool // centers are of a level that is not known yet
	shaped   bool // and so are the shapes, which are lent
	known    bool
	borrowed bool
	schedule bool // the hour may be on a schedule
	own      bool // b is what the model says of that knot: it is the left one of the next frame
	weeks    int32
	young    float32
	a, b     knot
	lent     [2]float32 // shapes of what was lent, while the own level is made of them

	// How far the schedule widens at both ends of a piece of scheduleStep, between which it is interpolated.
	piece      int64
	from, upTo float32
}

// knot is the model in the middle of half an hour.
type knot struct {
	center float64
	slot   int32
	quiet  float32 // evidence of one repetition, nats
	unit   float32 // usual spread of this hour of an ordinary day
	// The units of the views; a flat line has none.
	spread, move, amaze float32
}

// scales are the units of residuals, of jumps and of surprises at a place between the knots.
func (f *frame) scales(frac float64) (spread, move, amaze float64) {
	return lerp(float64(f.a.spread), float64(f.b.spread), frac), lerp(float64(f.a.move), float64(f.b.move), frac),
		lerp(float64(f.a.amaze), float64(f.b.amaze), frac)
}

// calendar maps instants to the hours whose ordinary shape they borrow.
type calendar interface {
	// HourOfWeek is 0 to 167 from Sunday 00:00 on.
	HourOfWeek(unixMillis int64) int
}

// grouper is a calendar that knows special days.
type grouper interface {
	// Group is 0 on an ordinary day, else the number of its kind.
	Group(unixMillis int64) int
}

// slot is the hour of the week of a UTC hour.
func (m *Model) slot(hour int64) int { return m.calendar.HourOfWeek(hour*hourMillis + halfMillis) }

func (m *Model) groupAt(t int64) int {
	if g, ok := m.calendar.(grouper); ok {
		return g.Group(t)
	}
	return 0
}

// halfOfDay is the half hour of the local day, 0 to 47, of a half hour since 1970.
func (m *Model) halfOfDay(half int64) int {
	middle := half*halfMillis + halfMillis/2
	h := m.calendar.HourOfWeek(middle)
	d := h % hoursOfDay * 2
	if m.calendar.HourOfWeek(middle-halfMillis) == h {
		d++
	}
	return d
}

// frameAt returns the frame that holds t, and how far t is on the way from its left knot to its right one. Knots are in
// the middle of the points of their half hour, so that points half an hour or more apart lie on one.
func (m *Model) frameAt(t int64) (*frame, float64) {
	middle := max(halfMillis-m.step, 0) / 2
	left := floorDiv(t-middle, halfMillis)
	if f := &m.frame; !f.ok || f.left != left {
		m.build(left)
	}
	if m.step >= halfMillis {
		return &m.frame, 0
	}
	return &m.frame, float64(t-middle-left*halfMillis) / float64(halfMillis)
}

func (m *Model) build(left int64) {
	s := &m.Slow
	before := m.frame
	next := before.ok && before.left == left-1 // nothing was learnt since
	m.frame = frame{left: left, ok: true, young: 1, piece: -1}
	f := &m.frame
	if next {
		f.piece, f.from, f.upTo = before.piece, before.from, before.upTo
	}
	halves := [2]int{m.halfOfDay(left), m.halfOfDay(left + 1)}
	seen := [2]bool{s.DayN[halves[0]] > 0, s.DayN[halves[1]] > 0}
	if s.Hours < firstDay || !seen[0] && !seen[1] || m.step >= halfMillis && !seen[0] {
		return
	}
	f.expected, f.own = true, seen[1]
	if next && before.own {
		f.a = before.b
	} else {
		m.knotAt(&f.a, left, halves[0])
	}
	m.knotAt(&f.b, left+1, halves[1])
	if m.loan.settling() {
		p := m.loan.prior
		f.lent = [2]float32{float32(p.shape(halves[0], int(f.a.slot))), float32(p.shape(halves[1], int(f.b.slot)))}
	}
	switch { // a series that lives by day only has an edge: beyond it the last half hour goes on
	case !seen[0]:
		f.a, f.lent[0] = f.b, f.lent[1]
	case !seen[1]:
		f.b, f.lent[1] = f.a, f.lent[0]
	}
	f.known = s.Limits[Context] > 0
	if m.loan.settling() {
		f.shaped = true
		f.known = f.known && m.loan.known(m.step)
		f.expected, f.anchored = f.known, !f.known && m.loan.anchored()
	}
	weeks := int(min(s.WeekN[f.a.slot], s.WeekN[f.b.slot]))
	f.schedule = s.Recurring.possible(m.slot(floorDiv(left, 2))) || s.Recurring.possible(m.slot(floorDiv(left+1, 2)))
	f.young = youth(weeks)
	f.weeks = int32(m.loan.ownWeeks(weeks))
	f.borrowed = m.loan != nil && f.weeks == 0
	if g := m.groupAt(left*halfMillis + halfMillis/2); g > 0 { // as unusual as the day is new
		seen := 0
		if g <= len(m.Groups) {
			seen = int(m.Groups[g-1].N[f.a.slot%hoursOfDay])
		}
		f.weeks, f.young, f.borrowed = int32(seen), youth(seen), false
	}
}

// scheduled is how far the schedule widens at t.
func (m *Model) scheduled(t int64) float64 {
	f := &m.frame
	piece := floorDiv(t, scheduleStep)
	if piece != f.piece {
		if f.piece >= 0 && piece == f.piece+1 {
			f.from = f.upTo
		} else {
			f.from = m.widenAt(piece * scheduleStep)
		}
		f.piece, f.upTo = piece, m.widenAt((piece+1)*scheduleStep)
	}
	return lerp(float64(f.from), float64(f.upTo), float64(t-piece*scheduleStep)/float64(scheduleStep))
}

func (m *Model) widenAt(t int64) float32 {
	hour := hourOf(t)
	return float32(m.Slow.Recurring.widen(m.slot(hour), int((t-hour*hourMillis)/60_000)))
}

// youth widens the bounds of an hour of the week that was not often seen: it may differ from its day.
func youth(seen int) float32 { return max(1, 2-float32(seen)/2) }

func (m *Model) knotAt(k *knot, half int64, ofDay int) {
	s := &m.Slow
	slot := m.slot(floorDiv(half, 2))
	k.slot = int32(slot)
	k.center = s.knot(ofDay, slot)
	scales := s.scales(slot)
	k.spread, k.move, k.amaze = float32(scales[Context]), float32(scales[Jump]), float32(scales[Surprise])
	if m.counts { // independent events vary by as much
		least := float32(meanAbsOfNormal * math.Sqrt(max(k.center, 0)))
		k.spread, k.move, k.amaze = max(k.spread, least), max(k.move, least), max(k.amaze, least)
	}
	floor := s.floor()
	k.unit = float32(s.daySpread(slot%hoursOfDay) + floor)
	k.quiet = float32(max(0, math.Log(repeatOdds*(float64(k.move)-floor)/floor)))
	g := m.groupAt(half*halfMillis + halfMillis/2)
	if g == 0 || g > len(m.Groups) {
		return
	}
	group, d := &m.Groups[g-1], k.slot%hoursOfDay
	k.center += float64(group.Dev[d]) * groupTrust(group.N[d])
	k.spread = max(k.spread, float32(group.Spread+floor))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
