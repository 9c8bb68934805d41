package incident

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Label says how well a cause explains the outcome.
type Label string

// The labels. Whatever has none did nothing unusual and explains nothing, however high it ranks among its like.
const (
	Strong   Label = "strong"    // it left its usual range, and went along with an outcome that left its own
	SameTime Label = "same_time" // it left its usual range meanwhile
)

const (
	unusual  = 3.0 // scales that a series has to move for a label
	goesWith = 0.5 // |correlation| from which on it moves with the outcome
)

// Cause is a series other than the outcome, with what speaks for it.
type Cause struct {
	Series     *Series
	Score      float64 // at most 1, comparable within one ranking only
	Label      Label   // empty: nothing unusual
	Shift      float64 // mean distance from its usual level during the incident, in scales; negative when it was mostly below
	CoMovement float64 // correlation with the outcome over the incident and four times its length before it
	Onset      int64   // when it began to move, unix milliseconds; 0 without a label
}

// Ranking is the answer to a case.
type Ranking struct {
	Outcome Cause   // the outcome that moved most; its score is 0
	Causes  []Cause // every other series, best first
	// First are those labelled causes, at most one of a service, that began to move before all others and the outcome. Several began
	// within two samples of each other and nobody knows who calls whom: simultaneous.
	First []Cause

	most float64 // largest distance of the outcome from its level, in scales
}

// Explained tells whether anything explains the outcome.
func (r *Ranking) Explained() bool {
	return slices.ContainsFunc(r.Causes, func(c Cause) bool { return c.Label != "" })
}

// OutcomeMoved tells whether the outcome left its usual range at least once. Nothing explains strongly what did not move.
func (r *Ranking) OutcomeMoved() bool { return r.most > unusual }

// evidence is what is known of a series before services are compared.
type evidence struct {
	series *Series
	usual  usual
	size   float64 // mean |score|
	signed float64
	most   float64
	with   float64 // correlation with the outcome
	own    float64 // size × co-movement
	path   float64 // the same on the outcome's own signal
}

// Rank orders the series of a case by service, and the series of a service by themselves. A service's score has two halves:
//
//   - its own movement: the mean of its two best series of ln(1 + shift) · (1 − m·(1 − |r|)), as a share of the largest of
//     all services. r is the correlation with the outcome and m = shift/(1 + shift) of the outcome: how the outcome moved
//     says something only as far as it moved;
//   - the way the symptom took: r · m of the service on the very signal that the outcome is, if it has one. A request that
//     is slow is slow wherever it waits. What moves against the outcome there is not on the way.
//
// Where a graph is known the second part counts twice, less for a service that has a callee on the way too: it hands on what
// it suffers (calleePenalty).
//
// Shift × co-movement as published in this form is measured in docs/accuracy.md, with the parts.
func Rank(c *Case) (*Ranking, error) {
	rows, err := c.split()
	if err != nil {
		return nil, err
	}
	all, outcome, err := c.weigh(rows)
	if err != nil {
		return nil, err
	}
	services := c.services(all)
	r := &Ranking{Outcome: outcome.cause(0, ""), most: outcome.most}
	r.Outcome.CoMovement = 1
	for i := range all {
		e := &all[i]
		s := services[e.series.Service]
		score := 0.0
		if s.best > 0 {
			score = s.score * max(e.own, e.path) / s.best
		}
		r.Causes = append(r.Causes, e.cause(score, label(e, outcome)))
	}
	slices.SortStableFunc(r.Causes, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Series.Name, b.Series.Name))
	})
	c.onsets(rows, r)
	return r, nil
}

// weigh measures every series that could be a cause, and the outcome that moved most. Other statistics of the outcome's
// metric are the outcome once more, and left out.
func (c *Case) weigh(r rows) (all []evidence, outcome *evidence, err error) {
	measure := func(s *Series) (e evidence, ok bool) {
		e.series = s
		if e.usual, ok = learn(pick(s.Values, r.normal), c.Floor); !ok {
			return e, false
		}
		e.size, e.signed, e.most = e.usual.shifted(pick(s.Values, r.incident))
		return e, true
	}
	known := false
	for i := range c.Series {
		s := &c.Series[i]
		if len(s.Values) != len(c.Times) {
			return nil, nil, fmt.Errorf("series %s: %d values at %d times", s.Name, len(s.Values), len(c.Times))
		}
		if !s.Outcome {
			continue
		}
		known = true
		if e, ok := measure(s); ok && (outcome == nil || e.size > outcome.size) {
			outcome = &e
		}
	}
	switch {
	case !known:
		return nil, nil, fmt.Errorf("no series is the outcome")
	case outcome == nil:
		return nil, nil, fmt.Errorf("the outcome has no values outside the incident")
	}
	suffered := pick(outcome.series.Values, r.recent)
	weight := moved(outcome.size)
	for i := range c.Series {
		s := &c.Series[i]
		if s.Outcome || s.Service == outcome.series.Service && s.metric() == outcome.series.metric() && s.Signal != "" {
			continue
		}
		e, ok := measure(s)
		if !ok {
			continue
		}
		e.with = together(pick(s.Values, r.recent), suffered)
		e.own = math.Log1p(e.size) * (1 - weight*(1-math.Abs(e.with)))
		if s.Signal != "" && s.Signal == outcome.series.Signal {
			e.path = max(0, e.with) * moved(e.size)
		}
		all = append(all, e)
	}
	return all, outcome, nil
}

// service is what its series come to.
type service struct {
	own, path float64
	best      float64 // of its series
	score     float64
}

const (
	calleePenalty = 0.6
	calleeMoved   = 2.0 // scales that a callee has moved for the blame to be its
)

// services scores every service.
func (c *Case) services(all []evidence) map[string]*service {
	own := map[string][]float64{}
	out := map[string]*service{}
	handsOn := map[string]bool{} // on the way, and moved
	for i := range all {
		e := &all[i]
		name := e.series.Service
		s := out[name]
		if s == nil {
			s = &service{}
			out[name] = s
		}
		own[name] = append(own[name], e.own)
		s.path = max(s.path, e.path)
		s.best = max(s.best, e.own, e.path)
		if e.path > 0 && e.size > calleeMoved && e.with > goesWith {
			handsOn[name] = true
		}
	}
	most := 0.0
	for name, s := range out {
		s.own = bestTwo(own[name])
		most = max(most, s.own)
	}
	for name, s := range out {
		share, path := 0.5, s.path
		if c.Graph != nil {
			share = 2.0 / 3
			if slices.ContainsFunc(c.Graph.Callees(name), func(callee string) bool { return handsOn[callee] }) {
				path *= calleePenalty
			}
		}
		s.score = share * path
		if most > 0 {
			s.score += (1 - share) * s.own / most
		}
	}
	return out
}

// bestTwo is the mean of the two largest; of one, that one.
func bestTwo(x []float64) float64 {
	slices.Sort(x)
	if n := len(x); n > 1 {
		return (x[n-1] + x[n-2]) / 2
	}
	return x[0]
}

func label(e, outcome *evidence) Label {
	switch {
	case e.size <= unusual:
		return ""
	case math.Abs(e.with) > goesWith && outcome.most > unusual:
		return Strong
	}
	return SameTime
}

func (e *evidence) cause(score float64, l Label) Cause {
	return Cause{Series: e.series, Score: score, Label: l, Shift: math.Copysign(e.size, e.signed), CoMovement: e.with}
}
