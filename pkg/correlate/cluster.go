package correlate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// together is the |correlation| of two drivers' residuals from which they are one finding.
const together = 0.6

// group is drivers that move together: one finding, so that forty processors of one service are one, in what is told and in
// what is tested. Groups are made of the drivers alone, whatever the outcome does.
type group struct {
	members []int   // indices of pairs, the surest one first once decided
	p       float64 // of the hypothesis that none of them has to do with the outcome
}

// cluster puts the drivers that were tested into groups: each joins the first group whose first driver it moves with.
func (s *Study) cluster() {
	var unit [][]float64 // of the first driver of each group, scaled to length 1
	for i := range s.Pairs {
		if s.Pairs[i].Why != "" {
			continue
		}
		x := centred(slices.Clone(s.columns[i].rest))
		floats.Scale(1/math.Sqrt(floats.Dot(x, x)), x)
		g := slices.IndexFunc(unit, func(of []float64) bool { return math.Abs(floats.Dot(x, of)) >= together })
		if g < 0 {
			g = len(unit)
			unit = append(unit, x)
			s.groups = append(s.groups, group{})
		}
		s.groups[g].members = append(s.groups[g].members, i)
	}
	for i := range s.groups {
		s.groups[i].decide(s.Pairs)
	}
}

// decide orders the members and gives the group its p (Simes, 1986): the smallest of p₍k₎·n/k, which holds for drivers that move
// together.
func (g *group) decide(pairs []Pair) {
	slices.SortStableFunc(g.members, func(a, b int) int {
		switch {
		case pairs[a].P < pairs[b].P:
			return -1
		case pairs[a].P > pairs[b].P:
			return 1
		}
		return 0
	})
	g.p = 1
	for k, i := range g.members {
		g.p = min(g.p, pairs[i].P*float64(len(g.members))/float64(k+1))
		pairs[i].Leader = pairs[g.members[0]].Driver
	}
}

// lead gives every group the surest leader among those that are still shown.
func (s *Study) lead() {
	for _, g := range s.groups {
		at := slices.IndexFunc(g.members, func(i int) bool { return s.Pairs[i].Shown })
		for _, i := range g.members {
			s.Pairs[i].Leader = s.Pairs[g.members[max(at, 0)]].Driver
		}
	}
}

// Findings are the leaders of what is shown, in the order of the drivers.
func (s *Study) Findings() []*Pair {
	var out []*Pair
	for i := range s.Pairs {
		if p := &s.Pairs[i]; p.Shown && p.Leader == p.Driver {
			out = append(out, p)
		}
	}
	return out
}

// Following are the other drivers that are shown of a finding.
func (s *Study) Following(leader string) []*Pair {
	var out []*Pair
	for i := range s.Pairs {
		if p := &s.Pairs[i]; p.Shown && p.Leader == leader && p.Driver != leader {
			out = append(out, p)
		}
	}
	return out
}
