package correlate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/stats"
)

// Effect is how much the outcome differs when the driver is one step above its usual: a coefficient of the outcome's scale, see
// Percent.
type Effect struct {
	Coef      float64 // per step of the driver
	SE        float64
	Low, High float64 // 95 %; of a lag that is not certain, of all that it may be
	DF        float64
}

// interval is the effect's at a level.
func (e Effect) interval(level float64) (low, high float64) {
	if !(e.DF >= 1) || !(e.SE > 0) {
		return math.Inf(-1), math.Inf(1)
	}
	t := distuv.StudentsT{Sigma: 1, Nu: e.DF}.Quantile(0.5 + level/2)
	return e.Coef - t*e.SE, e.Coef + t*e.SE
}

// Detectable is the smallest |coefficient| per step that would have been seen in four of five cases.
func (e Effect) Detectable() float64 {
	if !(e.DF >= 1) || !(e.SE > 0) {
		return math.Inf(1)
	}
	const power80 = 0.8416
	return (distuv.StudentsT{Sigma: 1, Nu: e.DF}.Quantile(0.975) + power80) * e.SE
}

// p is that of no effect, two-sided.
func (e Effect) p() float64 {
	if !(e.DF >= 1) || !(e.SE > 0) {
		return 1
	}
	return 2 * distuv.StudentsT{Sigma: 1, Nu: e.DF}.Survival(math.Abs(e.Coef)/e.SE)
}

func newEffect(coef, se, df float64) Effect {
	e := Effect{Coef: coef, SE: se, DF: df}
	e.Low, e.High = e.interval(0.95)
	return e
}

// Percent of a coefficient on the logarithmic scale.
func Percent(coef float64) float64 { return 100 * math.Expm1(coef) }

// gls is a regression of y on the driver at its lag (the last column) and what is held equal, with errors that follow
// themselves.
type gls struct {
	ar      stats.AR
	y       []float64   // whitened
	columns [][]float64 // whitened
	fit     fit
	widen   float64 // of standard errors: 1/√g, for what the weekly baseline has used up
}

const passes = 4 // of Cochrane and Orcutt's iteration

// newGLS is not ok where rows are too few or the driver is a function of what is held equal. g is (w−1)/w.
func newGLS(y, driver []float64, held [][]float64, g float64) (*gls, bool) {
	columns := append(append([][]float64{}, held...), driver)
	m := &gls{y: y, columns: columns, widen: 1 / math.Sqrt(g)}
	var ok bool
	if m.fit, ok = ols(y, columns, nil); !ok {
		return nil, false
	}
	for range passes {
		errs := m.fit.rest(y, columns)
		ar := stats.FitAR(stats.Autocorrelation(errs, arOrder), m.fit.n, arOrder)
		if m.whiten(y, columns, ar); len(ar) == 0 {
			break
		}
		f, ok := ols(m.y, m.columns, nil)
		if !ok {
			return nil, false
		}
		m.fit = f
	}
	return m, true
}

func (m *gls) whiten(y []float64, columns [][]float64, ar stats.AR) {
	m.ar = ar
	m.y = ar.Whiten(nil, y)
	m.columns = make([][]float64, len(columns))
	for i, c := range columns {
		m.columns[i] = ar.Whiten(nil, c)
	}
}

// effect is the driver's coefficient times step.
func (m *gls) effect(step float64) Effect { return m.effectOf(&m.fit, step) }

func (m *gls) effectOf(f *fit, step float64) Effect {
	last := len(f.coef) - 1
	df := max(float64(f.n)/m.widen/m.widen-float64(len(f.coef)), 1)
	return newEffect(f.coef[last]*step, f.se(last)*m.widen*step, df)
}

// at is the effect at other lags of the driver, x, beside the same things held equal and with the same errors.
func (m *gls) at(x []float64, lags []int, step float64) []Effect {
	var out []Effect
	white := m.ar.Whiten(nil, x)
	columns := slices.Clone(m.columns)
	for _, k := range lags {
		columns[len(columns)-1] = lagged(white, k)
		if f, ok := ols(m.y, columns, nil); ok {
			out = append(out, m.effectOf(&f, step))
		}
	}
	return out
}

// hull is the interval that holds those of all effects.
func hull(level float64, effects ...Effect) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, e := range effects {
		l, h := e.interval(level)
		low, high = min(low, l), max(high, h)
	}
	return low, high
}

// among is the effect over some of the rows; ok is false where these are too few to say.
func (m *gls) among(step float64, use func(t int) bool) (Effect, bool) {
	f, ok := ols(m.y, m.columns, use)
	if !ok || f.n < HoursPerWeek/2 {
		return Effect{}, false
	}
	return m.effectOf(&f, step), true
}
