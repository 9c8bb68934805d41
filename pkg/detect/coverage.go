package detect

import (
	"math"
	"time"
)

const (
	hoursOfDay = 24

	// coverageHours must be known before anything is missed.
	coverageHours = 24
	// A loss is a fifth of the usual reporters, or four times what their number varies by, if that is more ….
	lossShare   = 0.2
	lossSpreads = 4
	// … and it is over at half of that.
	lossOver = 0.5
	// lossForGood is how long a loss lasts before it is how things are now.
	lossForGood = 24 * time.Hour

	weekGain   = 0.3    // of an hour of the week: what it showed the last two weeks weighs half
	trendGain  = 0.0285 // a day's half-life in hours
	spreadGain = 0.0041 // a week's
	noLack     = 0.02   // a share that is not worth a word
	restarts   = 0.1    // a share after which the recent course says nothing
	explains   = 2      // a lack may explain a fall so many times as large: reporters do not carry equal loads
	hourMillis = int64(3600_000)
)

// Coverage knows how many reporters usually stand behind a series in this hour of the week, and notices that there are
// fewer. Its size does not grow. The zero value knows nothing; its fields are exported for the snapshot alone.
type Coverage struct {
	Week   [hoursOfWeek]float32 // reporters in an hour of the week; 0 is not seen yet
	Trend  float32              // how many there are lately, as a multiple of what the week says; 0 is not known
	Spread float32              // mean |reporters/usual − 1| of an hour
	Hours  uint16               // learnt
	Before float32              // mean of the hour learnt last

	Hour int64 // being learnt, since 1970
	Slot uint8 // of the week
	Rows uint16
	Sum  float32

	Lost         bool
	Since        int64   // first tick of the loss, unix milliseconds
	Count, Usual float32 // at the last tick
	Held         float32 // the lack that values may still show …
	Until        int64   // … up to this instant
	Peak         float32 // largest lack of the run at hand
}

// Step takes the number of reporters at a tick in an hour of the week, and returns the share of the usual ones that the
// value at this tick lacks. reach is how far back the value looks: who is back is missed in it for as long. forGood says
// that fewer are what is usual from now on.
func (c *Coverage) Step(slot int, t int64, reporters int, reach time.Duration) (lack float64, forGood bool) {
	if hour := t / hourMillis; hour != c.Hour || int(c.Slot) != slot {
		c.learn()
		c.Hour, c.Slot = hour, uint8(slot)
	}
	n := float32(reporters)
	usual, seen := c.usual(slot)
	c.Count, c.Usual = n, usual
	share := float32(0)
	if usual > 0 && c.Hours >= coverageHours {
		share = max(0, 1-n/usual)
	}
	limit := max(lossShare, lossSpreads*c.Spread)
	switch {
	case c.Lost && share < lossOver*limit:
		c.Lost = false
	case c.Lost && t-c.Since >= lossForGood.Milliseconds():
		c.Lost, forGood = false, true
		c.Trend = c.trend() * max(n, 1) / usual
		share, c.Held = 0, 0
	case !c.Lost && share >= limit && usual-n >= 0.75 && (seen || n <= (1-lossShare)*c.Before):
		c.Lost, c.Since = true, t
	}
	if !c.Lost {
		c.Rows++
		c.Sum += n
	}
	if share = max(0, share-c.Spread); share < noLack {
		share = 0
	}
	if share >= c.Held || t > c.Until {
		c.Held, c.Until = share, t+reach.Milliseconds()
	}
	return float64(c.Held), forGood
}

// Run follows the lacks of a series and tells when a run of them is over that leaves nothing to go on from.
func (c *Coverage) Run(lack float64) (over bool) {
	if lack > 0 {
		c.Peak = max(c.Peak, float32(lack))
		return false
	}
	over = c.Peak >= restarts
	c.Peak = 0
	return over
}

// usual is how many reporters an hour of the week has. One that was not seen yet has at least as many as that hour of any
// other day.
func (c *Coverage) usual(slot int) (n float32, seen bool) {
	n, seen = c.Week[slot], c.Week[slot] > 0
	if !seen {
		for other := slot % hoursOfDay; other < hoursOfWeek; other += hoursOfDay {
			if w := c.Week[other]; w > 0 && (n == 0 || w < n) {
				n = w
			}
		}
	}
	return n * c.trend(), seen
}

func (c *Coverage) trend() float32 {
	if c.Trend == 0 {
		return 1
	}
	return c.Trend
}

// learn closes the hour at hand. Ticks of a loss were not counted.
func (c *Coverage) learn() {
	if c.Rows == 0 {
		return
	}
	mean := c.Sum / float32(c.Rows)
	c.Rows, c.Sum = 0, 0
	if w := &c.Week[c.Slot]; *w == 0 {
		*w = mean / c.trend()
	} else {
		now := mean / *w
		c.Spread += spreadGain * (min(float32(math.Abs(float64(now/c.trend()-1))), 1) - c.Spread)
		c.Trend = c.trend() + trendGain*(now-c.trend())
		*w += weekGain * (mean - *w)
	}
	if c.Hours < math.MaxUint16 {
		c.Hours++
	}
	c.Before = mean
}

// Covers tells whether a lack explains why a value is below its expectation: what is not seen is not added up.
func Covers(lack, value, expected float64) bool {
	return lack > 0 && expected > 0 && value < expected && expected-value <= explains*lack*expected
}

// Uncovered watches whether any series of a signal has lost reporters. The zero value has seen nothing.
type Uncovered struct {
	Since   int64 // of the loss, unix milliseconds; 0 when there is none
	Firing  bool
	StartAt int64
}

// Step takes what the tick came to: since when reporters are lost, 0 when none are. A loss is told when it has lasted.
func (u *Uncovered) Step(after time.Duration, t, since int64) (Event, bool) {
	if since == 0 {
		u.Since = 0
		if !u.Firing {
			return Event{}, false
		}
		u.Firing = false
		return Event{Kind: End, StartsAt: u.StartAt, EndsAt: t}, true
	}
	if u.Since == 0 || since < u.Since {
		u.Since = since
	}
	if u.Firing || t-u.Since < after.Milliseconds() {
		return Event{}, false
	}
	u.Firing, u.StartAt = true, u.Since
	return Event{Kind: Begin, StartsAt: u.StartAt}, true
}
