package baseline

import (
	"cmp"
	"math"
	"slices"
)

// Prior is what others lend to a young series: the shape of their week, their scales and their tails, without a level. It
// is never changed once made, and may be shared. Its fields are exported for the snapshot alone.
type Prior struct {
	// Slow holds deviations from the mean of the week, in units of that mean or of the value; all that moves is a multiple
	// of the mean |jump|, all spreads are multiples of the mean spread.
	Slow Slow
	// Scales says that the shape grows with the level: deviations are in units of it.
	Scales bool
	Doubt  float64 // mean |error| of the shape, in its unit
	Jumps  float64 // usual mean |jump|, in the unit of the shape
}

const (
	maxLenders = 8
	lentWeeks  = 2 // a lent hour of the week counts as seen so often
	lentDays   = 3 // half an hour of the day
	lentScales = 7 // days of the scales of an hour of the day
	lentTail   = 96
	// shapeError is the mean error of a knot after some weeks, as a share of the mean |residual|, where residuals of an hour
	// hang together.
	shapeError = 0.35
	loneError  = 0.1 // of the shape itself: how far apart two series are when there is but one to look at
)

// Lends tells whether the series may lend what it knows: it is grown, stands on its own, and is well now and was in the
// hour before.
func (m *Model) Lends() bool {
	if m.Ratio != nil {
		return false
	}
	s := &m.Slow
	return m.loan == nil && s.Hours >= firstDay+tailHours && s.Limits[Context] > 0 && s.Shift.Hot == 0 &&
		m.Open.Peak < 1 && s.Recurring.peak(m.slot(int64(s.LastHour))) < 1
}

// lender is one series with what it takes to compare it with others.
type lender struct {
	slow   *Slow
	mean   float64 // of the week's expectations
	unit   float64 // what its deviations are divided by
	dev    [halvesOfDay + hoursOfWeek]float64
	sigma  float64 // error of its shape as it is known to itself
	weight float64
}

// Pool makes one prior of what several series know; nil when none of them lends. Of many, those with the longest history
// lend. The order of the models decides nothing but ties.
func Pool(models []*Model) *Prior {
	var ls []lender
	for _, m := range models {
		if m.Lends() {
			ls = append(ls, lender{slow: &m.Slow})
		}
	}
	if len(ls) == 0 {
		return nil
	}
	slices.SortStableFunc(ls, func(a, b lender) int { return cmp.Compare(b.slow.Hours, a.slow.Hours) })
	ls = ls[:min(len(ls), maxLenders)]
	for i := range ls {
		ls[i].mean = ls[i].slow.weekMean()
	}
	p := &Prior{Scales: scale(ls)}
	p.Doubt = weigh(ls)
	p.pool(ls)
	return p
}

// weekMean is the mean expectation over the week.
func (m *Slow) weekMean() float64 {
	day, week, n := 0.0, 0.0, 0.0
	for d, seen := range m.DayN {
		if seen > 0 {
			day, n = day+float64(m.Day[d]), n+1
		}
	}
	for w := range m.Week {
		week += m.weekDeviation(w) / hoursOfWeek
	}
	return m.Level + day/max(n, 1) + week
}

// scale decides the unit of the deviations by what makes them agree better, and sets it.
func scale(ls []lender) (scales bool) {
	possible := true
	for i := range ls {
		possible = possible && math.Abs(ls[i].mean) > 2*ls[i].slow.Spread && (ls[i].mean > 0) == (ls[0].mean > 0)
	}
	plain := disagreement(ls, func(*lender) float64 { return 1 })
	if possible && disagreement(ls, func(l *lender) float64 { return l.mean }) <= plain {
		return true
	}
	disagreement(ls, func(*lender) float64 { return 1 })
	return false
}

