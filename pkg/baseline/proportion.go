package baseline

import "math"

const (
	phiHours      = 24   // of dispersion learnt before outliers count less
	tailMargin    = 1.15 // by which the tails of what is dispersed are heavier than a Gaussian's, in variance
	phiMost       = 16.0 // squared deviations of one hour: more teach no more
	phiLeast      = 3.0  // variance of a count that tells of dispersion; less waits for more
	hotZ          = 4.0  // an hour is an incident from here on
	coolHours     = 3    // in a row end one
	oftenHot      = 0.1  // of the hours: incidents are rarer
	clipCounts    = 4.0  // events that an hour may have beyond its clipped deviation: one of a rare kind is no outlier
	youngShape    = 0.3  // of the ratio: how far an hour of the week may be from its day before it was seen
	outsideShare  = 0.05 // of the hours beyond 0 and 1 make a quotient that counts no successes
	freshRatio    = 3    // hours' denominators that a level taken anew is worth
	unseenSpeed   = 0.25 // of the level's learning from an hour of the week that was not seen yet
	jeffreys      = 0.5  // events that a ratio starts with, of either kind
	groupLikeness = 0.2  // of the ratio: how far a special day may be from the day whose shape it borrows
)

// Proportion is what is normal for a ratio, learnt from hourly counts: a level, the deviations of the day from it and of
// the week from both, each believed as far as the events behind it tell more than the noise, and how much more than
// independent events it varies. Its zero value knows nothing. The fields are exported for the snapshot alone.
type Proportion struct {
	Level    float64
	LevelDen float64 // denominators behind it, half-life three days

	Day     [hoursOfDay]float32 // deviation from the level
	DayDen  [hoursOfDay]float32
	Week    [hoursOfWeek]float32 // deviation from the level, too
	WeekDen [hoursOfWeek]logFloat
	WeekN   [hoursOfWeek]uint8
	Usual   [hoursOfWeek]logFloat // denominators in this hour of the week

	// Variances of the deviations, noise taken off; 0 as long as there is no shape.
	DayVar, WeekVar float64
	PerHour         float64 // denominators, mean

	Phi, Phi2   float64 // variance over that of independent events, of hours and of two hours together
	PhiN, Phi2N uint32
	// Counts too small to tell of dispersion are gathered; the hour before is the first of two.
	HeldDiff, HeldVar, LastDiff, LastVar, LastX, LastDen float64
	LastHour                                             int32

	Outside float64 // share of hours with a ratio that is no proportion
	Free    bool    // the ratio is none: any quotient

	// An incident, or a level that changed for good.
	Hot, Cool       uint8 // hours since it began; quiet ones in a row
	HotDiff, HotDen float64
	Often           float64 // share of hours that looked like one
	Left            float64 // the level before the last accepted shift, remembered for LeftHours
	LeftHours       uint16
}

// unitVariance is the variance of one event at ratio p, were events independent.
func (r *Proportion) unitVariance(p float64) float64 {
	if r.Free {
		return max(math.Abs(p), 1e-9*(math.Abs(r.Level)+1e-30))
	}
	return p * (1 - p)
}

// dispersion is the factor by which the variance of a count exceeds that of independent events, where it does so beyond
// doubt.
func (r *Proportion) dispersion(phi float64, n uint32) float64 {
	if r.Free {
		return max(phi, 1e-12)
	}
	excess := phi - 1
	if !(excess > 0) {
		return 1
	}
	doubt := 2 * math.Sqrt(2/min(float64(n)+1, scaleHalfLife/math.Ln2))
	if sure := excess / doubt; sure < 1 {
		excess *= sure * sure
	}
	return 1 + tailMargin*excess
}

// phis are the dispersions of counts up to an hour, and of two hours.
func (r *Proportion) phis() (hour, two float64) {
	hour = r.dispersion(r.Phi, r.PhiN)
	two = hour
	if r.Phi2N >= phiHours {
		two = max(hour, r.dispersion(r.Phi2, r.Phi2N))
	}
	return hour, two
}

// crowd is how much more a busy hour is dispersed: when the ratio itself wanders, events vary together, the more the more
// of them there are.
func (r *Proportion) crowd(phi, den float64) float64 {
	if r.Free || phi <= 1 {
		return phi
	}
	return 1 + (phi-1)*max(1, den/r.PerHour)
}

