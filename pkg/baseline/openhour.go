package baseline

import (
	"math"
	"slices"
)

const (
	pieceMillis  = hourMillis / 12
	halfPieces   = 6
	piecesOfHour = 2 * halfPieces
)

// OpenHour gathers the points of the hour that has not ended yet. Its fields are exported for the snapshot alone.
//
// What is typical of half an hour is the median of the means of its six pieces of five minutes: in constant space, and
// unmoved by an excursion of up to ten minutes.
type OpenHour struct {
	Hour   int32
	N      uint32
	Base   float64 // first value; sums are of differences from it
	Sums   [piecesOfHour]float32
	Counts [piecesOfHour]uint16

	Refs                        uint32
	RefSum                      float64 // of expectations minus Base
	AbsSum                      float64
	High, Low                   float32
	Moves, Moves2               uint32 // points with a neighbour, and with two
	MoveSum, Move2Sum, AmazeSum float64
	Short, Long, Jump, Surprise float32
	Flat, Peak, Step            float32
	PeakAt                      uint8
	Flags                       uint8
	WeightSum                   float64
}

// add takes one observed point and what the views showed of it.
func (o *OpenHour) add(hour int64, t int64, value, weight float64, e *Expectation, x *views) {
	if o.N == 0 {
		*o = OpenHour{Hour: int32(hour), Flags: o.Flags, Base: value, High: float32(math.Inf(-1)), Low: float32(math.Inf(1))}
	}
	piece := (t - hour*hourMillis) / pieceMillis
	o.N++
	o.Counts[piece] = inc16(o.Counts[piece])
	o.Sums[piece] += float32(value - o.Base)
	o.WeightSum += weight
	if e.expected {
		r := x.at[Context]
		o.Refs++
		o.RefSum += e.Center - o.Base
		o.AbsSum += math.Abs(r)
		o.High, o.Low = max(o.High, float32(r)), min(o.Low, float32(r))
		o.Short, o.Long = maxAbs(o.Short, x.at[ShortMean]), maxAbs(o.Long, x.at[LongMean])
	}
	if x.neighbours > 0 {
		o.Moves++
		o.MoveSum += math.Abs(x.at[Jump])
		o.Jump = maxAbs(o.Jump, x.at[Jump])
		if c := float32(math.Abs(x.change)); c > 0 && (o.Step == 0 || c < o.Step) {
			o.Step = c
		}
	}
	if x.neighbours > 1 {
		o.Moves2++
		o.Move2Sum += math.Abs(x.jump2)
		o.AmazeSum += math.Abs(x.at[Surprise])
		o.Surprise = maxAbs(o.Surprise, x.at[Surprise])
	}
	o.Flat = max(o.Flat, float32(x.at[Flat]))
	if p := float32(math.Abs(x.peak)); p > o.Peak {
		o.Peak, o.PeakAt = p, uint8((t-hour*hourMillis)/60_000)
	}
}

// close returns the summary of the hour and leaves it empty; ok is false when it held nothing.
func (o *OpenHour) close() (s Summary, ok bool) {
	if o.N == 0 {
		return Summary{}, false
	}
	n := float64(o.N)
	sum := 0.0
	for _, x := range o.Sums {
		sum += float64(x)
	}
	offset := sum / n // of the mean from Base
	nan := float32(math.NaN())
	s = Summary{
		Hour: o.Hour, N: uint16(min(o.N, math.MaxUint16)), Flags: o.Flags, PeakAt: o.PeakAt, Mean: o.Base + offset,
		First: o.typical(0, offset), Second: o.typical(halfPieces, offset),
		Ref: nan, Abs: nan, High: nan, Low: nan, Move: nan, Step: o.Step, Weight: float32(o.WeightSum / n),
		Short: o.Short, Long: o.Long, Jump: o.Jump, Surprise: o.Surprise, Flat: o.Flat, Peak: o.Peak,
	}
	if o.Refs == o.N { // where the expectation appeared within the hour, residuals would be of two kinds
		s.Ref, s.Abs = float32(o.RefSum/n-offset), float32(o.AbsSum/n)
		s.High, s.Low = o.High, o.Low
	}
	if o.Moves > 0 {
		s.Move = float32(o.MoveSum / float64(o.Moves))
	}
	if o.Moves2 > 0 {
		s.Move2, s.Amaze = float32(o.Move2Sum/float64(o.Moves2)), float32(o.AmazeSum/float64(o.Moves2))
	}
	*o = OpenHour{}
	return s.rounded(), true
}

// typical is the median of the means of the six pieces from the first on, minus the hour's mean.
func (o *OpenHour) typical(first int, offset float64) float32 {
	var means [halfPieces]float64
	n := 0
	for i := first; i < first+halfPieces; i++ {
		if c := o.Counts[i]; c > 0 {
			means[n] = float64(o.Sums[i]) / float64(c)
			n++
		}
	}
	if n == 0 {
		return float32(math.NaN())
	}
	slices.Sort(means[:n])
	return float32(means[(n-1)/2]/2 + means[n/2]/2 - offset)
}

func maxAbs(have float32, x float64) float32 { return max(have, float32(math.Abs(x))) }

func inc16(n uint16) uint16 { return min(n, math.MaxUint16-1) + 1 }
