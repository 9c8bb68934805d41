package baseline

import "math"

// View is a way of looking at a point's deviation. Each has a scale and a tail of its own.
type View uint8

// The views.
const (
	Context   View = iota // the residual: value minus expectation
	ShortMean             // average of the recent residuals, half-life five points: incidents too small to see in one
	LongMean              // the same, half-life twenty points
	Jump                  // residual minus the residual before: breaks
	Surprise              // residual minus what the two before it foretell
	Flat                  // evidence that a value which should move stands still, in nats
	viewCount
)

var viewNames = [viewCount]string{"context", "short_mean", "long_mean", "jump", "surprise", "flat_line"}

func (v View) String() string { return viewNames[v] }

// Views lists all of them.
func Views() []View { return []View{Context, ShortMean, LongMean, Jump, Surprise, Flat} }

const (
	shortHalfLife = 5.0 // points
	longHalfLife  = 20.0
	// What came before a hole of so many steps is no neighbour any more.
	gapSteps = 5
	// An excursion is gone from the averages after three half-lives of the longer one.
	backPoints = 3 * longHalfLife
	// A value that moves by a scale of s in steps of q repeats itself by chance once in about 2.5 s/q times: that is
	// √(2π) times the standard deviation, which is 1.25 mean absolute deviations, of a difference's density at zero.
	repeatOdds = 2.5
)

var (
	shortGain = 1 - math.Exp2(-1/shortHalfLife)
	longGain  = 1 - math.Exp2(-1/longHalfLife)
)

// Recent is the fast state: the recent course of the residual, in units of what was usual at the time, so that what
// the busy evening leaves behind weighs at night what it weighed then.
type Recent struct {
	Before, Before2 float64 // the last two residuals, in units
	N               uint32  // points in a row, without a hole
	Back            uint8   // points for which averages may still be those of an excursion that ended
	Of              kind    // of residuals they are
	Short, Long     float64 // averages of residuals, in units
	Run             float64 // evidence of the present run of equal values
	Last            float64 // value
	LastT           int64
}

// views is what the views show of one point.
type views struct {
	at         [viewCount]float64
	neighbours int  // how many of the two points before there are
	back       bool // one of them was an excursion: coming back from it is no news
	jump2      float64
	change     float64 // of the value since the point before
	peak       float64
}

// kind of what the recent course consists of.
type kind uint8

const (
	values   kind = iota // nothing is expected yet
	plain                // residuals as they are, while the scales are hardly known
	anchored             // residuals from a level that is not known yet
	inUnits
)

// look shows residual r of a value to the views; unit is the spread of its time. limit is where a residual alone is anomalous; what lies beyond enters the
// averages no further, so that they recover when it does. quiet is the evidence of one repetition.
func (c *Recent) look(r, value, unit, limit, quiet float64, s *Slow, of kind) (x views) {
	x.at[Context] = r
	if of == plain || of == inUnits {
		clipped := clip(r, limit)
		short, long := unit*c.Short, unit*c.Long
		x.at[ShortMean] = short + shortGain*(clipped-short)
		x.at[LongMean] = long + longGain*(clipped-long)
	}
	if c.N == 0 {
		return x
	}
	x.neighbours = 1
	x.change = value - c.Last
	before, before2 := unit*c.Before, unit*c.Before2
	x.back = math.Abs(before) > limit || c.N > 1 && math.Abs(before2) > limit
	x.at[Jump] = r - before
	if x.change == 0 {
		x.at[Flat] = c.Run + quiet
	}
	if c.N > 1 {
		x.neighbours = 2
		x.jump2 = r - before2
		x.at[Surprise] = r - s.Follow*before - s.Follow2*before2
	}
	return x
}

// take makes the point the most recent one.
func (c *Recent) take(t int64, r, value, unit, limit float64, x *views) {
	switch {
	case math.Abs(r) > limit:
		c.Back = backPoints
	case c.Back > 0:
		c.Back--
	}
	per := 1 / unit
	c.Short, c.Long, c.Run = x.at[ShortMean]*per, x.at[LongMean]*per, x.at[Flat]
	c.Before2, c.Before = c.Before, r*per
	c.Last, c.LastT = value, t
	c.N++
}
