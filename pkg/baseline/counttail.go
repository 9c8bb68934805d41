package baseline

import (
	"math"
	"sync"
)

const (
	tableStep  = 0.2 // of the square root of the mean
	tableCells = 100
	tableEnd   = tableStep * tableCells // beyond, Cornish and Fisher's expansion is exact enough
	leastCount = 3                      // events: fewer are never too many
)

// countTail says how far a count may be from its mean at one significance, given as a Gaussian's z: the Poisson
// distribution's own quantiles, made continuous by the incomplete gamma function that its tails are.
type countTail struct {
	z         float64
	high, low [tableCells + 1]float32 // distances from the mean, by its square root
}

func newCountTail(z float64) *countTail {
	t := &countTail{z: z}
	least := math.Inf(1)
	for i := tableCells; i >= 0; i-- {
		mean := max(tableStep*float64(i), tableStep/100)
		mean *= mean
		t.high[i] = float32(max(solve(mean, z), leastCount) - mean)
		if c := solve(mean, -z) - 1; c >= 0 {
			t.low[i] = float32(mean - c)
			least = mean - c
		} else { // not even none is too few: the score of none grows with the mean until it is
			t.low[i] = float32(max(least, mean))
		}
	}
	return t
}

// solve returns the shape c of the gamma distribution that is at most mean with probability Φ(-z): for z > 0 as many
// events or more come with that probability, for z < 0 it is one more than that so many or fewer do.
func solve(mean, z float64) float64 {
	lo, hi := 0.0, mean
	if z > 0 {
		lo, hi = mean, mean+z*math.Sqrt(mean)+z*z+2
	}
	for range 50 {
		c := (lo + hi) / 2
		if signedRoot(c, mean) > -z {
			lo = c
		} else {
			hi = c
		}
	}
	return lo
}

// signedRoot is the z of the probability that a gamma variable of shape c is at most x: the saddle-point approximation in
// the form of Barndorff-Nielsen (Biometrika 73, 1986), good to a percent of the probability even for c = 1.
func signedRoot(c, x float64) float64 {
	if c <= 0 {
		return math.Inf(1)
	}
	u := (x - c) / math.Sqrt(c)
	if math.Abs(u) < 1e-4 {
		return u
	}
	r := math.Copysign(math.Sqrt(2*(x-c+c*math.Log(c/x))), u)
	return r + math.Log(u/r)/r
}

// reach returns how far below and above its mean a count of this variance may come. skew is the third cumulant over the
// variance: 1 of a Poisson count, 1 - 2p of a binomial one, 0 of a Gaussian. A count with these moments is taken for a
// Poisson one that was scaled and shifted. lattice is the distance between possible values: a count cannot be less than
// its half from a threshold.
func (t *countTail) reach(variance, skew, lattice float64) (low, high float64) {
	k := math.Abs(skew)
	deviation := math.Sqrt(variance)
	if deviation < k*tableEnd {
		s := deviation / (k * tableStep)
		i := int(s)
		f := s - float64(i)
		low = k * lerp(float64(t.low[i]), float64(t.low[i+1]), f)
		high = k * lerp(float64(t.high[i]), float64(t.high[i+1]), f)
	} else {
		bend := k * (t.z*t.z - 1) / 6
		center := t.z*deviation + k/2
		if deviation > 0 {
			center += k * k * (t.z - t.z*t.z*t.z) / (72 * deviation)
		}
		low, high = center-bend, center+bend
	}
	if lattice > k {
		low, high = low+(lattice-k)/2, high+(lattice-k)/2
	}
	if skew < 0 {
		low, high = high, low
	}
	return low, high
}

// countTails are the tails of the windows, made when the first ratio is.
var countTails = sync.OnceValue(func() (tails [windowCount]*countTail) {
	for k, z := range windowZ {
		tails[k] = newCountTail(z)
	}
	return tails
})
