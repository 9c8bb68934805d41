package detect

import "math"

// A Budget holds a team, or one signal, to the false alarms it may cost. It moves the thresholds of all its series by one
// exponent: a point is told when its excess (baseline.Verdict.Excess) reaches it. The exponent is where the episodes of
// the recent past, pooled over the series, would have come as often as the budget allows.
//
// It counts level crossings of hourly maxima: hours of a series that reach a level when the hour before did not. So an
// incident of many hours is one episode at every level. A day counts at most dayShare of its share at any level, and what
// is beyond Certain is no false alarm and not counted at all: real incidents cannot silence a team. The prior, worth
// priorAlarms, says that thresholds are right as they are. What alarms the counted episodes really led to (direction,
// min_change and for hold some back, long hours hold several) corrects the count, within bounds; what could have paged and
// did not is allowed once more.
//
// Time is that of the points: hours without a judged one do not pass. Everything is deterministic.
type Budget struct {
	BudgetState
	PerWeek float64 // alarms; more than 0
}

const (
	// Certain is the |score| from which a point is told and pages whatever was spent.
	Certain = 5.0
	// LowestExponent is where the exponent ends below ….
	LowestExponent = -1.5
	// HighestExponent … and above: thresholds are at most Widens^HighestExponent wider than at the default.
	HighestExponent = 4.0

	budgetHalfLife = 504.0 // hours: what three weeks ago happened counts half
	priorAlarms    = 2.0
	priorSlope     = 2.0 // how fast rates fall with the exponent, in nats a unit, as far as nothing was seen: a heavy tail's
	dayShare       = 3.0
	savedWeeks     = 0.6
	leastSaved     = 2.0
	leastFollowed  = 0.25 // alarms for each counted episode: how far the correction goes
	mostFollowed   = 4.0

	excessBins   = 128
	excessPerBin = 1.0 / 16
	excessLow    = LowestExponent - 0.5
	hoursOfWeek  = 168.0
)

// BudgetState is what a budget remembers; it has a fixed size. The fields are exported for the snapshot alone.
type BudgetState struct {
	Hour   int64 // since 1970, of the last tick; 0 before the first
	Judged bool  // a point of that hour was judged
	Series int64 // at the last tick

	Past    tally
	Today   tally
	Level   float64 // the exponent in force
	Left    float64 // alarms that may page
	LeftNow float64 // of them in this hour
}

// tally is what was counted, decayed or of one day.
type tally struct {
	Hours    float64             // with judged points
	Expected float64             // episodes at the exponents in force
	Told     float64             // alarms
	Spare    float64             // that could not be saved up any more
	Tail     [excessBins]float64 // episodes at every level: ends minus begins of the levels that an hour crossed
}

// Exponent is by how much thresholds are moved: Limit·Widens^Exponent.
func (b *Budget) Exponent() float64 { return b.Level }

// Worth tells whether a point is worth telling.
func (b *Budget) Worth(score, excess float64) bool {
	return excess >= b.Level || math.Abs(score) >= Certain
}

// Turn begins a tick (unix milliseconds) for so many series. It is to be called before anything else of the tick.
func (b *Budget) Turn(t int64, series int) {
	hour := floorHour(t)
	b.Series = int64(series)
	if hour <= b.Hour {
		return
	}
	if b.Hour == 0 {
		b.Left = b.most()
	} else {
		left := b.Left + b.PerWeek*float64(hour-b.Hour)/hoursOfWeek
		b.Left = min(b.most(), left)
		if b.Judged {
			b.Today.Spare += left - b.Left
		}
	}
	b.LeftNow = max(1, b.Left/2) // one hour's storm leaves the others something
	if b.Judged {
		b.Today.Hours++
	}
	if hour/24 != b.Hour/24 {
		b.closeDay()
	}
	b.Hour, b.Judged = hour, false
	b.Level = b.solve()
}

// Complete takes over what another budget of the same series has seen, where that is more: a past that was filled in.
func (b *Budget) Complete(o *Budget) {
	if o.Past.Hours+o.Today.Hours > b.Past.Hours+b.Today.Hours {
		b.BudgetState = o.BudgetState
	}
}

// most is how many alarms may be saved up: with what comes in meanwhile, no week pages more than 1.6 times its budget.
// Small budgets need two, or chance alone would keep a third of their alarms from paging.
func (b *Budget) most() float64 { return max(leastSaved, savedWeeks*b.PerWeek) }

// See notes that a point was judged.
func (b *Budget) See() { b.Judged = true }

// Crossed counts an hour of a series whose largest excess was most, after an hour of before.
func (b *Budget) Crossed(before, most float64) {
	if !(most > before) {
		return
	}
	if i := excessBin(most); i >= 0 {
		b.Today.Tail[i]++
	}
	if i := excessBin(before); i >= 0 {
		b.Today.Tail[i]--
	}
	if most >= b.Level && before < b.Level {
		b.Today.Expected++
	}
}

