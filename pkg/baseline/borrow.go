package baseline

import (
	"encoding/binary"
	"math"
)

const (
	// settleHours is how long the own level and the own scales are made anew with every point; afterwards they are learnt as
	// by any other series, from where they are.
	settleHours = 24
	// A level is known after so many points that span so long.
	levelRows   = 10
	levelMillis = 10 * 60_000
	// A level that looks anomalous for so many hours in a row was learnt in an incident, or is in one that lasts: it is taken
	// anew from the last of them.
	doubtHours = 3
	loanHours  = 28 * hoursOfDay // own hours after which the own history stands alone
	jumpRows   = 0.5             // rows of the siblings' jumps that the own ones start with
	spreadRows = 72              // rows of the siblings' spread
	rowsDoubt  = 1.0             // of a scale made of n points: this by √n
)

// loan is the state of a series that started from what others lent. A model is then the fold of its own summaries over
// the prior, from the hour since on.
type loan struct {
	prior *Prior // shared, never changed
	loanState
}

// loanState is what of a loan changes. Its fields are exported for the snapshot alone.
type loanState struct {
	Since  int32
	Hours  uint32 // own hours folded
	Hot    int32  // hours in a row that looked anomalous, negative below
	Anchor float64
	Rows   float64 // own rows folded
	Closed tally   // of hours that were folded
	Open   tally   // of rows that were not
}

// tally sums up what rows say of level and scales.
type tally struct {
	Rows            float64
	Product, Square float64 // of value and shape, of shape: their ratio is the level with the least squares
	Moves, MoveSum  float64
	Sizes, SizeSum  float64 // of residuals
}

func (t tally) plus(o tally) tally {
	return tally{
		t.Rows + o.Rows, t.Product + o.Product, t.Square + o.Square,
		t.Moves + o.Moves, t.MoveSum + o.MoveSum, t.Sizes + o.Sizes, t.SizeSum + o.SizeSum,
	}
}

// Young tells whether the series knows too little of itself and has borrowed nothing yet.
func (m *Model) Young() bool {
	return m.Ratio == nil && m.loan == nil && m.Slow.Hours < firstDay+tailHours
}

// Borrowed tells whether the series still stands on what was lent.
func (m *Model) Borrowed() bool { return m.loan != nil }

// Borrow starts a young series anew at the instant t from what others know. What it had gathered itself is too little to
// be judged by, and may be the very incident that kept its siblings from lending before.
func (m *Model) Borrow(p *Prior, t int64) {
	if p == nil || !m.Young() {
		return
	}
	since := hourOf(t)
	if m.Open.N > 1 { // rows that nothing is known of
		since = max(since, int64(m.Open.Hour)+1)
	}
	m.loan = &loan{prior: p, loanState: loanState{Since: int32(since)}}
	m.Recent = Recent{}
	m.startFromPrior()
}

func (m *Model) startFromPrior() {
	l := m.loan
	l.Hours, l.Hot, l.Rows, l.Closed = 0, 0, 0, tally{}
	m.Slow, m.Groups = l.prior.Slow, nil
	m.Slow.LastHour = l.Since - 1
	m.rescale()
}

// outgrow gives back what was lent when history knows enough from before: it was filled since.
func (m *Model) outgrow(history []Summary) {
	before := 0
	for i := range history {
		if m.loan != nil && history[i].N > 0 && history[i].Hour < m.loan.Since {
			before++
		}
	}
	if before >= firstDay+tailHours {
		m.loan = nil
	}
}

// restartFromPrior begins to fold a history over the prior; done adds what the open hour knows.
func (m *Model) restartFromPrior() (done func()) {
	if m.loan == nil {
		return func() {}
	}
	open := m.loan.Open
	m.loan.Open = tally{}
	m.startFromPrior()
	return func() {
		if m.loan.settling() {
			m.loan.Open = open
			m.ownGrain()
			m.rescale()
		}
		m.frame.ok = false
	}
}

// settling tells whether the own level is still made anew with every point.
func (l *loan) settling() bool { return l != nil && l.Hours < settleHours }

// known tells whether the own level can be judged by.
func (l *loan) known(step int64) bool {
	return !l.settling() || l.Closed.Rows+l.Open.Rows >= max(levelRows, float64(levelMillis/step))
}

// anchored tells whether there is a level, known or not.
func (l *loan) anchored() bool { return l.Closed.Rows+l.Open.Rows > 0 }

// shape is the prior's at a knot.
func (p *Prior) shape(half, slot int) float64 { return p.Slow.knot(half, slot) }

