package correlate

import (
	"cmp"
	"slices"
)

// Method is the version of everything that decides what a report says; it changes when the same data may give another answer.
const Method = "residual-lag-gls/1"

// Options of an evaluation; zero values are the defaults.
type Options struct {
	MaxLag int     // hours that either side may lead; 6
	FDR    float64 // share of chance among what is shown; 0.05
}

func (o Options) completed() Options {
	if o.MaxLag <= 0 {
		o.MaxLag = 6
	}
	if !(o.FDR > 0) {
		o.FDR = 0.05
	}
	return o
}

// Family is everything that one evaluation tried: all drivers on all outcomes. It is frozen: what is shown later of this week is
// read from it.
type Family struct {
	Method    string
	End       int64 // hours since 1970 UTC of the first row after it
	Weeks     int
	MaxLag    int
	FDR       float64
	Tested    int     // pairs
	Groups    int     // of drivers that move together, m: findings that there could be
	Threshold float64 // p up to which findings are shown; 0 when none is
	Studies   []*Study
}

// Decide makes a family of the studies of one evaluation: which pairs are shown, with which grade as far as one evaluation can
// tell, and which of them are one finding. Studies are on frames of the same end.
func Decide(studies []*Study, o Options) *Family {
	o = o.completed()
	f := &Family{Method: Method, MaxLag: o.MaxLag, FDR: o.FDR, Studies: studies}
	for _, s := range studies {
		frame := s.evaluation.in.Frame
		f.End = max(f.End, frame.First+int64(frame.Rows()))
		f.Weeks = max(f.Weeks, frame.Weeks())
	}
	f.discover()
	for _, s := range studies {
		for _, g := range s.groups {
			for _, i := range g.members {
				if p := &s.Pairs[i]; p.Shown {
					s.evaluation.doubt(p, s.columns[i], max(p.P, g.p), f.Groups)
				}
			}
		}
		s.lead()
	}
	return f
}

// Evaluate is Try and Decide of a single outcome.
func Evaluate(in Input, o Options) (*Family, error) {
	s, err := Try(in, o)
	if err != nil {
		return nil, err
	}
	return Decide([]*Study{s}, o), nil
}

// discover decides which findings are shown (Benjamini and Hochberg, 1995, over the groups), and widens the intervals of what is
// shown for having been chosen: R of m pairs at level 1 − R·q/m (Benjamini and Yekutieli, 2005).
func (f *Family) discover() {
	type place struct {
		*group
		of *Study
	}
	var order []place
	for _, s := range f.Studies {
		s.cluster()
		for i := range s.groups {
			order = append(order, place{&s.groups[i], s})
			f.Tested += len(s.groups[i].members)
		}
	}
	f.Groups = len(order)
	m := float64(f.Groups)
	slices.SortStableFunc(order, func(a, b place) int { return cmp.Compare(a.p, b.p) })
	q, found := 1.0, 0
	for k, o := range slices.Backward(order) {
		q = min(q, o.p*m/float64(k+1))
		if q <= f.FDR {
			found = max(found, k+1)
		}
		for _, i := range o.members {
			o.of.Pairs[i].Q = q
		}
	}
	f.Threshold = f.FDR * float64(found) / max(m, 1)
	chosen := 1 - f.FDR*float64(found)/max(float64(f.Tested), 1)
	for _, g := range order[:found] {
		for _, i := range g.members {
			if p := &g.of.Pairs[i]; p.P <= f.Threshold {
				p.Shown = true
				p.ChosenLow, p.ChosenHigh = p.interval(chosen)
			}
		}
	}
}

// Find returns a pair, or nil.
func (f *Family) Find(outcome, driver string) *Pair {
	for _, s := range f.Studies {
		if s.Outcome != outcome {
			continue
		}
		for i := range s.Pairs {
			if s.Pairs[i].Driver == driver {
				return &s.Pairs[i]
			}
		}
	}
	return nil
}