// bounded keeps a ratio where it can be, given that what was never seen may only be rare.
func (r *Proportion) bounded(p float64) float64 {
	if r.Free {
		return p
	}
	rare := jeffreys / (r.LevelDen + 2*jeffreys)
	return min(max(p+rare*(1-2*p), rare), 1-rare)
}

// rateKnot is what is expected in the middle of an hour.
type rateKnot struct {
	p, variance float64 // ratio, and how well it is known
	young       float64 // how much further it may be off
	usual       float64 // denominators an hour
	slot, weeks int
	seen        bool
}

func (r *Proportion) knot(slot int) (k rateKnot) {
	d := slot % hoursOfDay
	k.slot, k.weeks = slot, int(r.WeekN[slot])
	k.seen = r.DayDen[d] > 0
	k.usual = r.Usual[slot].float()
	if k.weeks == 0 {
		k.usual = r.PerHour
	}
	phi, _ := r.phis()
	noise := r.unitVariance(r.bounded(r.Level)) * phi
	day, dayVar := believed(float64(r.Day[d]), r.DayVar, noise, float64(r.DayDen[d]))
	week, weekVar := believed(float64(r.Week[slot])-day, r.WeekVar, noise, r.WeekDen[slot].float())
	k.p = r.bounded(r.Level + day + week)
	k.variance = max(dayVar, weekVar)
	if r.LevelDen > 0 {
		k.variance += noise / r.LevelDen
	}
	k.young = r.youth(k.p, k.weeks)
	return k
}

// youth is how far a ratio may be off in an hour of the week that was not often seen.
func (r *Proportion) youth(p float64, seen int) float64 {
	return youngShape * (float64(youth(seen)) - 1) * r.size(p)
}

// size of a ratio, or of what is left to all when that is less.
func (r *Proportion) size(p float64) float64 {
	if r.Free {
		return math.Abs(p)
	}
	return min(p, 1-p)
}

// believed shrinks a deviation that was seen in den events, each of variance noise, when deviations have a variance of
// their own; what remains unknown of it is left.
func believed(deviation, variance, noise, den float64) (value, left float64) {
	if variance <= 0 {
		return 0, 0
	}
	if den <= 0 {
		return 0, variance
	}
	s := noise / den
	trust := variance / (variance + s)
	return trust * deviation, trust * s
}

// shape measures how much the hours of the day and of the week really differ: the variance of their deviations, less
// what noise gives and one standard error of that.
func (r *Proportion) shape() {
	phi, _ := r.phis()
	noise := r.unitVariance(r.bounded(r.Level)) * phi
	r.center()
	var sum, den, n float64
	for d, w := range r.DayDen {
		if w > 0 {
			sum, den, n = sum+float64(w)*float64(r.Day[d])*float64(r.Day[d]), den+float64(w), n+1
		}
	}
	r.DayVar = excess(sum, den, n, noise)
	sum, den, n = 0, 0, 0
	for slot, l := range r.WeekDen {
		if w := l.float(); w > 0 {
			d := slot % hoursOfDay
			day, _ := believed(float64(r.Day[d]), r.DayVar, noise, float64(r.DayDen[d]))
			x := float64(r.Week[slot]) - day
			sum, den, n = sum+w*x*x, den+w, n+1
		}
	}
	r.WeekVar = excess(sum, den, n, noise)
}

// center moves what all hours of the day have in common into the level.
func (r *Proportion) center() {
	var sum, den float64
	for d, w := range r.DayDen {
		sum, den = sum+float64(w)*float64(r.Day[d]), den+float64(w)
	}
	if den <= 0 {
		return
	}
	common := sum / den
	r.Level += common
	for d, w := range r.DayDen {
		if w > 0 {
			r.Day[d] -= float32(common)
		}
	}
	for slot, n := range r.WeekN {
		if n > 0 {
			r.Week[slot] -= float32(common)
		}
	}
}

// excess is the variance of n deviations from their weighted sum of squares, beyond what independent noise gives.
func excess(sum, weight, n, noise float64) float64 {
	if n < hoursOfDay/2 {
		return 0
	}
	return max(0, (sum-(n+math.Sqrt(2*n))*noise)/weight)
}