// disagreement is how far apart the deviations in the unit lie, as a share of them.
func disagreement(ls []lender, unit func(*lender) float64) float64 {
	for i := range ls {
		ls[i].setUnit(unit(&ls[i]))
	}
	apart, size := 0.0, 0.0
	for i := range ls {
		size += ls[i].distance(&lender{})
		for k := range i {
			apart += ls[i].distance(&ls[k])
		}
	}
	if size == 0 {
		return 0
	}
	return apart / size
}

func (l *lender) setUnit(unit float64) {
	l.unit = unit
	for d, seen := range l.slow.DayN {
		l.dev[d] = 0
		if seen > 0 {
			l.dev[d] = (float64(l.slow.Day[d]) + l.slow.Level - l.mean) / unit
		}
	}
	for w := range l.slow.Week {
		l.dev[halvesOfDay+w] = l.slow.weekDeviation(w) / unit
	}
	l.sigma = shapeError * l.slow.Spread / math.Abs(unit)
}

// distance of two shapes is the mean |difference| of their weeks.
func (l *lender) distance(o *lender) float64 {
	sum := 0.0
	for w := range hoursOfWeek {
		d := w % hoursOfDay * 2
		week := l.dev[halvesOfDay+w] - o.dev[halvesOfDay+w]
		sum += math.Abs(l.dev[d]-o.dev[d]+week) + math.Abs(l.dev[d+1]-o.dev[d+1]+week)
	}
	return sum / (2 * hoursOfWeek)
}

// weigh gives every lender the weight that its error earns: its own noise, and what sets it apart from the others beyond
// the noise of both. It returns the mean error to expect of a further series.
func weigh(ls []lender) (doubt float64) {
	excess := make([]float64, len(ls))
	for i := range ls {
		var beyond []float64
		for k := range ls {
			if k != i {
				d := ls[i].distance(&ls[k])
				beyond = append(beyond, max(0, d*d-ls[i].sigma*ls[i].sigma-ls[k].sigma*ls[k].sigma))
			}
		}
		if len(beyond) == 0 {
			own := loneError * ls[i].distance(&lender{})
			beyond = append(beyond, own*own)
		}
		excess[i] = median(beyond)
	}
	sum := 0.0
	for i := range ls {
		// A shape known without any error would leave the others no say.
		ls[i].weight = 1 / (ls[i].sigma*ls[i].sigma + excess[i] + 1e-12)
		sum += ls[i].weight
	}
	return math.Sqrt(1/sum + median(excess))
}

// pool puts the lenders together: slot by slot the weighted median of the shapes, the median of everything else.
func (p *Prior) pool(ls []lender) {
	s := &p.Slow
	of := func(f func(*Slow) float64) float64 {
		x := make([]float64, 0, maxLenders)
		for i := range ls {
			if v := f(ls[i].slow); !math.IsNaN(v) && !math.IsInf(v, 0) {
				x = append(x, v)
			}
		}
		return median(x)
	}
	jumps := make([]float64, len(ls))
	for i := range ls {
		jumps[i] = ls[i].slow.Move / math.Abs(ls[i].unit)
	}
	p.Jumps = median(jumps)
	s.Hours = firstDay + tailHours
	s.Level = 1
	s.Move, s.Spread = 1, of(func(o *Slow) float64 { return o.Spread / o.Move })
	s.Move2 = of(func(o *Slow) float64 { return o.Move2 / o.Move })
	s.Amaze = of(func(o *Slow) float64 { return o.Amaze / o.Move })
	s.Follow, s.Follow2 = of(func(o *Slow) float64 { return o.Follow }), of(func(o *Slow) float64 { return o.Follow2 })
	s.Quantum = commonGrain(ls)
	s.Power = float32(of(func(o *Slow) float64 { return float64(o.Power) }))
	s.RowsPerHour = of(func(o *Slow) float64 { return o.RowsPerHour })
	for d := range s.Day {
		s.Day[d] = float32(weightedMedian(ls, func(l *lender) (float64, bool) { return l.dev[d], l.slow.DayN[d] > 0 }))
		s.DayN[d] = uint8(min(of(func(o *Slow) float64 { return float64(o.DayN[d]) }), lentDays))
	}
	for w := range s.Week {
		seen := uint8(0)
		for i := range ls {
			seen = max(seen, ls[i].slow.WeekN[w])
		}
		s.WeekN[w] = min(seen, lentWeeks)
		if seen > 0 { // what is believed of it today stays so: see knot
			n := float64(s.WeekN[w])
			s.Week[w] = float32(weightedMedian(ls, func(l *lender) (float64, bool) { return l.dev[halvesOfDay+w], l.slow.WeekN[w] > 0 }) * (n + 1) / n)
		}
		s.SpreadWeek[w] = toLogFloat(of(func(o *Slow) float64 { return o.SpreadWeek[w].float() / o.Spread }))
	}
	for d := range s.SpreadDay {
		s.SpreadDay[d] = toLogFloat(of(func(o *Slow) float64 { return o.SpreadDay[d].float() / o.Spread }))
		s.MoveDay[d] = toLogFloat(of(func(o *Slow) float64 { return o.MoveDay[d].float() }))
		s.HourN[d] = uint8(min(of(func(o *Slow) float64 { return float64(o.HourN[d]) }), lentScales))
	}
	p.poolTails(ls)
}