// row counts a value at a place of the shape, as often as weight says.
func (t *tally) row(p *Prior, value, shape, weight float64) {
	t.Rows += weight
	if p.Scales {
		t.Product += weight * value * shape
		t.Square += weight * shape * shape
	} else {
		t.Product += weight * (value - (shape - p.Slow.Level))
		t.Square += weight
	}
}

// learnRow takes a row that was judged: residual r at a place of the shape.
func (m *Model) learnRow(v *Verdict, shape, r float64, x *views) {
	l := m.loan
	value := v.Value
	if l.Closed.Rows+l.Open.Rows == 0 {
		first := tally{}
		first.row(l.prior, value, shape, 1)
		l.Anchor = first.Product / first.Square
		if first.Square == 0 {
			l.Anchor = value
		}
	} else if v.Known {
		limit := most(v.Score) * m.Slow.spread(int(m.frame.a.slot))
		value = v.Center + clip(r, limit)
		l.Open.Sizes++
		l.Open.SizeSum += min(math.Abs(r), limit)
	}
	l.Open.row(l.prior, value, shape, 1)
	if x.neighbours > 0 {
		l.Open.Moves++
		l.Open.MoveSum += min(math.Abs(x.at[Jump]), most(v.Score)*m.usualJump())
	}
	m.ownGrain()
	m.rescale()
}

// ownGrain believes a step of the open hour that is smaller than what was lent; as coarse as the summary will say it.
func (m *Model) ownGrain() {
	if step := float64(coarse(float64(m.Open.Step))); step > 0 && (step < m.Slow.Quantum || m.Slow.Quantum == 0) {
		m.Slow.Quantum = step
	}
}

// most is how many mean deviations something teaches at most: hardly more than one when it looked anomalous, since a day has
// few rows to set against those of an incident; but more than one, so that a scale that is too small does not stay.
func most(score float64) float64 {
	if math.Abs(score) >= 1 {
		return 1.25
	}
	return clipSpreads
}

// usualJump bounds what one jump teaches; there is no bound before there are some.
func (m *Model) usualJump() float64 {
	if l := m.loan; l.Closed.Moves+l.Open.Moves < levelRows/2 {
		return math.Inf(1)
	}
	return m.Slow.Move + m.Slow.floor()
}

// rescale puts the prior on the own level and the own scales as they are known now.
func (m *Model) rescale() {
	l, s := m.loan, &m.Slow
	p := l.prior
	t := l.Closed.plus(l.Open)
	switch { // frozen while it is not known, so that the first jumps are those of the series
	case l.known(m.step) && t.Square > 0:
		s.Level = t.Product / t.Square
	case l.Closed.Square > 0:
		s.Level = l.Closed.Product / l.Closed.Square
	default:
		s.Level = l.Anchor
	}
	unit := 1.0
	if p.Scales {
		unit = s.Level
		for i, x := range p.Slow.Day {
			s.Day[i] = x * float32(unit)
		}
		for i, x := range p.Slow.Week {
			s.Week[i] = x * float32(unit)
		}
	}
	s.Move = (t.MoveSum + jumpRows*p.Jumps*math.Abs(unit)) / (t.Moves + jumpRows)
	s.Move2, s.Amaze = p.Slow.Move2*s.Move, p.Slow.Amaze*s.Move
	spread := math.Hypot(p.Slow.Spread*s.Move, p.Doubt*unit)
	s.Spread = (t.SizeSum + spreadRows*spread) / (t.Sizes + spreadRows)
	by := toLogFloat(s.Spread)
	for i, x := range p.Slow.SpreadDay {
		s.SpreadDay[i] = x.times(by)
	}
	for i, x := range p.Slow.SpreadWeek {
		s.SpreadWeek[i] = x.times(by)
	}
	m.frame.ok = false
}

// times is the product.
func (l logFloat) times(o logFloat) logFloat {
	if l == 0 || o == 0 {
		return 0
	}
	return logFloat(min(max(int(l)+int(o)-logFloatMiddle, 1), math.MaxUint16))
}

