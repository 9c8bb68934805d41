package baseline

import "math"

// Group is what is known of a special day: holidays, Black Fridays, month ends. It is learnt as deviations from the hours
// whose shape such a day borrows, and apart from everything else.
type Group struct {
	Dev    [hoursOfDay]float32
	N      [hoursOfDay]uint8
	Spread float64 // mean |residual| of its hours
	Hours  uint32
}

const groupHalfLife = 6.0 // times

func (m *Model) learnGroup(h *hour) {
	g := m.group(h.group)
	d := h.slot % hoursOfDay
	residual := 0.0
	for i, have := range h.have {
		if have {
			residual += (h.value[i] - m.Slow.knot(h.half[i], h.slot)) / h.n
		}
	}
	rest := residual - float64(g.Dev[d])*groupTrust(g.N[d])
	g.Spread += gain(groupHalfLife*hoursOfDay, float64(g.Hours)) * (math.Abs(rest) - g.Spread)
	g.Hours++
	g.Dev[d] += float32(gain(groupHalfLife, float64(g.N[d])) * (residual - float64(g.Dev[d])))
	g.N[d] = inc(g.N[d])
}

// groupTrust is how much of a deviation is believed that was seen n times.
func groupTrust(n uint8) float64 { return float64(n) / (float64(n) + 0.5) }

// group returns the state of a group, making room for it when it is met for the first time.
func (m *Model) group(g int) *Group {
	for len(m.Groups) < g {
		m.Groups = append(m.Groups, Group{})
	}
	return &m.Groups[g-1]
}
