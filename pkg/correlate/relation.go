package correlate

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/stats"
)

const (
	arOrder    = 6  // of whitening and of errors, at most
	acfLags    = 72 // of autocorrelations
	volumeLags = 3  // traffic of this hour and the two before it is held equal
	minRows    = 3 * HoursPerWeek
	minNe      = 10 // independent hours; below, nothing is tested
)

// column is a series made ready: what it is beyond its season, with and without traffic, and how that follows itself.
type column struct {
	raw  []float64 // values without extremes, on the scale they are judged on
	res  []float64 // residual
	rest []float64 // residual at equal traffic; the same as res without traffic
	acf  []float64 // of rest
	n    int       // rows of rest
}

// newColumn takes away the season, then the traffic (its residual columns), if any. Values are clipped.
func newColumn(f *Frame, values []float64, traffic [][]float64) *column {
	c := &column{raw: values}
	c.res = residual(f, c.raw, none)
	c.rest = c.res
	if traffic != nil {
		if fit, ok := ols(c.res, traffic, nil); ok {
			c.rest = fit.rest(c.res, traffic)
		}
	}
	for _, v := range c.rest {
		if v == v {
			c.n++
		}
	}
	c.acf = stats.Autocorrelation(c.rest, acfLags)
	return c
}

// varies tells whether there is anything to correlate: enough rows, that move by more than rounding.
func (c *column) varies() bool {
	s := sd(c.rest)
	return c.n >= minRows && s > 0 && s > 1e-9*math.Abs(floats.Max(absolute(c.raw)))
}

func absolute(x []float64) []float64 {
	out := make([]float64, 0, len(x)+1)
	out = append(out, 0)
	for _, v := range x {
		if v == v {
			out = append(out, math.Abs(v))
		}
	}
	return out
}

// trafficColumns are an intercept and the residual of log volume, of this hour and those before it, as far as it varies beyond its
// season.
func trafficColumns(f *Frame, volume []float64, skip int) [][]float64 {
	r := residual(f, clipped(f, logs(volume)), skip)
	out := [][]float64{ones(len(r))}
	if sd(r) < 1e-6 {
		return out
	}
	for k := range volumeLags {
		out = append(out, lagged(r, k))
	}
	return out
}

// profile is the pre-whitened cross-correlation at the lags −most to most: both are filtered with what makes the driver white
// (Box and Jenkins), so that a peak is a lag and not a common drift. At a lag k > 0 the driver was k rows earlier.
func profile(x, y *column, most int) []float64 {
	ar := stats.FitAR(x.acf, x.n, arOrder)
	a, b := centred(ar.Whiten(nil, x.rest)), centred(ar.Whiten(nil, y.rest))
	norm := math.Sqrt(floats.Dot(a, a) * floats.Dot(b, b))
	out := make([]float64, 2*most+1)
	if !(norm > 0) {
		return out
	}
	for i := range out {
		if k := i - most; k >= 0 {
			out[i] = floats.Dot(a[:len(a)-k], b[k:]) / norm
		} else {
			out[i] = floats.Dot(a[-k:], b[:len(b)+k]) / norm
		}
	}
	return out
}

// centred has mean 0 and zeros where rows are missing.
func centred(x []float64) []float64 {
	sum, n := 0.0, 0.0
	for _, v := range x {
		if v == v {
			sum, n = sum+v, n+1
		}
	}
	for i, v := range x {
		x[i] = v - sum/max(n, 1)
		if v != v {
			x[i] = 0
		}
	}
	return x
}

// peak is the lag of the largest |r| of a profile.
func peak(profile []float64) int {
	most, at := -1.0, 0
	for i, r := range profile {
		if math.Abs(r) > most {
			most, at = math.Abs(r), i
		}
	}
	return at - len(profile)/2
}

// plausible are the other lags that a profile over n rows cannot tell from its peak: their likelihood is above that of the peak
// less what chance makes of a right lag once in twenty.
func plausible(profile []float64, n float64) (lags []int) {
	const chi2 = 3.84
	at := peak(profile)
	best := profile[at+len(profile)/2]
	for i, r := range profile {
		if k := i - len(profile)/2; k != at && n*math.Log((1-r*r)/(1-best*best)) < chi2 {
			lags = append(lags, k)
		}
	}
	return lags
}

// pearson is the correlation of x, k rows earlier, with y, over n pairs.
func pearson(x, y []float64, k int) (r float64, n int) {
	var sx, sy, xx, yy, xy float64
	for t := max(k, 0); t < len(y) && t-k < len(x); t++ {
		a, b := x[t-k], y[t]
		if a != a || b != b {
			continue
		}
		n++
		sx, sy = sx+a, sy+b
		xx, yy, xy = xx+a*a, yy+b*b, xy+a*b
	}
	m := float64(n)
	vx, vy := xx-sx*sx/m, yy-sy*sy/m
	if !(vx > 0) || !(vy > 0) {
		return 0, n
	}
	return min(max((xy-sx*sy/m)/math.Sqrt(vx*vy), -1), 1), n
}

// correlationP is the two-sided p of a correlation over ne independent pairs.
func correlationP(r, ne float64) float64 {
	if ne < minNe {
		return 1
	}
	if r*r >= 1 {
		return 0
	}
	t := math.Abs(r) * math.Sqrt((ne-2)/(1-r*r))
	return 2 * distuv.StudentsT{Sigma: 1, Nu: ne - 2}.Survival(t)
}

// noiseBand is the |r| that chance passes once in twenty over ne independent pairs.
func noiseBand(ne float64) float64 {
	if ne < minNe {
		return 1
	}
	t := distuv.StudentsT{Sigma: 1, Nu: ne - 2}.Quantile(0.975)
	return t / math.Sqrt(ne-2+t*t)
}

// RawPearsonP is the p of the plain correlation of two series as they are, every hour counted as independent, at the best of the lags
// −most to most and after all of them: what relations are often claimed by, and for comparison only. Series with a daily
// rhythm are almost always "significant".
func RawPearsonP(x, y []float64, most int) float64 {
	p := 1.0
	for k := -most; k <= most; k++ {
		r, n := pearson(x, y, k)
		p = min(p, correlationP(r, float64(n)))
	}
	return min(p*float64(2*most+1), 1)
}
