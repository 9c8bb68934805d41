package correlate

import (
	"fmt"

	"github.com/baseliner/baseliner/pkg/stats"
)

// try tests one driver.
func (e *evaluation) try(d *Series) (Pair, *column) {
	p := Pair{Driver: d.Name, Layer: d.Layer, Unit: d.Unit, P: 1, Q: 1}
	values := d.plain()
	x := newColumn(e.in.Frame, clipped(e.in.Frame, values), e.traffic)
	switch {
	case d.Name == e.in.Outcome.Name:
		p.Why = "it is the outcome itself"
	case e.in.Volume != nil && d.Name == e.in.Volume.Name:
		p.Why = "it is the traffic that is held equal"
	case x.n < minRows:
		p.Why = fmt.Sprintf("not enough data: %d hours, want %d", x.n, minRows)
	case !x.varies():
		p.Why = "it hardly varies beyond its weekly rhythm and the traffic"
	}
	if p.Why != "" {
		return p, x
	}
	p.SD = sd(x.res)
	p.Lo, p.Hi = percentiles(values)
	step, words, ok := Step(d.Unit)
	if !ok {
		step = p.SD
	}
	p.Step, p.StepWords = step, words
	p.Above, p.Below = exposure(x.res, e.in.Outcome.Values, p.Step)
	p.Profile = profile(x, e.y, e.o.MaxLag)
	p.Lag = peak(p.Profile)
	p.R, p.N = pearson(x.rest, e.y.rest, p.Lag)
	p.Ne = stats.EffectiveN(x.acf, e.y.acf, p.N) * e.g
	p.Band = noiseBand(p.Ne)
	if p.Ne < minNe {
		p.Why = fmt.Sprintf("not enough data: %d hours that follow one another say as much as %.0f", p.N, p.Ne)
		return p, x
	}
	m, ok := e.regression(x, p.Lag)
	if !ok {
		p.Why = "it cannot be told from the traffic"
		return p, x
	}
	p.P = min(correlationP(p.R, p.Ne)*float64(len(p.Profile)), 1)
	p.Effect = m.effect(p.Step)
	e.withoutAnyWeek(&p, m, x)
	p.Detectable = p.Effect.Detectable()
	p.maybe = m.at(x.res, plausible(p.Profile, float64(p.N)*e.g), p.Step)
	p.Effect.Low, p.Effect.High = p.interval(0.95)
	return p, x
}

func exposure(res, amounts []float64, step float64) (above, below float64) {
	n := 0.0
	for t, v := range res {
		if v != v || amounts[t] != amounts[t] {
			continue
		}
		n++
		if v > 0 {
			above += v / step * amounts[t]
		} else {
			below -= v / step * amounts[t]
		}
	}
	return above / max(n, 1), below / max(n, 1)
}

// interval of the effect, whichever of the plausible lags is the right one.
func (p *Pair) interval(level float64) (low, high float64) {
	return hull(level, append(p.maybe, p.Effect)...)
}

// held are the columns of a regression beside the driver.
func (e *evaluation) held() [][]float64 {
	if e.traffic != nil {
		return e.traffic
	}
	return [][]float64{ones(e.in.Frame.Rows())}
}

func (e *evaluation) regression(x *column, lag int) (*gls, bool) {
	return newGLS(e.y.res, lagged(x.res, lag), e.held(), e.g)
}

// percentiles are the 1st and the 99th of what is known.
func percentiles(x []float64) (lo, hi float64) {
	known := sorted(x)
	n := len(known)
	return known[n/100], known[n-1-n/100]
}
