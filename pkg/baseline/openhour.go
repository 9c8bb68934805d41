package baseline

import (
	"math"

	"github.com/baseliner/baseliner/pkg/stats"
)

// openHourPoints bounds the memory of an open hour. Beyond it every second point is dropped, again and again: the
// median of an evenly thinned hour.
const openHourPoints = 64

// OpenHour gathers the points of the hour that has not ended yet. Its fields are exported for the snapshot alone.
type OpenHour struct {
	Hour   int32
	N      uint32
	Kept   uint32
	Stride uint32 // one point in Stride is kept; 0 stands for 1
	Sum    float64
	Refs   uint32
	RefSum float64
	High   float64
	Low    float64
	Jump   float64
	Moves  uint32  // points that had a neighbour to break away from
	Move   float64 // sum of absolute innovations
	Step   float64
	Weight float64 // sum
	Points [openHourPoints]float64
}

// add takes one observed point. expected is NaN when there was no expectation, innovation when there was no recent
// course.
func (o *OpenHour) add(hour int32, value, weight, expected, innovation, change float64) {
	if o.N == 0 {
		*o = OpenHour{Hour: hour, Stride: 1, High: math.Inf(-1), Low: math.Inf(1)}
	}
	if o.N%o.Stride == 0 {
		if o.Kept == openHourPoints {
			for i := range openHourPoints / 2 {
				o.Points[i] = o.Points[2*i]
			}
			o.Kept, o.Stride = openHourPoints/2, 2*o.Stride
		}
		if o.N%o.Stride == 0 {
			o.Points[o.Kept] = value
			o.Kept++
		}
	}
	o.N++
	o.Sum += value
	o.Weight += weight
	ref := 0.0
	if !math.IsNaN(expected) {
		ref = expected
		o.Refs++
		o.RefSum += expected
	}
	o.High, o.Low = max(o.High, value-ref), min(o.Low, value-ref)
	if !math.IsNaN(innovation) {
		o.Moves++
		o.Jump = max(o.Jump, math.Abs(innovation))
		o.Move += math.Abs(innovation)
	}
	if c := math.Abs(change); c > 0 && (o.Step == 0 || c < o.Step) {
		o.Step = c
	}
}

// summary closes the hour and leaves it empty; ok is false when it held nothing.
func (o *OpenHour) summary() (s Summary, ok bool) {
	if o.N == 0 {
		return Summary{}, false
	}
	n := float64(o.N)
	mean := o.Sum / n
	kept := o.Points[:o.Kept]
	median := stats.Median(kept)
	dev := 0.0
	for _, x := range kept {
		dev += math.Abs(x - median)
	}
	s = Summary{
		Hour: o.Hour, N: uint16(min(o.N, math.MaxUint16)), Mean: mean,
		Median: coarse(median - mean), Dev: coarse(dev / float64(o.Kept)),
		Ref: coarse(math.NaN()), High: coarse(o.High - mean), Low: coarse(o.Low - mean),
		Jump: coarse(math.NaN()), Move: coarse(math.NaN()), Step: coarse(o.Step), Weight: coarse(o.Weight / n),
	}
	if o.Moves > 0 {
		s.Jump, s.Move = coarse(o.Jump), coarse(o.Move/float64(o.Moves))
	}
	switch {
	case o.Refs == o.N:
		s.Ref, s.High, s.Low = coarse(o.RefSum/n-mean), coarse(o.High), coarse(o.Low)
	case o.Refs > 0: // the expectation appeared within the hour: deviations are of two kinds, so take the plain ones
		s.High, s.Low = s.Dev*2, -s.Dev*2
	}
	*o = OpenHour{}
	return s, true
}
