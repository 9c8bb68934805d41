package main

import (
	"math"
	"math/rand/v2"
)

// weekCycle is relative traffic by hour of the week from Monday 00:00 UTC, with mean 1; between the middles of hours it is
// a straight line.
type weekCycle [hourOfWeek]float64

// newWeekCycle draws a cycle: one peak a day at about its own hour, a smaller second one, quieter weekends.
func newWeekCycle(r *rand.Rand) *weekCycle {
	w := &weekCycle{}
	peak, second := 12+8*r.Float64(), 0.1+0.2*r.Float64()
	depth, weekend := 0.3+0.4*r.Float64(), 0.5+0.4*r.Float64()
	sum := 0.0
	for h := range w {
		angle := 2 * math.Pi * (float64(h%24) - peak) / 24
		w[h] = 1 + depth*(math.Cos(angle)+second*math.Cos(2*angle+1))
		if h/24 >= 5 {
			w[h] *= weekend
		}
		sum += w[h]
	}
	for h := range w {
		w[h] *= hourOfWeek / sum
	}
	return w
}

// at is the cycle at a time, unix seconds.
func (w *weekCycle) at(unix int64) float64 {
	hours := float64(unix-epoch)/3600 - 0.5
	whole := math.Floor(hours)
	a := (int(whole)%hourOfWeek + hourOfWeek) % hourOfWeek
	return w[a] + (w[(a+1)%hourOfWeek]-w[a])*(hours-whole)
}
