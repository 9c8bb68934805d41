package correlate

import (
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/stats"
)

// How many robust standard deviations from what is usual an hour may be. A driver's counts as that much, so that one incident is
// no relation of all that it touched; an outcome's beyond outcast is an incident, which is told apart, while relations are of
// ordinary hours.
const (
	winsor  = 4
	outcast = 5
)

// half is added to counts before their logarithm is taken, so that an hour without events has one.
const half = 0.5

// robustSD times a median absolute deviation is the standard deviation of a Gaussian.
const robustSD = 1.4826

// logs of counts; NaN stays.
func logs(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Log(max(v, 0) + half)
		if v != v {
			out[i] = v
		}
	}
	return out
}

// rates are the logarithms of events per opportunity.
func rates(x, of []float64) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = math.NaN()
		if x[i] == x[i] && of[i] > 0 {
			out[i] = math.Log((max(x[i], 0) + half) / (of[i] + half))
		}
	}
	return out
}

// clipped is x with hours beyond winsor deviations from the median of their hour of the week drawn back to there, and excluded
// rows missing.
func clipped(f *Frame, x []float64) []float64 {
	out, middle, scale := usual(f, x)
	for i, v := range out {
		if d := v - middle[f.Slots[i]]; math.Abs(d) > winsor*scale {
			out[i] = middle[f.Slots[i]] + math.Copysign(winsor*scale, d)
		}
	}
	return out
}

// withoutIncidents is x with hours beyond outcast deviations missing, and excluded ones.
func withoutIncidents(f *Frame, x []float64) []float64 {
	out, middle, scale := usual(f, x)
	for i, v := range out {
		if math.Abs(v-middle[f.Slots[i]]) > outcast*scale {
			out[i] = math.NaN()
		}
	}
	return out
}

// usual returns a copy of x without excluded rows, the medians of the hours of the week, and the robust standard deviation around
// the other weeks; infinite where more than half of the rows do not vary at all.
func usual(f *Frame, x []float64) (out []float64, middle [HoursPerWeek]float64, scale float64) {
	out = slices.Clone(x)
	for i, excluded := range f.Excluded {
		if excluded {
			out[i] = math.NaN()
		}
	}
	scale = robustSD * stats.MedianAbsolute(residual(f, out, none), nil)
	if !(scale > 0) {
		scale = math.Inf(1)
	}
	return out, slotMedians(f, out), scale
}

func slotMedians(f *Frame, x []float64) (middle [HoursPerWeek]float64) {
	var by [HoursPerWeek][]float64
	room := make([]float64, HoursPerWeek*(f.Weeks()+2))
	for s := range by {
		by[s] = room[s*(f.Weeks()+2):][: 0 : f.Weeks()+2]
	}
	for i, v := range x {
		if v == v {
			by[f.Slots[i]] = append(by[f.Slots[i]], v)
		}
	}
	for s, v := range by {
		middle[s] = math.NaN()
		if len(v) > 0 {
			slices.Sort(v)
			middle[s] = (v[(len(v)-1)/2] + v[len(v)/2]) / 2
		}
	}
	return middle
}

// none is no week to leave out.
const none = -1

// residual is what is left of x when the mean of its hour of the week in the other weeks is taken away; with a week to skip, the
// rows of that week are missing and no baseline knows them. NaN where no other week has the hour. Rows count weeks from the first.
func residual(f *Frame, x []float64, skip int) []float64 {
	weeks := (f.Rows() + HoursPerWeek - 1) / HoursPerWeek
	type tally struct{ sum, n float64 }
	all := make([]tally, HoursPerWeek)
	own := make([]tally, HoursPerWeek*weeks) // an hour that comes twice in a week, when clocks go back, is left out twice
	for i, v := range x {
		if w, s := i/HoursPerWeek, int(f.Slots[i]); v == v && w != skip {
			all[s].sum, all[s].n = all[s].sum+v, all[s].n+1
			o := &own[w*HoursPerWeek+s]
			o.sum, o.n = o.sum+v, o.n+1
		}
	}
	out := make([]float64, len(x))
	for i, v := range x {
		w, s := i/HoursPerWeek, int(f.Slots[i])
		o := own[w*HoursPerWeek+s]
		out[i] = math.NaN()
		if n := all[s].n - o.n; n > 0 && w != skip {
			out[i] = v - (all[s].sum-o.sum)/n
		}
	}
	return out
}

// sd is the standard deviation of what is known of x, around its mean.
func sd(x []float64) float64 {
	var n, sum, square float64
	for _, v := range x {
		if v == v {
			n, sum, square = n+1, sum+v, square+v*v
		}
	}
	if n < 2 {
		return 0
	}
	return math.Sqrt(max(square-sum*sum/n, 0) / (n - 1))
}

// sorted is what is known of x, in ascending order.
func sorted(x []float64) []float64 {
	known := slices.DeleteFunc(slices.Clone(x), math.IsNaN)
	slices.Sort(known)
	return known
}
