package incident

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

const (
	hourMillis = int64(3_600_000)
	dayHours   = 24
	weekHours  = 168
	fewestDays = 3 // of which an hour of the day must be known
	fewestWeek = 2 // weeks of which an hour of the week must be
)

// Deseason returns the case with what is usual for the hour taken away: of the week where the rows outside the incident
// have each of its hours at least twice, else of the day where they have it three times, else nothing. Without it, the
// daily course of traffic is what everything has in common. Hours are those of UTC.
func (c *Case) Deseason() *Case {
	r, err := c.split()
	if err != nil {
		return c
	}
	period, fewest := int64(weekHours), fewestWeek
	if !c.seen(r, period, fewest) {
		if period, fewest = dayHours, fewestDays; !c.seen(r, period, fewest) {
			return c
		}
	}
	out := *c
	out.Series = slices.Clone(c.Series)
	for i := range out.Series {
		out.Series[i].Values = c.residuals(r, c.Series[i].Values, period)
	}
	return &out
}

func slot(t, period int64) int64 {
	h := t / hourMillis
	if t%hourMillis < 0 {
		h--
	}
	return ((h % period) + period) % period
}

// seen tells whether the normal rows have, for all recent rows, the same slot of enough periods.
func (c *Case) seen(r rows, period int64, fewest int) bool {
	occurrences := map[int64]map[int64]bool{}
	for _, i := range r.normal {
		s := slot(c.Times[i], period)
		if occurrences[s] == nil {
			occurrences[s] = map[int64]bool{}
		}
		occurrences[s][c.Times[i]/(hourMillis*period)] = true
	}
	return !slices.ContainsFunc(r.recent, func(i int) bool { return len(occurrences[slot(c.Times[i], period)]) < fewest })
}

// residuals subtracts from each value the median of the normal ones of its slot. A slot of which nothing is known takes
// the median of all.
func (c *Case) residuals(r rows, values []float64, period int64) []float64 {
	slots := make([][]float64, period)
	var all []float64
	for _, i := range r.normal {
		if v := values[i]; !math.IsNaN(v) {
			s := slot(c.Times[i], period)
			slots[s] = append(slots[s], v)
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return values
	}
	median := func(x []float64) float64 {
		slices.Sort(x)
		return stat.Quantile(0.5, stat.LinInterp, x, nil)
	}
	general := median(all)
	expected := make([]float64, period)
	for s := range slots {
		expected[s] = general
		if len(slots[s]) > 0 {
			expected[s] = median(slots[s])
		}
	}
	out := make([]float64, len(values))
	for i, v := range values {
		// The level stays: one hundredth of it is the least that counts as a scale.
		out[i] = v - expected[slot(c.Times[i], period)] + general
	}
	return out
}
