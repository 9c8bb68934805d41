package main

import (
	"math"
	"math/rand/v2"
)

// Generated data: everything is a function of its seed, so that a figure can be had again, bit for bit.

// The generated series begin on a Monday and, unless said otherwise, have a row every five minutes.
const (
	epoch      = int64(1736726400) // 2025-01-13 00:00 UTC, unix seconds
	fiveMin    = int64(300)
	perHour    = 12
	perDay     = 24 * perHour
	perWeek    = 7 * perDay
	hourOfWeek = 7 * 24
)

// seeded returns a source for one purpose: the numbers tell it from every other.
func seeded(purpose uint64, which ...int) *rand.Rand {
	x := purpose
	for _, w := range which {
		x = mix(x ^ mix(uint64(w)+1))
	}
	return rand.New(rand.NewPCG(x, mix(x)))
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// student3 is Student's t with three degrees of freedom, scaled to a standard deviation of 1.
func student3(r *rand.Rand) float64 {
	a, b, c := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
	return r.NormFloat64() / math.Sqrt(a*a+b*b+c*c)
}

// ar1 is an autoregressive process of mean 0 and standard deviation 1.
type ar1 struct{ phi, x float64 }

// next moves on by an innovation of standard deviation 1.
func (a *ar1) next(innovation float64) float64 {
	a.x = a.phi*a.x + math.Sqrt(1-a.phi*a.phi)*innovation
	return a.x
}
