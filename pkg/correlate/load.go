package correlate

import (
	"math"
	"slices"
)

// Loads are the shares of the weekly peak that an envelope has rows for.
var Loads = []float64{0.25, 0.5, 0.75, 1, 1.25}

// LoadRow is how a driver and its relation are at a load.
type LoadRow struct {
	Load     float64 // of the usual weekly peak; a row holds hours within an eighth of the peak on either side
	Hours    int
	P50, P95 float64 // of the driver, in its unit; NaN with too few hours
	Effect   Effect  // at this load
	Known    bool    // Effect is
}

// ByLoad is the envelope of a driver over the traffic; nil without traffic.
func (s *Study) ByLoad(driver string) []LoadRow {
	x, p := s.column(driver)
	if x == nil || s.evaluation.volume == nil {
		return nil
	}
	e := s.evaluation
	peak := weeklyPeak(e.volume)
	values := e.driver(driver).plain()
	m, ok := e.regression(x, p.Lag)
	var out []LoadRow
	for _, load := range Loads {
		row := LoadRow{Load: load, P50: math.NaN(), P95: math.NaN()}
		inside := func(t int) bool { return math.Abs(e.volume[t]/peak-load) <= 0.125 }
		var seen []float64
		for t, v := range values {
			if v == v && inside(t) {
				seen = append(seen, v)
			}
		}
		if row.Hours = len(seen); row.Hours >= minBin {
			slices.Sort(seen)
			row.P50, row.P95 = seen[len(seen)/2], seen[len(seen)*95/100]
		}
		if ok {
			row.Effect, row.Known = m.among(p.Step, inside)
		}
		out = append(out, row)
	}
	return out
}

func (e *evaluation) driver(name string) *Series {
	for _, d := range e.in.Drivers {
		if d.Name == name {
			return d
		}
	}
	return nil
}

// weeklyPeak is the median of the weeks' largest hours.
func weeklyPeak(x []float64) float64 {
	var peaks []float64
	for from := 0; from+HoursPerWeek <= len(x); from += HoursPerWeek {
		peak := 0.0
		for _, v := range x[from:][:HoursPerWeek] {
			if v > peak {
				peak = v
			}
		}
		peaks = append(peaks, peak)
	}
	slices.Sort(peaks)
	return peaks[len(peaks)/2]
}

// WeekCell is one hour of the week.
type WeekCell struct {
	Driver  float64 // usual value of the driver, in its unit
	Outcome float64 // usual amount of the outcome
	Excess  float64 // what the relation took there on average, for hours in which the driver was worse than usual; on the outcome's scale
}

// Week is what is usual in the 168 hours of the week and what the relation took there; nil where the driver was not tested.
func (s *Study) Week(driver string) []WeekCell {
	x, p := s.column(driver)
	if x == nil {
		return nil
	}
	e := s.evaluation
	usual := slotMedians(e.in.Frame, e.driver(driver).plain())
	amount := slotMedians(e.in.Frame, e.in.Outcome.plain())
	var sums, n [HoursPerWeek]float64
	for t, v := range x.res {
		if v == v {
			n[e.in.Frame.Slots[t]]++
			sums[e.in.Frame.Slots[t]] += min(p.Effect.Coef*v/p.Step, 0)
		}
	}
	out := make([]WeekCell, HoursPerWeek)
	for i := range out {
		out[i] = WeekCell{Driver: usual[i], Outcome: amount[i], Excess: sums[i] / max(n[i], 1)}
	}
	return out
}