// commonGrain is the smallest change of series that count alike, 0 when they do not.
func commonGrain(ls []lender) float64 {
	least, most := ls[0].slow.Quantum, ls[0].slow.Quantum
	for i := range ls {
		least, most = min(least, ls[i].slow.Quantum), max(most, ls[i].slow.Quantum)
	}
	if most > 2*least {
		return 0
	}
	return least
}

// poolTails takes, of each view, the tail whose threshold is in the middle, and of each hour of the week the schedule.
func (p *Prior) poolTails(ls []lender) {
	s := &p.Slow
	order := make([]*Slow, len(ls))
	for i := range ls {
		order[i] = ls[i].slow
	}
	for v := range viewCount {
		slices.SortStableFunc(order, func(a, b *Slow) int { return cmp.Compare(a.Limits[v], b.Limits[v]) })
		from := order[len(order)/2]
		if low := order[(len(order)-1)/2]; from.Limits[v] > 2*low.Limits[v] {
			from = low // of the two in the middle the wider one, but no odd one
		}
		s.Tails[v], s.Limits[v], s.Widens[v] = from.Tails[v], from.Limits[v], from.Widens[v]
		if n := s.Tails[v].N(); n > lentTail { // the own one is to take over within weeks
			for b, w := range s.Tails[v].Bins {
				s.Tails[v].Bins[b] = uint16(math.Round(float64(w) * lentTail / n))
			}
		}
	}
	for w := range hoursOfWeek {
		slices.SortStableFunc(order, func(a, b *Slow) int { return cmp.Compare(a.Recurring.Peaks[w], b.Recurring.Peaks[w]) })
		from := order[(len(order)-1)/2]
		s.Recurring.Peaks[w], s.Recurring.At[w] = from.Recurring.Peaks[w], from.Recurring.At[w]
	}
}

// median of the values, 0 of none. It sorts them.
func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	return x[(len(x)-1)/2]/2 + x[len(x)/2]/2
}

// weightedMedian is over those lenders that have the value, 0 when none has.
func weightedMedian(ls []lender, value func(*lender) (float64, bool)) float64 {
	type weighed struct{ x, w float64 }
	have, sum := make([]weighed, 0, maxLenders), 0.0
	for i := range ls {
		if x, ok := value(&ls[i]); ok {
			have = append(have, weighed{x, ls[i].weight})
			sum += ls[i].weight
		}
	}
	slices.SortFunc(have, func(a, b weighed) int { return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.w, b.w)) })
	below := 0.0
	for i, h := range have {
		below += h.w
		if below > sum/2 || i == len(have)-1 {
			return h.x
		}
		if below == sum/2 {
			return h.x/2 + have[i+1].x/2
		}
	}
	return 0
}