// Tell counts an alarm and says whether it pages: whether there is something left to spend. An alarm that is certain
// always does, and costs nothing: it is not false.
func (b *Budget) Tell(score float64) (pages bool) {
	if math.Abs(score) >= Certain {
		return true
	}
	b.Today.Told++
	if b.Left < 1 || b.LeftNow < 1 {
		return false
	}
	b.Left--
	b.LeftNow--
	return true
}

// closeDay lets the day become past.
func (b *Budget) closeDay() {
	keep := math.Exp2(-b.Today.Hours / budgetHalfLife)
	p, d := &b.Past, &b.Today
	p.Hours = keep*p.Hours + d.Hours
	p.Expected = keep*p.Expected + d.Expected
	p.Told = keep*p.Told + d.Told
	p.Spare = keep*p.Spare + d.Spare
	most, sum, before := b.dayMost(), 0.0, 0.0
	for i := excessBins - 1; i >= 0; i-- {
		sum += d.Tail[i]
		now := min(sum, most)
		p.Tail[i] = keep*p.Tail[i] + now - before
		before = now
	}
	b.Today = tally{}
}

// dayMost is what a day counts at most at any level.
func (b *Budget) dayMost() float64 { return max(1, dayShare*b.PerWeek/7) }

// solve finds the exponent at which past and prior together have as many episodes as the budget allows: the first from
// above.
func (b *Budget) solve() float64 {
	told, expected := b.Past.Told+b.Today.Told, b.Past.Expected+b.Today.Expected
	followed := min(max((told+priorAlarms)/(expected+priorAlarms), leastFollowed), mostFollowed)
	allowed := b.PerWeek * (b.Past.Hours + b.Today.Hours) / hoursOfWeek
	// Alarms that come by chance, as many as may be saved up (c), leave 1/(2c) of a budget over: a random walk between two
	// walls. That is not spare.
	spare := min(max(0, b.Past.Spare+b.Today.Spare-allowed/(2*b.most())), allowed)
	wanted := (allowed + spare + priorAlarms) / followed
	day, most := 0.0, b.dayMost()
	past, above := 0.0, 0.0
	for i := excessBins - 1; i >= 0; i-- {
		past += b.Past.Tail[i]
		day += b.Today.Tail[i]
		here := past + min(day, most) + prior[i]
		if here >= wanted {
			inside := 0.0
			if here > above {
				inside = (wanted - above) / (here - above)
			}
			return b.bounded(excessLow + (float64(i)+1-inside)*excessPerBin)
		}
		above = here
	}
	return b.bounded(excessLow)
}

// prior is the tail believed in before anything was seen.
var prior = func() (tail [excessBins]float64) {
	for i := range tail {
		tail[i] = priorAlarms * math.Exp(-priorSlope*(excessLow+float64(i)*excessPerBin))
	}
	return tail
}()

// bounded keeps an exponent in its range. Thresholds go below those of the default only for a budget of more than one alarm
// a week and series: what is told is visibly outside its band, unless more was asked for.
func (b *Budget) bounded(level float64) float64 {
	low := -math.Log(max(1, b.PerWeek/max(1, float64(b.Series)))) / priorSlope
	return min(max(level, low, LowestExponent), HighestExponent)
}

// excessBin is −1 below all levels.
func excessBin(x float64) int {
	if !(x >= excessLow) {
		return -1
	}
	return min(int((x-excessLow)/excessPerBin), excessBins-1)
}

// Crossing is what a series remembers for its budgets: the largest excess of this hour and of the one before. Points that
// are certain are left out. The zero value has seen nothing.
type Crossing struct {
	Hour         int64
	Most, Before float64
}

// nothingCrossed is below every level.
const nothingCrossed = excessLow - 1

// Step takes the excess of the next judged point (unix milliseconds). When it begins another hour than the point before, it
// returns the two hours for Budget.Crossed.
func (c *Crossing) Step(t int64, score, excess float64) (before, most float64, closed bool) {
	if hour := floorHour(t); hour != c.Hour {
		before, most, closed = c.Before, c.Most, c.Hour != 0
		c.Before = nothingCrossed
		if hour == c.Hour+1 {
			c.Before = c.Most
		}
		c.Hour, c.Most = hour, nothingCrossed
	}
	if math.Abs(score) < Certain {
		c.Most = max(c.Most, excess)
	}
	return before, most, closed
}

func floorHour(t int64) int64 {
	const hour = 3_600_000
	if t < 0 {
		t -= hour - 1
	}
	return t / hour
}
