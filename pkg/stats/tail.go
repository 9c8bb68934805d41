package stats

import "math"

// tailBins covers ratios from 2^-4 to 2^16 with eight bins an octave: 9 % wide, 4.4 % from a bin's middle to its edge.
const (
	tailPerOctave = 8
	tailLowOctave = -4
	tailOctaves   = 20
	tailBins      = tailPerOctave * tailOctaves
)

// Tail is a decayed histogram of positive values on a logarithmic scale. Its zero value is empty and ready. Values
// outside 2^-4 to 2^16 count in the outermost bins; NaN is ignored.
//
// Instead of ageing every bin at every addition, additions grow heavier: the same quantiles, in O(1). Scale stays far
// from overflow because it is folded back into the bins in time.
type Tail struct {
	Weight [tailBins]float32
	Total  float64
	Scale  float64 // weight of the next addition; 0 stands for 1
}

// Add counts x once, after ageing all that came before by decay (0 < decay ≤ 1).
func (h *Tail) Add(x, decay float64) {
	if math.IsNaN(x) {
		return
	}
	if h.Scale == 0 {
		h.Scale = 1
	}
	h.Scale /= decay
	if h.Scale > 1e12 {
		for i := range h.Weight {
			h.Weight[i] = float32(float64(h.Weight[i]) / h.Scale)
		}
		h.Total /= h.Scale
		h.Scale = 1
	}
	h.Weight[bin(x)] += float32(h.Scale)
	h.Total += h.Scale
}

// N returns the number of additions still remembered, in units of a fresh one.
func (h *Tail) N() float64 {
	if h.Scale == 0 {
		return 0
	}
	return h.Total / h.Scale
}

// Quantile returns the q-quantile (0 < q < 1), interpolated inside its bin, and NaN when nothing was added.
func (h *Tail) Quantile(q float64) float64 {
	if h.Total <= 0 {
		return math.NaN()
	}
	want, seen := q*h.Total, 0.0
	last := 0
	for i, w := range h.Weight {
		if w == 0 {
			continue
		}
		last = i
		if seen+float64(w) >= want {
			inside := (want - seen) / float64(w)
			return math.Exp2(tailLowOctave + (float64(i)+inside)/tailPerOctave)
		}
		seen += float64(w)
	}
	return math.Exp2(tailLowOctave + float64(last+1)/tailPerOctave) // rounding left a crumb
}

func bin(x float64) int {
	if x <= 0 {
		return 0
	}
	i := int(math.Floor((math.Log2(x) - tailLowOctave) * tailPerOctave))
	return min(max(i, 0), tailBins-1)
}
