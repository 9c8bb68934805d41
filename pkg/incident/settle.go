package incident

import (
	"math"
	"slices"
)

// convinced is how many rankings in a row, each with more points than the one before, have to name another first mover until it
// takes the place of the one that was told.
const convinced = 3

// Former is who was told to have moved first, until rankings said otherwise.
type Former struct {
	First []Suspect `json:"first"`
	Until int64     `json:"until"` // unix milliseconds
}

// settle decides who is told to have moved first, after a story that was told: whoever was is until strong evidence says otherwise, and
// then it is remembered. A story without a first mover, because nothing is a strong cause yet, says nothing against the one before; nor
// does one whose first mover began later than what was told, which is still out of its usual range: as a story goes on, what began it may move
// less along with what suffers. tick is the distance of two points, milliseconds.
func (s *Story) settle(old *Story, now, tick int64) {
	s.Former, s.Rival, s.Convinced = old.Former, nil, 0
	switch {
	case len(old.First) == 0 || samePeople(s.First, old.First):
		return
	case len(s.First) == 0, s.began(old.First)+tied*tick < s.earliest(s.First):
		s.First, s.Rival, s.Convinced = old.First, old.Rival, old.Convinced
		return
	}
	s.Rival, s.Convinced = s.First, 1
	if samePeople(s.First, old.Rival) {
		s.Convinced += old.Convinced
	}
	if s.Convinced < convinced {
		s.First = old.First
		return
	}
	s.Former = append(slices.Clone(old.Former), Former{First: old.First, Until: now})
	s.Rival, s.Convinced = nil, 0
}

// earliest is when the first of some began.
func (s *Story) earliest(all []Suspect) int64 {
	t := int64(math.MaxInt64)
	for i := range all {
		t = min(t, all[i].Onset)
	}
	return t
}

// began is when all of some had begun, as the causes of the story have it; never, when one of them is no cause any more.
func (s *Story) began(all []Suspect) (t int64) {
	for i := range all {
		k := slices.IndexFunc(s.Causes, func(c Suspect) bool { return c.Same(&all[i]) })
		if k < 0 || s.Causes[k].Onset == 0 {
			return math.MaxInt64 / 2
		}
		t = max(t, s.Causes[k].Onset)
	}
	return t
}

// Settle makes a ranking of now the story of an incident: what is told of its first movers does not change lightly.
func (in *Incident) Settle(ranked Story, now, tick int64) Story {
	ranked.settle(&in.Story, now, tick)
	return ranked
}

func samePeople(a, b []Suspect) bool {
	return slices.EqualFunc(a, b, func(x, y Suspect) bool { return x.Same(&y) })
}
