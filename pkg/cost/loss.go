package cost

import (
	"errors"
	"math"
	"slices"
)

// Row is one step of a signal, in the unit that adds up over steps. Of a ratio the expected amount is expected ratio ×
// denominator. NaN in either says that the step is not known: silence, or of history an incident that was.
type Row struct{ Expected, Actual float64 }

func (r Row) known() bool { return !math.IsNaN(r.Expected) && !math.IsNaN(r.Actual) }

// Loss is what a span took.
type Loss struct {
	Lost      float64 // expected minus actual over the known rows; negative when more came than was expected
	Low, High float64 // at Level
	Level     float64 // probability that the interval holds the truth
	Expected  float64 // what would have come
	Actual    float64 // what came
	Rows      int     // known rows of the span, which the sums are over
	Missing   int     // rows of the span of which nothing is known
	Spans     int     // spans in a row of which the interval was learnt
}

// ErrHistory says that the past is too short to tell how wrong the baseline is: Lost stands, the interval is infinite.
var ErrHistory = errors.New("estimate loss: too little history for an interval")

const (
	minSpans = 20 // in a row, from which quantiles are read
	clip     = 4  // deviations beyond which an error of the past is one of an incident and counts as that much
	robust   = 1.4826
)

// Estimate sums up a window that follows its history, both in the order of time and in the same steps. Expectations must have
// been made without the row they are for, as those of a model that judges before it learns, or of the other weeks: then
// the errors of the past hold the noise, its autocorrelation and the uncertainty of the baseline.
//
// The history is cut into spans as long as the window. The error of a span, what came less what was expected, has the standard
// deviation √(α·E + β·E²) of what was expected of it, E: counts, and what moves in proportion. Divided by it, errors
// are compared over nights and days; what the span before tells of the next one (a day that runs high) corrects the
// expectation; the quantiles of what remains are the interval. A window too long for twenty spans takes its interval from
// shorter ones, whose sums are added with the correlation of neighbours.
func Estimate(history, window []Row, level float64) (Loss, error) {
	out := Loss{Level: level, Low: math.Inf(-1), High: math.Inf(1)}
	for _, r := range window {
		if !r.known() {
			out.Missing++
			continue
		}
		out.Rows++
		out.Expected += r.Expected
		out.Actual += r.Actual
	}
	out.Lost = out.Expected - out.Actual
	if out.Rows == 0 {
		return out, nil
	}
	known := 0
	for _, r := range history {
		if r.known() {
			known++
		}
	}
	length := min(len(window), known*4/5/minSpans)
	if length == 0 {
		return out, ErrHistory
	}
	spans := cut(history, length)
	e, ok := learn(spans, max(length/stride(length), 1))
	if !ok {
		return out, ErrHistory
	}
	out.Spans = e.independent
	last, hasLast := spanOf(history[len(history)-length:])
	shift := e.mean
	if hasLast {
		shift += e.carry * (e.standard(last) - e.mean)
	}
	parts := float64(len(window)) / float64(length)
	sd := e.sd(out.Expected/parts) * parts
	widen := 1.0
	if parts > 1 {
		// What was just before says little of a window this long, so that it is not taken off either.
		shift = e.mean
		widen = math.Sqrt(sumVariance(parts, e.carry)/(1-e.carry*e.carry)) / parts
	}
	out.Expected += shift * sd
	out.Lost = out.Expected - out.Actual
	tail := (1 - level) / 2
	out.Low = out.Lost + e.quantile(tail)*sd*widen
	out.High = out.Lost + e.quantile(1-tail)*sd*widen
	return out, nil
}

// span is a run of rows: sums over the known ones, scaled up to the whole.
type span struct{ expected, err float64 }

// spanOf is not ok when more than a quarter of the rows is unknown.
func spanOf(rows []Row) (s span, ok bool) {
	n := 0
	for _, r := range rows {
		if r.known() {
			s.expected += r.Expected
			s.err += r.Actual - r.Expected
			n++
		}
	}
	if n == 0 || 4*n < 3*len(rows) {
		return span{}, false
	}
	up := float64(len(rows)) / float64(n)
	return span{s.expected * up, s.err * up}, s.expected > 0
}

// stride is how far apart spans begin: they overlap fourfold where they can, which steadies quantiles.
func stride(length int) int { return max(length/4, 1) }

// cut returns the spans of a history so that its last one ends with it; one that is not known is zero.
func cut(history []Row, length int) []span {
	step := stride(length)
	out := make([]span, (len(history)-length)/step+1)
	first := len(history) - length - (len(out)-1)*step
	for i := range out {
		if s, ok := spanOf(history[first+i*step:][:length]); ok {
			out[i] = s
		}
	}
	return out
}

