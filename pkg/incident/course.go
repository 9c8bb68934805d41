package incident

import "math"

// CourseSlots is how many points of a series are remembered: an hour and a half at a minute.
const CourseSlots = 96

// Course is where a series was of late, in units of what is usual for it: its distance from the expectation over the
// distance at which it would be anomalous. 104 bytes; values are rounded to half a percent, or five percent of what is
// large. The zero value remembers nothing. The fields are exported for the snapshot alone.
type Course struct {
	Slots [CourseSlots]int8 // by number modulo their count; 0 is missing
	Last  int64             // number of the newest
}

// Small values are kept on a fine scale and large ones on a logarithmic one: asinh is both.
const (
	courseFine  = 16 // one unit is asinh(16) ≈ 3.5, a thousand ≈ 10.4
	courseSteps = 12 // of the result to a slot
)

// Put remembers the deviation at slot number n. Slots that were passed over are missing; what comes late is dropped.
func (c *Course) Put(n int64, deviation float64) {
	if n < c.Last {
		return
	}
	if n-c.Last >= CourseSlots {
		c.Slots = [CourseSlots]int8{}
	} else {
		for k := c.Last + 1; k <= n; k++ {
			c.Slots[k%CourseSlots] = 0
		}
	}
	c.Last = n
	c.Slots[n%CourseSlots] = encodeDeviation(deviation)
}

// At returns the deviation at slot number n; NaN when it is missing, or no longer remembered.
func (c *Course) At(n int64) float64 {
	if n > c.Last || n <= c.Last-CourseSlots || n < 0 {
		return math.NaN()
	}
	return decodeDeviation(c.Slots[n%CourseSlots])
}

// encodeDeviation gives 1 to 127 for what is not below the expectation, -1 to -128 for what is.
func encodeDeviation(d float64) int8 {
	if math.IsNaN(d) {
		return 0
	}
	q := math.Min(math.Round(courseSteps*math.Asinh(courseFine*math.Abs(d))), 126)
	if d < 0 {
		return int8(-1 - q)
	}
	return int8(1 + q)
}

func decodeDeviation(s int8) float64 { return deviations[uint8(s)] }

// deviations are what the 256 slots stand for.
var deviations = func() (all [256]float64) {
	for i := range all {
		switch s := int8(uint8(i)); {
		case s == 0:
			all[i] = math.NaN()
		case s < 0:
			all[i] = -math.Sinh(float64(-1-int(s))/courseSteps) / courseFine
		default:
			all[i] = math.Sinh(float64(s-1)/courseSteps) / courseFine
		}
	}
	return all
}()
