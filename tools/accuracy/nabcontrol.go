package main

import (
	"math"
	"math/rand/v2"
)

// Detectors whose NAB scores are known, to hold ours to.

// tellNothing scores every row alike.
func tellNothing(f *nabFile) { clear(f.score) }

// tellAll is perfect: it tells the first row of every window, and nothing else.
func tellAll(f *nabFile) {
	clear(f.score)
	for _, w := range f.window {
		f.score[max(w[0], min(f.from, w[1]-1))] = 1
	}
}

// noise scores at random.
func noise(seed uint64) func(f *nabFile) {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(f *nabFile) {
		for i := range f.score {
			f.score[i] = r.Float64()
		}
	}
}

// windowedGaussian is the detector of that name on NAB's leaderboard: one minus the tail probability of the value under a
// normal distribution with the moments of the last 6,400 rows, moved on by 100 rows at a time once that many were seen.
// Twelve digits of a score are kept, as in the result files of the time: with them the published figures come out as they
// were published.
func windowedGaussian(values []float64, score []float64) {
	const window, move, digits = 6400, 100, 1e12
	begin, end := 0, 0
	mean, sd := 0.0, 1.0
	for i, v := range values {
		score[i] = 0
		if end > 0 {
			score[i] = math.Round(digits*(1-0.5*math.Erfc(math.Abs(v-mean)/sd/math.Sqrt2))) / digits
		}
		if end-begin < window {
			end++
		} else if i+1-end == move {
			begin, end = begin+move, end+move
		} else {
			continue
		}
		mean, sd = moments(values[begin:end])
		if sd == 0 {
			sd = 1e-6
		}
	}
}

// moments are the mean and the standard deviation of the population.
func moments(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(x)))
}