// foldLoan takes an hour of a series that borrowed; done is false when it is to be learnt as any other.
func (m *Model) foldLoan(h *hour) (done bool) {
	l, s := m.loan, &m.Slow
	n := float64(h.N)
	l.Open = tally{}
	l.Rows += n
	l.Hours++
	if l.Hours > settleHours {
		if l.Hours > loanHours {
			m.repay()
		}
		return false
	}
	m.rescale() // without the rows that the summary stands for
	var own tally
	residual := 0.0
	for i, have := range h.have {
		if !have {
			continue
		}
		r := h.value[i] - s.knot(h.half[i], h.slot)
		residual += r / h.n
		if l.Closed.Rows > 0 {
			r = clip(r, most(float64(h.Peak))*s.spread(h.slot))
			own.row(l.prior, s.knot(h.half[i], h.slot)+r, l.prior.shape(h.half[i], h.slot), n/h.n)
		} else {
			own.row(l.prior, h.value[i], l.prior.shape(h.half[i], h.slot), n/h.n)
		}
	}
	m.heed(h, residual)
	if !isNaN32(h.Move) {
		own.Moves, own.MoveSum = n, n*min(float64(h.Move), most(float64(h.Peak))*m.usualJump())
	}
	if !isNaN32(h.Abs) && l.Closed.Rows > 0 {
		own.Sizes, own.SizeSum = n, n*min(float64(h.Abs), most(float64(h.Peak))*s.spread(h.slot))
	}
	l.Closed = l.Closed.plus(own)
	m.rescale()
	s.LevelHours, s.MoveHours = l.Hours, l.Hours
	return true
}

// heed takes the level anew when hours look anomalous on the same side for too long.
func (m *Model) heed(h *hour, residual float64) {
	l := m.loan
	if limit := float64(m.Slow.Limits[Context]) * m.Slow.spread(h.slot); l.Closed.Rows == 0 || math.Abs(residual) < limit {
		l.Hot = 0
	} else if residual > 0 {
		l.Hot = max(l.Hot, 0) + 1
	} else {
		l.Hot = min(l.Hot, 0) - 1
	}
	if l.Hot >= doubtHours || l.Hot <= -doubtHours || h.Flags&FreshLevel != 0 {
		l.Hot = 0
		l.Closed = tally{Moves: l.Closed.Moves, MoveSum: l.Closed.MoveSum, Sizes: l.Closed.Sizes, SizeSum: l.Closed.SizeSum}
	}
}

// repay ends the loan. What was counted as seen because others had seen it is counted no more.
func (m *Model) repay() {
	s := &m.Slow
	s.Hours -= firstDay + tailHours
	for w, n := range s.WeekN {
		if n <= lentWeeks {
			s.Week[w], s.WeekN[w] = 0, 0
			continue
		}
		own := float64(n - lentWeeks)
		s.Week[w] = float32(float64(s.Week[w]) * float64(n) / float64(n+1) * (own + 1) / own)
		s.WeekN[w] = n - lentWeeks
	}
	m.loan = nil
}

// ownWeeks is how often the series itself has seen an hour that counts as seen n times.
func (l *loan) ownWeeks(n int) int {
	if l == nil {
		return n
	}
	return max(n-lentWeeks, 0)
}

// widen sets the thresholds as far apart as the own level and the own scales are uncertain: of n rows, of which only some
// are news, a level is known to a spread by the root of those, which the averages of many rows cannot tell from an
// incident; and a scale to a share that falls with √n.
func (m *Model) widen(limits *[viewCount]float64) {
	l, s := m.loan, &m.Slow
	rows := max(l.Rows+l.Open.Rows, 1)
	same := 0.98 // correlation of neighbours, as in follow
	if s.Move > 0 {
		move := s.Move / max(s.Spread, s.Move/2)
		same = min(max(1-move*move/2, 0), same)
	}
	news := max(rows*(1-same)/(1+same), 0.5)
	level := limits[Context] / math.Sqrt(news)
	for _, v := range [...]View{Context, ShortMean, LongMean} {
		if limits[v] > 0 {
			limits[v] = math.Hypot(limits[v], level)
		}
	}
	for v := range limits {
		limits[v] *= 1 + rowsDoubt/math.Sqrt(rows)
	}
	if l.settling() && l.Closed.MoveSum+l.Open.MoveSum == 0 {
		limits[Flat] = 0 // what never moved cannot be said to stand still
	}
}

// appendBinary encodes a loan behind b.
func (l *loan) appendBinary(b []byte) ([]byte, error) {
	b, err := binary.Append(b, binary.LittleEndian, &l.loanState)
	if err == nil {
		b, err = binary.Append(b, binary.LittleEndian, l.prior)
	}
	return b, err
}

func decodeLoan(b []byte) (l *loan, rest []byte, err error) {
	l = &loan{prior: &Prior{}}
	for _, part := range [...]any{&l.loanState, l.prior} {
		n, err := binary.Decode(b, binary.LittleEndian, part)
		if err != nil {
			return nil, nil, err
		}
		b = b[n:]
	}
	return l, b, nil
}
