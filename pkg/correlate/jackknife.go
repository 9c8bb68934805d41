package correlate

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// skipped is the outcome and the traffic without one week.
type skipped struct {
	y       []float64
	traffic [][]float64
}

// withoutAnyWeek makes a pair as unsure as it is without the week that speaks most for it: what happened once, however strongly, is
// an incident and no relation.
func (e *evaluation) withoutAnyWeek(p *Pair, m *gls, x *column) {
	if p.P > e.o.FDR {
		return
	}
	week, t := e.weakest(m, x, p)
	left := 1.0
	if df := float64(p.N)*e.g - HoursPerWeek; t > 0 && df > 1 {
		left = min(2*distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)*float64(len(p.Profile)), 1)
	}
	if left > e.o.FDR {
		p.Doubts = append(p.Doubts, fmt.Sprintf("it rests on week %d of %d alone: an incident rather than a relation", week+1, e.in.Frame.Weeks()))
	}
	p.P = max(p.P, left)
}

// weakest is the week without which least of the effect is left, baselines included, and how many standard errors that is; negative
// where it turns.
func (e *evaluation) weakest(m *gls, x *column, p *Pair) (week int, t float64) {
	f := e.in.Frame
	if e.without == nil {
		e.without = make([]skipped, f.Weeks())
		for w := range e.without {
			s := &e.without[w]
			s.y = residual(f, e.y.raw, w)
			s.traffic = [][]float64{ones(f.Rows())}
			if e.volume != nil {
				s.traffic = trafficColumns(f, e.volume, w)
			}
		}
	}
	t = math.Inf(1)
	for w, s := range e.without {
		rest := *m
		rest.whiten(s.y, append(append([][]float64{}, s.traffic...), lagged(residual(f, x.raw, w), p.Lag)), m.ar)
		left := 0.0
		if one, ok := rest.among(p.Step, nil); ok {
			left = math.Copysign(one.Coef/one.SE, one.Coef*p.Effect.Coef)
		}
		if left < t {
			week, t = w, left
		}
	}
	return week, t
}
