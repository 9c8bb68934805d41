package correlate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Growths are the loads, beside today's, that a capacity is told for.
var Growths = []float64{0, 0.1, 0.25, 0.5, 1}

// Horizon is how many weeks a capacity looks ahead: beyond, a straight line is a wish.
const Horizon = 52

const capacityDraws = 1000

// Capacity is when a resource that ends at a limit is used up, if load and use go on as they did.
type Capacity struct {
	Name  string
	Unit  string
	Limit float64
	Why   string // why it was not looked at; else empty

	Peak      float64   // of use now: of the hours at the usual weekly peak of the load, the highest but one in twenty
	LoadWeek  Effect    // growth of the load, logarithm a week; zero without traffic
	UseWeek   Effect    // growth of use at equal load, in the unit a week
	PerLoad   Effect    // of use, for the usual weekly peak of the load
	Weeks     Outcome   // until the peak reaches the limit
	Scenarios []Outcome // peak of use today with Growths more load
}

// Outcome is a median of what may come, and its 95 % interval; +Inf is beyond the horizon.
type Outcome struct{ Value, Low, High float64 }

// CapacityOf looks at a resource. volume may be nil: then only use itself grows. The interval holds what is not known of the three slopes
// and no change of how people behave.
func CapacityOf(f *Frame, s *Series, volume *Series, limit float64) Capacity {
	c := Capacity{Name: s.Name, Unit: s.Unit, Limit: limit}
	if f.Weeks() < MinWeeks {
		c.Why = ErrWeeks.Error()
		return c
	}
	rows := f.Rows()
	from := rows - f.Weeks()*HoursPerWeek
	f, s = f.Part(from, rows), s.Part(from, rows)
	x := withoutIncidents(f, s.plain())
	week := make([]float64, len(x))
	for t := range week {
		week[t] = float64(t-len(x)) / HoursPerWeek // 0 is now
	}
	held := [][]float64{ones(len(x))}
	load := ones(len(x))
	if volume != nil {
		amounts := volume.Part(from, rows).plain()
		peak := weeklyPeak(amounts)
		load = make([]float64, len(x))
		for t, v := range amounts {
			load[t] = v / peak
		}
		y := logs(amounts)
		if m, ok := newGLS(withoutSeason(f, y), withoutSeasonWhere(f, week, y), held, 1); ok {
			c.LoadWeek = m.effect(1)
		}
		m, ok := newGLS(x, load, append(held, week), 1)
		if !ok {
			c.Why = "it does not vary, or the load does not"
			return c
		}
		c.PerLoad = m.effect(1)
		held = append(held, load)
	}
	m, ok := newGLS(x, week, held, 1)
	if !ok || sd(x) == 0 {
		c.Why = "it does not vary, or fewer than a week of it is known"
		return c
	}
	c.UseWeek = m.effect(1)
	c.project(m, x, load, week)
	return c
}

// project draws slopes from what is known of them. What an hour is beyond its line now, the highest but one in twenty, stays with it.
func (c *Capacity) project(m *gls, x, load, week []float64) {
	coef := m.fit.coef
	var beyond, loads, sums []float64
	for t, v := range x {
		line := coef[0] + coef[len(coef)-1]*week[t]
		if len(coef) == 3 {
			line += coef[1] * load[t]
		}
		if r := v - line; r == r {
			beyond = append(beyond, r)
			loads = append(loads, load[t])
			sums = append(sums, v-coef[len(coef)-1]*week[t])
		}
	}
	slices.Sort(beyond)
	top := beyond[len(beyond)*95/100]
	meanLoad, meanUse := mean(loads, 0, len(loads)), mean(sums, 0, len(sums)) // the point that every line goes through
	r := rand.New(rand.NewPCG(1, 2))                                          // the same draws every time
	weeks := make([]float64, capacityDraws)
	peaks := make([][]float64, len(Growths))
	for i := range capacityDraws {
		slope := c.PerLoad.Coef + c.PerLoad.SE*r.NormFloat64()
		grows := c.LoadWeek.Coef + c.LoadWeek.SE*r.NormFloat64()
		use := c.UseWeek.Coef + c.UseWeek.SE*r.NormFloat64()
		at := func(load, weeks float64) float64 { return meanUse + slope*(load-meanLoad) + use*weeks + top }
		weeks[i] = math.Inf(1)
		for h := range Horizon + 1 {
			if at(math.Exp(grows*float64(h)), float64(h)) >= c.Limit {
				weeks[i] = float64(h)
				break
			}
		}
		for k, g := range Growths {
			peaks[k] = append(peaks[k], at(1+g, 0))
		}
	}
	c.Weeks = outcomeOf(weeks)
	for _, p := range peaks {
		c.Scenarios = append(c.Scenarios, outcomeOf(p))
	}
	c.Peak = c.Scenarios[0].Value
}

func outcomeOf(draws []float64) Outcome {
	slices.Sort(draws)
	n := len(draws)
	return Outcome{draws[n/2], draws[n*25/1000], draws[n*975/1000]}
}

// withoutSeason is x without the mean of its hour of the week over all weeks, so that a trend is the same in all hours.
func withoutSeason(f *Frame, x []float64) []float64 { return withoutSeasonWhere(f, x, x) }

// withoutSeasonWhere counts only the rows where another series is known.
func withoutSeasonWhere(f *Frame, x, known []float64) []float64 {
	var sum, n [HoursPerWeek]float64
	for t, v := range x {
		if known[t] == known[t] {
			sum[f.Slots[t]] += v
			n[f.Slots[t]]++
		}
	}
	out := make([]float64, len(x))
	for t, v := range x {
		if out[t] = math.NaN(); known[t] == known[t] {
			out[t] = v - sum[f.Slots[t]]/n[f.Slots[t]]
		}
	}
	return out
}
