package stats

import "math"

// The bins of a Tail cover ratios from 2^-4 to 2^10, three an octave: 26 % wide. Quantiles are interpolated inside them.
const (
	tailPerOctave = 3
	tailLowOctave = -4
	tailOctaves   = 14
	tailBins      = tailPerOctave * tailOctaves

	// An addition weighs tailUnit when the scale is fresh and four times that two half-lives later, when all bins are
	// divided by four. At most 4 × 32 × halfLife / ln 2 stand in one bin, which fits for half-lives up to 350.
	tailUnit = 32
	tailGrow = 2 // half-lives between two divisions
)

// TailHalfLife is the number of additions after which one counts half.
const TailHalfLife = 336

// Tail is a decayed histogram of positive values on a logarithmic scale, in 86 bytes. Its zero value is empty and ready.
// Values outside 2^-4 to 2^10 count in the outermost bins; NaN is ignored.
//
// Instead of ageing every bin at every addition, additions grow heavier: the same quantiles, in O(1).
type Tail struct {
	Bins [tailBins]uint16
	Age  uint16 // additions since the last division
}

// Add counts x once, after ageing all that came before.
func (h *Tail) Add(x float64) {
	if math.IsNaN(x) {
		return
	}
	if h.Age == tailGrow*TailHalfLife {
		for i, w := range h.Bins {
			h.Bins[i] = uint16((uint32(w) + 1<<(tailGrow-1)) >> tailGrow)
		}
		h.Age = 0
	}
	h.Age++
	i := bin(x)
	h.Bins[i] = uint16(min(uint32(h.Bins[i])+uint32(h.fresh()+0.5), math.MaxUint16))
}

// fresh is the weight of the newest addition.
func (h *Tail) fresh() float64 { return tailUnit * math.Exp2(float64(h.Age)/TailHalfLife) }

// N returns the number of additions still remembered, in units of the newest one.
func (h *Tail) N() float64 { return float64(h.total()) / h.fresh() }

func (h *Tail) total() (n uint32) {
	for _, w := range h.Bins {
		n += uint32(w)
	}
	return n
}

// Quantiles returns the quantiles for qs, which ascend in (0, 1), interpolated inside their bins; NaN when nothing was
// added.
func (h *Tail) Quantiles(qs ...float64) [3]float64 {
	out := [3]float64{math.NaN(), math.NaN(), math.NaN()}
	total := float64(h.total())
	if total == 0 {
		return out
	}
	seen, k := 0.0, 0
	for i, w := range h.Bins {
		for w > 0 && k < len(qs) && seen+float64(w) >= qs[k]*total {
			inside := (qs[k]*total - seen) / float64(w)
			out[k] = math.Exp2(tailLowOctave + (float64(i)+inside)/tailPerOctave)
			k++
		}
		seen += float64(w)
	}
	return out
}

func bin(x float64) int {
	if !(x > 1.0/16) {
		return 0
	}
	i := int((math.Log2(x) - tailLowOctave) * tailPerOctave)
	return min(max(i, 0), tailBins-1)
}
