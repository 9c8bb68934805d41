package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Autocorrelation returns the lags 0 to most of a series, in which NaN is a row that is missing. It is the biased estimate
// (each sum over the number of rows, not of pairs), which is positive definite where no row is missing. A constant series
// has 1 and zeros.
func Autocorrelation(x []float64, most int) []float64 {
	r := make([]float64, most+1)
	r[0] = 1
	mean, n := 0.0, 0
	for _, v := range x {
		if v == v {
			mean += v
			n++
		}
	}
	if n == 0 {
		return r
	}
	mean /= float64(n)
	y := make([]float64, len(x))
	zero := 0.0
	for i, v := range x {
		if v == v {
			y[i] = v - mean
			zero += y[i] * y[i]
		}
	}
	if !(zero > 0) {
		return r
	}
	for k := 1; k <= most && k < len(x); k++ {
		r[k] = floats.Dot(y[k:], y[:len(y)-k]) / zero // a missing row is a zero: it takes part in no product
	}
	return r
}

// AR holds the coefficients of x_t = Σ AR[k]·x_{t−1−k} + noise.
type AR []float64

// FitAR solves the Yule–Walker equations by Levinson's recursion (Brockwell and Davis, Time Series, 1991, 5.2) for the order
// from 0 to most that has the smallest BIC. n is the number of rows behind the autocorrelations r.
func FitAR(r []float64, n, most int) AR {
	var best, phi AR
	noise := 1.0
	bic := 0.0
	for p := 1; p <= most && p < len(r) && p < n/2; p++ {
		k := r[p]
		for j, f := range phi {
			k -= f * r[p-1-j]
		}
		k /= noise
		if !(math.Abs(k) < 1) {
			break
		}
		next := make(AR, p)
		for j, f := range phi {
			next[j] = f - k*phi[p-2-j]
		}
		next[p-1] = k
		phi, noise = next, noise*(1-k*k)
		if b := float64(n)*math.Log(noise) + float64(p)*math.Log(float64(n)); b < bic {
			best, bic = phi, b
		}
	}
	return best
}

// Whiten puts x_t − Σ AR[k]·x_{t−1−k} into dst, NaN where a row that it takes is missing or lies before the first. dst may be nil, and
// must not be x.
func (a AR) Whiten(dst, x []float64) []float64 {
	dst = append(dst[:0], x...)
	for t := range min(len(a), len(dst)) {
		dst[t] = math.NaN()
	}
	for k, f := range a {
		for t := len(a); t < len(x); t++ {
			dst[t] -= f * x[t-1-k]
		}
	}
	return dst
}

// EffectiveN is how many independent pairs say as much as n of two series with these autocorrelations (Bartlett, 1946):
// 1/Ne = 1/n + 2/n·Σ (1−j/n)·a_j·b_j, cut where either is no longer told from zero. It is at most n.
func EffectiveN(a, b []float64, n int) float64 {
	if n <= 0 {
		return 0
	}
	inverse, noise := 1.0, 2/math.Sqrt(float64(n))
	for j := 1; j < len(a) && j < len(b) && j < n; j++ {
		if math.Abs(a[j]) < noise || math.Abs(b[j]) < noise {
			break
		}
		inverse += 2 * (1 - float64(j)/float64(n)) * a[j] * b[j]
	}
	return float64(n) / max(inverse, 1)
}

// MedianAbsolute is the median of |x| over what is not NaN; NaN when there is nothing. buf is scratch and may be nil.
func MedianAbsolute(x, buf []float64) float64 {
	buf = buf[:0]
	for _, v := range x {
		if v == v {
			buf = append(buf, math.Abs(v))
		}
	}
	if len(buf) == 0 {
		return math.NaN()
	}
	slices.Sort(buf)
	return stat.Quantile(0.5, stat.Empirical, buf, nil)
}
