package main

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/series"
)

// shopWeeks generates the hours of a shop: visits with a weekly cycle, a latency that knows the hour of the day, and orders as
// a Poisson process. What one does to the other is known.
type shopWeeks struct {
	weeks      int
	orders     float64 // an hour, mean
	latencySD  float64 // seconds, AR(1) .7 around the hour's usual
	rateSD     float64 // of the logarithm of the conversion rate, AR(1) .6
	visitsSD   float64 // of the logarithm of visits, AR(1) .8
	crowding   float64 // seconds of latency for a unit of log visits beyond the usual: what confounds
	turnedAway float64 // of the logarithm of visits for 100 ms: traffic that slowness keeps away
	incident   outage  // of one week, known to nobody
}

// outage is a time in which everything is slow and little sells.
type outage struct {
	hours      int
	slow, keep float64 // seconds of latency on top, share of orders that remain
}

// usualShop has 400 orders an hour and a latency that wiggles by 20 ms.
var usualShop = shopWeeks{weeks: 6, orders: 400, latencySD: 0.020, rateSD: 0.05, visitsSD: 0.10}

// conversionRate of visits.
const conversionRate = 0.05

// slope is the true relation of one driver and the outcome: the logarithm of the factor on the rate for 100 ms, hours later.
type slope struct {
	coef float64
	lag  int
}

// minusTenPercent for 100 ms.
var minusTenPercent = math.Log(0.9)

// play draws one outcome and its drivers. load turns hours into drivers' latencies beyond their usual; nil draws each by itself.
func (s shopWeeks) play(r *rand.Rand, slopes []slope, load func(r *rand.Rand, hours int) [][]float64) correlate.Input {
	hours := s.weeks * hourOfWeek
	const before = 6 // hours of drivers that the first rows of the outcome answer to
	if load == nil {
		load = func(r *rand.Rand, hours int) [][]float64 { return independent(r, len(slopes), hours) }
	}
	latencies := load(r, hours+before)
	week, rateWeek := newWeekCycle(r), newWeekCycle(r)
	visitNoise, rateNoise := ar1{phi: 0.8}, ar1{phi: 0.6}
	crowd := make([]float64, hours+before)
	for t := range crowd {
		crowd[t] = s.visitsSD * visitNoise.next(r.NormFloat64())
	}
	for i := range latencies {
		for t := range latencies[i] {
			latencies[i][t] = s.latencySD*latencies[i][t] + s.crowding*crowd[t]
		}
	}
	hit := -1
	if s.incident.hours > 0 {
		hit = before + r.IntN(hours-s.incident.hours)
	}
	struck := func(t int) bool { return hit >= 0 && t >= hit && t < hit+s.incident.hours }
	in := correlate.Input{Frame: &correlate.Frame{First: epoch / 3600, Slots: make([]int16, hours)}}
	visits, orders := make([]float64, hours), make([]float64, hours)
	for t := range hours {
		in.Frame.Slots[t] = int16(t % hourOfWeek)
		log, away := 0.0, 0.0
		for i, sl := range slopes {
			x := latencies[i][t+before-sl.lag] / 0.1
			log += sl.coef * x
			away += s.turnedAway * x
		}
		mean := s.orders / conversionRate * week[t%hourOfWeek] * math.Exp(crowd[t+before]+away)
		visits[t] = distuv.Poisson{Lambda: mean, Src: r}.Rand()
		rate := conversionRate * (0.8 + 0.2*rateWeek[t%hourOfWeek]) * math.Exp(log+s.rateSD*rateNoise.next(r.NormFloat64()))
		if struck(t + before) {
			rate *= s.incident.keep
		}
		orders[t] = distuv.Poisson{Lambda: visits[t] * rate, Src: r}.Rand()
	}
	in.Outcome = &correlate.Series{Name: "orders", Layer: series.Business, Kind: correlate.Count, Values: orders}
	in.Volume = &correlate.Series{Name: "visits", Layer: series.Business, Kind: correlate.Count, Values: visits}
	for i, l := range latencies {
		values := make([]float64, hours)
		for t := range values {
			values[t] = 0.18 + 0.08*(week[t%hourOfWeek]-1) + l[t+before]
			if struck(t + before) {
				values[t] += s.incident.slow
			}
		}
		in.Drivers = append(in.Drivers, &correlate.Series{Name: driverName(i), Layer: series.Application, Unit: "seconds", Values: values})
	}
	return in
}

// independent draws AR(1) .7 of deviation 1.
func independent(r *rand.Rand, drivers, hours int) [][]float64 {
	out := make([][]float64, drivers)
	for i := range out {
		noise := ar1{phi: 0.7}
		out[i] = make([]float64, hours)
		for t := range out[i] {
			out[i][t] = noise.next(r.NormFloat64())
		}
	}
	return out
}

// groups draws drivers that correlate by rho within each group and not between groups.
func groups(rho float64, sizes ...int) func(r *rand.Rand, hours int) [][]float64 {
	return func(r *rand.Rand, hours int) [][]float64 {
		var out [][]float64
		for _, size := range sizes {
			shared := independent(r, 1, hours)[0]
			for _, own := range independent(r, size, hours) {
				for t := range own {
					own[t] = math.Sqrt(rho)*shared[t] + math.Sqrt(1-rho)*own[t]
				}
				out = append(out, own)
			}
		}
		return out
	}
}
