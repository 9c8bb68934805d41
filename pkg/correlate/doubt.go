package correlate

import (
	"fmt"
	"math"
)

const (
	// certain is the p that a relation of grade A has at most, however few pairs were tried.
	certain = 0.001
	// ofYear is how many independent families a year of weekly evaluations is worth: 52 over eight weeks each, which overlap. In a year as
	// many false ones get grade A as false discoveries are allowed in one family, and not as many in every family.
	ofYear = 10
)

// doubt completes a pair that is shown: the effect with and without traffic, everything that speaks against it, and its grade
// as far as one evaluation can tell. sure is its p, or that of its group where that is larger: the surest of fifty that move together
// was chosen, and is as sure as they are.
func (e *evaluation) doubt(p *Pair, x *column, sure float64, groups int) {
	m, ok := e.regression(x, p.Lag)
	if !ok {
		return // try has done the same
	}
	if e.total != nil {
		if t, ok := newGLS(e.total.res, lagged(x.res, p.Lag), [][]float64{ones(e.in.Frame.Rows())}, e.g); ok {
			p.Total = t.effect(p.Step)
		}
	}
	grade := Reliable
	lower := func(to Grade, why string) {
		grade = min(grade, to)
		p.Doubts = append(p.Doubts, why)
	}
	if p.Lag < 0 {
		lower(Unstable, "the outcome moves first")
	}
	if p.Effect.Coef*p.R < 0 {
		lower(Unstable, "correlation and effect disagree about the direction")
	}
	for _, s := range e.splits() {
		if why := s.disagree(m, p.Step); why != "" {
			lower(Unstable, why)
		}
	}
	if e.traffic == nil {
		lower(Plausible, "traffic is not known")
	}
	if sure > min(certain, e.o.FDR/ofYear/float64(groups)) {
		lower(Plausible, "among so many pairs one is this sure by chance now and then")
	}
	p.Grade = grade
}

// split is a division of the rows among which an effect should be the same.
type split struct {
	parts []string
	of    func(t int) int // which part a row belongs to
}

func (e *evaluation) splits() []split {
	rows := e.in.Frame.Rows()
	out := []split{{
		parts: []string{"the first half", "the second half"},
		of:    func(t int) int { return 2 * t / rows },
	}}
	if e.volume != nil {
		low, high := terciles(e.volume)
		out = append(out, split{
			parts: []string{"little traffic", "usual traffic", "much traffic"},
			of: func(t int) int {
				switch v := e.volume[t]; {
				case v < low:
					return 0
				case v < high:
					return 1
				}
				return 2
			},
		})
	}
	return out
}

// disagree says which parts contradict each other: the effect turns, or the intervals do not meet.
func (s split) disagree(m *gls, step float64) string {
	var effects []Effect
	var names []string
	for i, name := range s.parts {
		if e, ok := m.among(step, func(t int) bool { return s.of(t) == i }); ok {
			effects, names = append(effects, e), append(names, name)
		}
	}
	for i, a := range effects {
		for j, b := range effects[:i] {
			if a.Coef*b.Coef < 0 {
				return fmt.Sprintf("it turns between %s and %s", names[j], names[i])
			}
			if a.Low > b.High || b.Low > a.High {
				return fmt.Sprintf("it differs between %s and %s", names[j], names[i])
			}
		}
	}
	return ""
}

// terciles of what is known.
func terciles(x []float64) (low, high float64) {
	known := sorted(x)
	if len(known) == 0 {
		return math.NaN(), math.NaN()
	}
	return known[len(known)/3], known[2*len(known)/3]
}
