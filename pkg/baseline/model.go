package baseline

import (
	"math"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// Values is what the model of a value remembers beside its open hour; it has a fixed size.
type Values struct {
	Slow   Slow
	Recent Recent
}

// Model is what is normal for one series: either of values or of a ratio.
type Model struct {
	Open    OpenHour
	*Values         // nil of a ratio
	*Ratio          // nil of values
	Groups  []Group // of special days, by their number minus one

	calendar calendar
	step     int64   // milliseconds between points
	share    float32 // of a row's events that no other row has
	counts   bool    // events: the variance is at least the mean

	loan  *loan // nil when nothing is borrowed
	frame frame // cache
}

// New returns a model that knows nothing. step is the distance of its points. A calendar that also has a method
// Group(unixMillis) int knows special days.
func New(cal calendar, step time.Duration, options ...Option) *Model {
	m := &Model{calendar: cal, step: max(step.Milliseconds(), 1), share: 1}
	for _, o := range options {
		o(m)
	}
	if m.Ratio == nil {
		m.Values = &Values{}
	}
	return m
}

// Step judges the point with what was known before it, then learns from it. Points come in the order of time; a missing
// one only lets time pass. closed is the summary of an hour that ended before this step, if ok; it has been folded
// already and is for the history.
func (m *Model) Step(p series.Point) (v Verdict, closed Summary, ok bool) {
	closed, ok = m.pass(p.T)
	m.judgeInto(p, &v)
	return v, closed, ok
}

// Judge is Step for who closes hours himself, see Ends; the verdict is overwritten.
func (m *Model) Judge(p series.Point, v *Verdict) {
	*v = Verdict{}
	m.judgeInto(p, v)
}

// judgeInto fills an empty verdict.
func (m *Model) judgeInto(p series.Point, v *Verdict) {
	v.Point, v.Excess = p, NoExcess
	if m.Ratio != nil {
		m.stepRatio(v)
		return
	}
	m.expect(p.T, &v.Expectation)
	if p.Missing != series.Observed {
		return
	}
	of, r := values, p.Value // the residual, as soon as there is one
	if v.expected {
		of, r = m.recentKind(), p.Value-v.Center
	} else if m.frame.anchored {
		f, frac := m.frameAt(p.T)
		of, r = anchored, p.Value-lerp(f.a.center, f.b.center, frac)
	}
	if !m.fresh(p.T, of) {
		m.Recent = Recent{Of: of}
	}
	limit, quiet := math.Inf(1), 0.0
	if v.Known {
		limit, quiet = v.limits[Context], float64(m.frame.a.quiet)
	}
	x := m.Recent.look(r, p.Value, v.unit, limit, quiet, &m.Slow, of)
	if v.Known {
		m.judge(v, &x)
	}
	m.Recent.take(p.T, r, p.Value, v.unit, limit, &x)
	m.Open.add(hourOf(p.T), p.T, p.Value, p.Denominator, &v.Expectation, &x)
	if m.loan.settling() && m.frame.shaped {
		f, frac := m.frameAt(p.T)
		m.learnRow(v, lerp(float64(f.lent[0]), float64(f.lent[1]), frac), r, &x)
	}
}

func (m *Model) judge(v *Verdict, x *views) {
	for i := range viewCount {
		g := Gate{Seen: x.at[i], Limit: v.limits[i]}
		if i == Jump && x.neighbours < 1 || i == Surprise && x.neighbours < 2 {
			g.Limit = 0
		}
		v.Gates[i] = g
	}
	v.Score = Score(&v.Gates)
	v.Excess = excessOf(v.Score, &v.Gates, m.Slow.widening)
	v.Returning = math.Abs(v.Gates[Context].Score()) < 1 && (x.back || m.Recent.Back > 0 && averaged(&v.Gates))
	x.peak = v.Score * v.widen
	// A line is flat at a value inside the band: the band that is shown ends before it.
	if v.Score >= 1 && v.Value <= v.Upper {
		v.Upper = v.Value - m.Slow.floor()
		v.Lower = min(v.Lower, v.Upper)
	} else if v.Score <= -1 && v.Value >= v.Lower {
		v.Lower = v.Value + m.Slow.floor()
		v.Upper = max(v.Lower, v.Upper)
	}
}

// averaged tells whether an average decides.
func averaged(gates *[viewCount]Gate) bool {
	most, which := 0.0, Context
	for v := range gates {
		if s := math.Abs(gates[v].Score()); s > most {
			most, which = s, View(v)
		}
	}
	return which == ShortMean || which == LongMean
}

// recentKind tells which of them the recent course is of.
func (m *Model) recentKind() kind {
	if m.frame.known && !m.loan.settling() {
		return inUnits
	}
	return plain
}

// fresh tells whether the recent points are neighbours of one at t.
func (m *Model) fresh(t int64, of kind) bool {
	return m.Recent.N > 0 && m.Recent.Of == of && t-m.Recent.LastT <= gapSteps*m.step
}

// pass closes the open hour when t lies beyond it. ok is false when there was none, or when history has that hour
// already and knows it better.
func (m *Model) pass(t int64) (closed Summary, ok bool) {
	if !m.Ends(t) {
		return Summary{}, false
	}
	return m.Close(true)
}

// Rest closes what is open and returns it, if it was not folded.
func (m *Model) Rest() (rest []Summary) {
	if s, ok := m.closeOpen(); ok {
		rest = append(rest, s)
	}
	return rest
}

// Refold makes the slow model anew from a whole history, oldest first; the fast state stays. A series that borrowed starts
// from what was lent.
func (m *Model) Refold(history []Summary) {
	m.Groups = nil
	if m.Ratio != nil {
		m.Past, m.Proportion = Past{}, Proportion{}
	} else {
		m.Slow = Slow{}
	}
	m.outgrow(history)
	defer m.restartFromPrior()()
	for i := range history {
		m.fold(&history[i])
	}
	m.frame.ok = false
}

// Restart forgets the recent course, as when the past it stood on was forgotten.
func (m *Model) Restart() {
	if m.Ratio != nil {
		m.Bins = [binCount]Bin{}
		return
	}
	m.Recent = Recent{}
	if m.loan.settling() {
		m.loan.Open = tally{}
		m.rescale()
	}
}

// FreshLevel says that with the hour of t the series may live on another level: a deploy.
func (m *Model) FreshLevel() { m.Open.Flags |= FreshLevel }

// Adopt takes over all that another model of the same series knows.
func (m *Model) Adopt(from *Model) {
	m.Open, m.Values, m.Ratio = from.Open, nil, nil
	m.Groups = append([]Group(nil), from.Groups...)
	if from.Ratio != nil {
		m.Ratio = &Ratio{Past: from.Past, Proportion: from.Proportion, Tally: from.Tally}
	} else {
		own := *from.Values
		m.Values = &own
	}
	if m.loan = from.loan; m.loan != nil {
		own := *m.loan
		m.loan = &own
	}
	m.frame.ok = false
}

// hourOf is the hour since 1970 that holds the instant.
func hourOf(ms int64) int64 { return floorDiv(ms, hourMillis) }
