package pipeline

import (
	"encoding/binary"
	"math"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
)

// packTeam is the team of the signals of packs: what is ready-made cannot spend the budget of what somebody wrote.
const packTeam = "packs"

// team is the signals that share a budget. Those without a team are one.
type team struct {
	name    string
	budget  detect.Budget
	signals []*Signal
}

// join gives a signal its budgets. Where signals of a team name different totals, the largest holds.
func (c *Core) join(s *Signal) {
	b := s.Def.Budget.Completed()
	s.budget.PerWeek = b.Signal
	name := s.Def.Team
	if name == "" && s.Def.Pack != "" {
		name = packTeam
	}
	for _, t := range c.teams {
		if t.name == name {
			s.team = t
		}
	}
	if s.team == nil {
		s.team = &team{name: name}
		c.teams = append(c.teams, s.team)
	}
	s.team.signals = append(s.team.signals, s)
	s.team.budget.PerWeek = max(s.team.budget.PerWeek, b.Total)
}

// turn begins the tick t for all budgets.
func (c *Core) turn(t int64) {
	for _, team := range c.teams {
		n := 0
		for _, s := range team.signals {
			n += len(s.series)
			s.budget.Turn(t, len(s.series))
		}
		team.budget.Turn(t, n)
	}
}

// worth asks the budgets of signal and team whether a point is worth telling, and lets them see it. Points that would not
// be told however far outside they were, as of the wrong direction, cost nothing.
func (s *Signal) worth(sr *Series, in detect.Input, v *baseline.Verdict) bool {
	if !v.Known || v.Missing != series.Observed || math.IsNaN(v.Score) {
		return false
	}
	s.realised.Row(in.T, v.Value >= v.Lower && v.Value <= v.Upper)
	excess := v.Excess
	if excess > baseline.NoExcess && !s.rule.Wants(in) {
		excess = baseline.NoExcess
	}
	before, most, closed := sr.crossing.Step(in.T, v.Score, excess)
	worth := true
	for _, b := range [...]*detect.Budget{&s.budget, &s.team.budget} {
		b.See()
		if closed {
			b.Crossed(before, most)
		}
		worth = worth && b.Worth(v.Score, v.Excess)
	}
	return worth
}

// spend lets an alarm that begins cost what it does.
func (s *Signal) spend(sr *Series, e *detect.Event, t int64) {
	if e.Kind != detect.Begin {
		return
	}
	s.realised.Episode(t)
	s.budget.Tell(e.Peak)
	sr.quiet = !s.team.budget.Tell(e.Peak)
}

// grow lets an alarm that was told beyond the budget page after all once its score is certain: what is certain pages
// whatever was spent, from its first point or later.
func (s *Signal) grow(sr *Series) (e detect.Event, ok bool) {
	a := &sr.anomaly
	if !sr.quiet || a.Phase != detect.Firing || math.Abs(a.Peak) < detect.Certain {
		return e, false
	}
	sr.quiet = false
	return detect.Event{Kind: detect.Grow, Dir: a.Dir, StartsAt: a.StartsAt, Peak: a.Peak}, true
}

// completeBudgets takes over what budgets and counts of another core have seen, where that is more.
func (c *Core) completeBudgets(from *Core) {
	c.eachBudget(from, (*detect.Budget).Complete)
	for _, s := range c.signals {
		if o := from.byName[s.Def.Name]; o != nil {
			s.realised.Complete(&o.realised)
		}
	}
}

// eachBudget pairs budgets with those of another core that has the same definitions.
func (c *Core) eachBudget(from *Core, f func(to, from *detect.Budget)) {
	for _, s := range c.signals {
		if o := from.byName[s.Def.Name]; o != nil && o.identity == s.identity {
			f(&s.budget, &o.budget)
		}
	}
	for _, t := range c.teams {
		for _, o := range from.teams {
			if o.name == t.name {
				f(&t.budget, &o.budget)
			}
		}
	}
}

// seriesBudget is what a series remembers for its budgets.
type seriesBudget struct {
	Crossing detect.Crossing
	Quiet    bool
}

// appendBudgets encodes what budgets remember: by team, then by signal and series in the order of AppendBinary.
func (c *Core) appendBudgets(b []byte) (_ []byte, err error) {
	b = binary.AppendUvarint(b, uint64(len(c.teams)))
	for _, t := range c.teams {
		if b, err = binary.Append(appendString(b, t.name), binary.LittleEndian, &t.budget.BudgetState); err != nil {
			return nil, err
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.signals)))
	for _, s := range c.signals {
		b = appendString(appendString(b, s.Def.Name), s.identity)
		if b, err = binary.Append(b, binary.LittleEndian, &s.budget.BudgetState); err != nil {
			return nil, err
		}
		if b, err = binary.Append(b, binary.LittleEndian, &s.realised); err != nil {
			return nil, err
		}
		b = binary.AppendUvarint(b, uint64(len(s.series)))
		for _, sr := range s.series {
			if b, err = binary.Append(appendString(b, sr.key), binary.LittleEndian, seriesBudget{sr.crossing, sr.quiet}); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// takeBudgets reads what appendBudgets wrote. Teams and signals that are gone or changed are left out.
func (c *Core) takeBudgets(d *decoder) {
	for range d.uvarint() {
		name := d.string()
		var state detect.BudgetState
		d.fixed(&state)
		for _, t := range c.teams {
			if t.name == name {
				t.budget.BudgetState = state
			}
		}
	}
	for range d.uvarint() {
		s := c.byName[d.string()]
		if identity := d.string(); s != nil && s.identity != identity {
			s = nil
		}
		var state detect.BudgetState
		var realised detect.Realised
		d.fixed(&state)
		d.fixed(&realised)
		if s != nil {
			s.budget.BudgetState, s.realised = state, realised
		}
		for range d.uvarint() {
			key := d.string()
			var f seriesBudget
			d.fixed(&f)
			if s != nil && s.byKey[key] != nil {
				s.byKey[key].crossing, s.byKey[key].quiet = f.Crossing, f.Quiet
			}
		}
	}
}
