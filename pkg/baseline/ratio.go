package baseline

import (
	"math"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// Option says what a model's values are.
type Option func(*Model)

// OfRatio makes a model judge a ratio by its counts: points bring a denominator. window is the trailing window that a
// row sums over; where it is longer than the distance of rows they share events, and each counts once.
func OfRatio(window time.Duration) Option {
	return func(m *Model) {
		m.Ratio = &Ratio{}
		m.share = min(1, float32(m.step)/float32(max(window.Milliseconds(), 1)))
	}
}

// OfCounts says that values are numbers of events: they vary by at least as much as independent events do.
func OfCounts() Option { return func(m *Model) { m.counts = true } }

// Ratio is what a model of a ratio has instead of a level and views.
type Ratio struct {
	Past Past
	Proportion
	Tally
	knots [2]rateKnot // cache, in the middle of an hour and of the next
}

// closeOpen closes the open hour. The mean of a ratio is that of its counts.
func (m *Model) closeOpen() (s Summary, ok bool) {
	if m.Ratio == nil {
		return m.Open.close()
	}
	o := &m.Open
	if o.N == 0 {
		return Summary{}, false
	}
	nan := float32(math.NaN())
	s = Summary{
		Hour: o.Hour, N: uint16(min(o.N, math.MaxUint16)), Flags: o.Flags, PeakAt: o.PeakAt, Peak: o.Peak,
		Mean: m.Num / o.WeightSum, Weight: float32(o.WeightSum / float64(o.N)),
		First: nan, Second: nan, Ref: nan, Abs: nan, High: nan, Low: nan, Move: nan,
	}
	*o, m.Num = OpenHour{}, 0
	return s.rounded(), true
}

// moment is what is expected of a ratio at an instant.
type moment struct {
	p, variance float64 // ratio, and how well it is known
	young       float64 // how much further it may be off
	usual       float64 // denominators an hour
	unit, skew  float64 // of one event: variance, and third cumulant over it, were events independent
	lattice     float64
	phi         [windowCount]float64
}

// at fills in what is expected at t, and what e says of it before anything is counted.
func (m *Model) at(t int64, e *Expectation) (x moment) {
	r := m.Ratio
	*e = Expectation{Center: math.NaN(), Lower: math.Inf(-1), Upper: math.Inf(1), Hours: int(r.Past.Hours), widen: 1}
	e.Why = YoungSeries
	if r.Past.Hours < firstDay || r.LevelDen <= 0 {
		return x
	}
	// Knots are in the middle of the points of their hour.
	middle := max(hourMillis-m.step, 0) / 2
	left := floorDiv(t-middle, hourMillis)
	if f := &m.frame; !f.ok || f.left != left {
		m.frame = frame{left: left, ok: true}
		for i := range r.knots {
			hour := left + int64(i)
			r.knots[i] = r.knot(m.slot(hour))
			m.special(&r.knots[i], hour)
		}
	}
	a, b := &r.knots[0], &r.knots[1]
	frac := float64(t-middle-left*hourMillis) / float64(hourMillis)
	switch {
	case !a.seen && !b.seen:
		e.Why = UnseenHour
		return x
	case !a.seen:
		a = b
	case !b.seen || m.step >= hourMillis:
		b = a
	}
	x.p, x.variance, x.usual = lerp(a.p, b.p, frac), lerp(a.variance, b.variance, frac), lerp(a.usual, b.usual, frac)
	x.young = lerp(a.young, b.young, frac)
	e.Center, e.expected, e.Weeks = x.p, true, min(a.weeks, b.weeks)
	if r.Past.Hours < firstDay+tailHours {
		return x
	}
	e.Known, e.Why = true, NotIgnorant
	hour, two := r.phis()
	hour, two = r.crowd(hour, x.usual), r.crowd(two, x.usual)
	x.phi = [windowCount]float64{hour, hour, hour, two}
	x.unit = r.unitVariance(x.p)
	if !r.Free {
		// The third cumulant of a mixture grows with the dispersion as that of the negative binomial distribution does.
		x.skew, x.lattice = (1-2*x.p)*(2*hour-1), 1
	}
	return x
}

// limits of window k with den denominators, whose numerator has this variance were events independent.
func (x *moment) limits(k int, den, variance float64) (low, high float64) {
	low, high = countTails()[k].reach(variance*x.phi[k]+den*den*x.variance, x.skew, x.lattice)
	return low + den*x.young, high + den*x.young
}

// counts of a row that can be told, each event once.
func (m *Model) rowCounts(p *series.Point) (b Bin, ok bool) {
	if !(p.Denominator > 1/huge) || p.Denominator > huge || !(math.Abs(p.Value) <= huge) {
		return b, false
	}
	b.Den = p.Denominator * float64(m.share)
	b.Num = p.Value * b.Den
	return b, true
}

func (m *Model) stepRatio(v *Verdict) {
	x := m.at(v.T, &v.Expectation)
	c := &m.Tally
	c.advance(v.T)
	v.Counted = true
	row, ok := m.rowCounts(&v.Point)
	if v.Missing != series.Observed || !ok {
		m.show(&x, &v.Expectation)
		return
	}
	if v.expected {
		row.Want, row.Var = x.p*row.Den, x.unit*row.Den
	}
	before := c.windows()
	if v.Known {
		m.count(v, &x, &before, &row)
	}
	if v.expected {
		c.bin(c.At).add(&row)
	}
	v.Excess = excessOf(v.Score, &v.Gates, func(View) float64 { return leastWidening })
	if math.Abs(v.Score) >= overBelow {
		m.end(&x)
	}
	o := &m.Open
	if o.N == 0 {
		*o = OpenHour{Hour: int32(hourOf(v.T)), Flags: o.Flags}
	}
	o.N++
	o.WeightSum += v.Denominator
	c.Num += v.Value * v.Denominator
	if p := float32(math.Abs(v.Score)); p > o.Peak {
		o.Peak, o.PeakAt = p, uint8((v.T-hourOf(v.T)*hourMillis)/60_000)
	}
}

// count judges a row with what was counted before it, and puts the band.
func (m *Model) count(v *Verdict, x *moment, before *[windowCount]Bin, row *Bin) {
	lo, hi, gates := math.Inf(-1), math.Inf(1), false // where this row's ratio would be on the edge
	var below, above [windowCount]float64             // of the expected ratio: the edges of the windows' own
	for k := range before {
		w := &before[k]
		den := w.Den + row.Den
		if den < thinBelow {
			continue
		}
		gates = true
		want := w.Want + row.Want
		low, high := x.limits(k, den, w.Var+row.Var)
		g := Gate{Seen: w.Num + row.Num - want, Limit: high}
		if g.Seen < 0 {
			g.Limit = low
		}
		v.Gates[k] = g
		lo, hi = max(lo, (want-low-w.Num)/row.Den), min(hi, (want+high-w.Num)/row.Den)
		below[k], above[k] = low/den, high/den
	}
	if !gates || max(x.usual, before[hourWindow].Den+row.Den) < thinBelow {
		v.Gates = [viewCount]Gate{}
		v.thin()
		return
	}
	v.Score = Score(&v.Gates)
	if math.Abs(v.Score) < 1 {
		m.band(&v.Expectation, min(lo, x.p), max(hi, x.p))
		return
	}
	k := decides(&v.Gates, v.Score)
	m.band(&v.Expectation, x.p-below[k], x.p+above[k])
	m.avoid(v)
}

// decides tells which window is furthest outside on the side of the score.
func decides(gates *[viewCount]Gate, score float64) (window int) {
	most := 0.0
	for k := range windowCount {
		if s := math.Copysign(1, score) * gates[k].Score(); s > most {
			most, window = s, k
		}
	}
	return window
}

// avoid moves the edge of the band past a row that is anomalous for what came before it, and not for itself: what is outside
// is seen outside. A proportion that is 0 or 1 already cannot be.
func (m *Model) avoid(v *Verdict) {
	width := v.Upper - v.Lower
	switch {
	case v.Score <= -1 && v.Value >= v.Lower && (m.Free || v.Value < 1):
		v.Lower = math.Nextafter(v.Value, math.Inf(1))
		if v.Upper <= v.Lower {
			m.band(&v.Expectation, v.Lower, v.Lower+width)
		}
	case v.Score >= 1 && v.Value <= v.Upper && (m.Free || v.Value > 0):
		v.Upper = math.Nextafter(v.Value, math.Inf(-1))
		if v.Lower >= v.Upper {
			m.band(&v.Expectation, v.Upper-width, v.Upper)
		}
	}
}

func (e *Expectation) thin() {
	e.Known, e.Why = false, Thin
	e.Lower, e.Upper = math.Inf(-1), math.Inf(1)
}

// band puts the edges; the ratio of successes is within 0 and 1.
func (m *Model) band(e *Expectation, lo, hi float64) {
	if !m.Free {
		lo, hi = min(max(lo, 0), 1), min(max(hi, 0), 1)
	}
	e.Lower, e.Upper = lo, hi
}

// end drops what came before the end of an incident, so that a long window does not tell of it for as long as it is: what was
// outside by itself, when the newest bins are as usual. A deviation that is still being gathered is kept.
func (m *Model) end(x *moment) {
	sums := m.windows()
	for k := 1; k < windowCount; k++ {
		for newest := range k {
			old := sums[k].less(&sums[newest])
			if old.Den < thinBelow || !(old.Want > 0) {
				continue
			}
			low, high := x.limits(k, old.Den, old.Var)
			if d := old.Num - old.Want; (d > high || d < -low) && sums[newest].ended(&old) {
				m.forget(windowBins[newest])
				return
			}
		}
	}
}

// foresee says what is expected of an instant whose row is not there yet.
func (m *Model) foresee(t int64, e *Expectation) {
	x := m.at(t, e)
	m.show(&x, e)
}

// show puts the band where a deviation of a whole window would be on its edge, at the usual traffic.
func (m *Model) show(x *moment, e *Expectation) {
	if !e.Known {
		return
	}
	if x.usual < thinBelow {
		e.thin()
		return
	}
	lo, hi := math.Inf(-1), math.Inf(1)
	for k, bins := range windowBins {
		den := x.usual * float64(bins) / binsOfHour
		if den < thinBelow {
			continue
		}
		low, high := x.limits(k, den, den*x.unit)
		lo, hi = max(lo, x.p-low/den), min(hi, x.p+high/den)
	}
	m.band(e, lo, hi)
}