// spanErrors is how wrong a baseline is over spans of one length, in their standard deviations.
type spanErrors struct {
	alpha, beta float64 // variance of a span's error by what was expected: α·E + β·E²
	mean        float64 // of standardised errors: the bias of the baseline
	carry       float64 // how much of a span's error the next one has too
	rest        []float64
	independent int
}

func (e *spanErrors) sd(expected float64) float64 {
	return math.Sqrt(e.alpha*expected + e.beta*expected*expected)
}

func (e *spanErrors) standard(s span) float64 {
	sd := e.sd(s.expected)
	if sd == 0 {
		return 0
	}
	return min(max(s.err/sd, -clip), clip)
}

// learn is not ok with fewer than minSpans independent spans. Neighbours that share no row are apart places away.
func learn(spans []span, apart int) (*spanErrors, bool) {
	e := &spanErrors{}
	var known []span
	for _, s := range spans {
		if s.expected > 0 {
			known = append(known, s)
		}
	}
	e.independent = len(known) / apart
	if e.independent < minSpans {
		return nil, false
	}
	e.fitVariance(known)
	for _, s := range known {
		e.mean += e.standard(s) / float64(len(known))
	}
	var product, square float64
	var pairs int
	for i := apart; i < len(spans); i++ {
		if a, b := spans[i-apart], spans[i]; a.expected > 0 && b.expected > 0 {
			x, y := e.standard(a)-e.mean, e.standard(b)-e.mean
			product += x * y
			square += x * x
			pairs++
		}
	}
	if square > 0 && pairs > apart*minSpans/2 {
		e.carry = min(max(product/square, 0), 0.95)
	}
	for i, s := range spans {
		if s.expected == 0 {
			continue
		}
		r := e.standard(s) - e.mean
		if i >= apart && spans[i-apart].expected > 0 {
			r -= e.carry * (e.standard(spans[i-apart]) - e.mean)
		}
		e.rest = append(e.rest, r)
	}
	slices.Sort(e.rest)
	return e, true
}

// fitVariance is the least-squares fit of err²/E = α + β·E with neither below zero, twice: the second time errors beyond
// clip deviations of the first count as that much, so that unmarked incidents do not widen every interval.
func (e *spanErrors) fitVariance(spans []span) {
	relative := make([]float64, len(spans))
	for i, s := range spans {
		relative[i] = math.Abs(s.err) / math.Sqrt(s.expected)
	}
	slices.Sort(relative)
	limit := 2 * clip * robust * relative[len(relative)/2]
	e.fit(spans, func(s span) float64 { return limit * math.Sqrt(s.expected) })
	first := *e
	e.fit(spans, func(s span) float64 { return clip * first.sd(s.expected) })
}

func (e *spanErrors) fit(spans []span, limit func(span) float64) {
	var n, x, y, xx, xy float64
	for _, s := range spans {
		r := min(math.Abs(s.err), limit(s))
		v := r * r / s.expected
		n, x, y, xx, xy = n+1, x+s.expected, y+v, xx+s.expected*s.expected, xy+s.expected*v
	}
	e.alpha, e.beta = y/n, 0
	if d := n*xx - x*x; d > 1e-9*n*xx {
		b := (n*xy - x*y) / d
		switch a := (y - b*x) / n; {
		case b < 0:
		case a < 0:
			e.alpha, e.beta = 0, xy/xx
		default:
			e.alpha, e.beta = a, b
		}
	}
}

// quantile interpolates between the sorted standardised errors.
func (e *spanErrors) quantile(p float64) float64 {
	at := p * float64(len(e.rest)-1)
	i := min(int(at), len(e.rest)-2)
	return e.rest[i] + (at-float64(i))*(e.rest[i+1]-e.rest[i])
}

// sumVariance is the variance of a sum of n ≥ 1 neighbours of variance 1 whose correlations are the powers of rho.
func sumVariance(n, rho float64) float64 {
	if n <= 1 {
		return 1
	}
	// Σ over i, j of ρ^|i−j|, for whole n; between them the formula goes on.
	return n + 2*rho/(1-rho)*(n-(1-math.Pow(rho, n))/(1-rho))
}

// Worth is a loss in money, or whatever one unit is worth.
func (l Loss) Worth(perUnit float64) Loss {
	l.Lost, l.Expected, l.Actual = l.Lost*perUnit, l.Expected*perUnit, l.Actual*perUnit
	l.Low, l.High = l.Low*perUnit, l.High*perUnit
	return l
}
