package baseline

import "math"

var (
	levelKeep = math.Exp2(-1 / levelHalfLife)
	dayKeep   = math.Exp2(-1 / dayHalfLife)
	weekKeep  = math.Exp2(-1 / weekHalfLife)
)

// learnRatio folds the counts of an hour.
func (m *Model) learnRatio(h *hour) {
	r := &m.Proportion
	den, x := float64(h.Weight)*float64(h.N)*float64(m.share), h.Mean
	if !(den > 0) || math.Abs(x) > huge || den > huge*float64(h.N) {
		return
	}
	hours := float64(m.Past.Hours - 1)
	r.PerHour += gain(scaleHalfLife, hours) * (den - r.PerHour)
	r.learnKind(x, hours)
	d := h.slot % hoursOfDay
	if m.Past.Hours <= firstDay {
		r.LevelDen += den
		r.Level += den / r.LevelDen * (x - r.Level)
		lean(&r.Day[d], &r.DayDen[d], 1, den, x)
		if m.Past.Hours == firstDay {
			r.settleDay()
		}
		return
	}
	k := r.knot(h.slot)
	if h.group > 0 {
		m.learnRatioGroup(h, x-k.p)
		return
	}
	unit := r.unitVariance(k.p)
	diff, free := den*(x-k.p), den*unit
	phi, _ := r.phis()
	total := free*r.crowd(phi, den) + den*den*k.variance
	hot := k.weeks > 0 && m.Past.Hours > 2*firstDay && (math.Abs(diff) > hotZ*math.Sqrt(total)+den*k.young || h.Peak >= 1)
	if h.Flags&FreshLevel != 0 {
		r.LevelDen = min(r.LevelDen, r.PerHour/10)
	}
	fresh := r.LevelDen < freshUntil*r.PerHour
	if fresh {
		hot, r.Hot, r.Cool = false, 0, 0
	}
	moved := r.settle(diff, den, hot)
	diff -= den * moved
	k.p += moved
	r.Often += gain(hoursOfWeek, hours) * (one(hot) - r.Often)
	speed := 1.0
	if r.Hot > 0 && r.Often < oftenHot { // more of them are no incidents but too little belief in noise
		speed = openSpeed
	} else if k.weeks > 0 {
		r.learnPhi(h.Hour, diff, free, 1+den*k.variance/(unit*phi))
	} else if h.Hour == r.LastHour+1 && (r.Free || min(free, r.LastVar) >= phiLeast) {
		// A day of the week that was not seen yet may have a shape of its own: hours are compared with each other.
		step := x - r.LastX
		r.learnDispersion(&r.Phi, &r.PhiN, step, unit*(1/den+1/r.LastDen))
	}
	r.LastDiff, r.LastVar, r.LastHour, r.LastX, r.LastDen = diff, free, h.Hour, x, den
	limit := clipSpreads * math.Sqrt(total)
	if !r.Free {
		limit += clipCounts
	}
	if fresh {
		limit = math.Inf(1)
	}
	typical := k.p + clip(diff, limit)/den // the hour's ratio, unless that is beyond belief
	r.LevelDen = r.LevelDen*levelKeep + speed*den
	follow := speed
	if k.weeks == 0 {
		follow *= unseenSpeed // rather the week has a shape
	}
	r.Level += follow * den / r.LevelDen * (typical - k.p)
	if h.Flags&FreshLevel != 0 {
		r.LevelDen = min(r.LevelDen, r.PerHour/10)
	}
	lean(&r.Day[d], &r.DayDen[d], dayKeep, speed*den, typical-r.Level)
	week, weekDen := typical, float32(r.WeekDen[h.slot].float())
	if k.weeks == 0 {
		week = x // the first sight is all there is to know of it
	}
	lean(&r.Week[h.slot], &weekDen, weekKeep, speed*den, week-r.Level)
	r.WeekDen[h.slot] = toLogFloat(float64(weekDen))
	r.Usual[h.slot].learn(den, gain(weekHalfLife, float64(r.WeekN[h.slot])))
	r.WeekN[h.slot] = inc(r.WeekN[h.slot])
	if m.Past.Hours%hoursOfDay == 0 {
		r.shape()
	}
}

// lean moves a deviation towards x as far as den events go beside those that are behind it.
func lean(deviation, behind *float32, keep, den, x float64) {
	w := float64(*behind)*keep + den
	*behind = float32(w)
	if w > 0 {
		*deviation += float32(den / w * (x - float64(*deviation)))
	}
}

// settleDay makes the ratios of the first day deviations.
func (r *Proportion) settleDay() {
	for d, w := range r.DayDen {
		if w > 0 {
			r.Day[d] -= float32(r.Level)
		}
	}
}

// learnKind notes whether the quotient counts successes: a proportion is between 0 and 1.
func (r *Proportion) learnKind(x, hours float64) {
	r.Outside += gain(scaleHalfLife, hours) * (one(x < 0 || x > 1) - r.Outside)
	free := r.Outside > outsideShare
	if free == r.Free {
		return
	}
	before := r.unitVariance(r.bounded(r.Level))
	r.Free = free
	if after := r.unitVariance(r.bounded(r.Level)); after > 0 && before > 0 { // the same variance in other units
		r.Phi, r.Phi2 = r.Phi*before/after, r.Phi2*before/after
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// learnPhi follows how much more than independent events counts vary; free is their variance if they were, doubt the
// factor by which not knowing the ratio well adds to it.
func (r *Proportion) learnPhi(hour int32, diff, free, doubt float64) {
	if r.LastVar > 0 && hour == r.LastHour+1 && (r.Free || free+r.LastVar >= phiLeast) {
		r.learnDispersion(&r.Phi2, &r.Phi2N, diff+r.LastDiff, (free+r.LastVar)*doubt)
	}
	r.HeldDiff, r.HeldVar = r.HeldDiff+diff, r.HeldVar+free*doubt
	if r.Free || r.HeldVar >= phiLeast {
		r.learnDispersion(&r.Phi, &r.PhiN, r.HeldDiff, r.HeldVar)
		r.HeldDiff, r.HeldVar = 0, 0
	}
}

func (r *Proportion) learnDispersion(phi *float64, n *uint32, diff, variance float64) {
	if !(variance > 0) {
		return
	}
	x := min(diff/variance*diff, huge)
	if *n > phiHours {
		x = min(x, phiMost*r.dispersion(*phi, *n))
	}
	*phi += gain(scaleHalfLife, float64(*n)) * (x - *phi)
	*n++
}

// settle returns by how much the level was moved at once: to the new one after confirmHours of an incident on one side,
// and back to one that was left not long ago as soon as the ratio is.
func (r *Proportion) settle(diff, den float64, hot bool) (moved float64) {
	if r.LeftHours > 0 {
		r.LeftHours--
		if back := r.Left - r.Level; hot && math.Abs(diff/den-back) < math.Abs(diff/den)/2 {
			r.Hot, r.LeftHours = 0, 0
			return r.moveLevel(back)
		}
	}
	switch {
	case r.Hot == 0 && !hot:
		return 0
	case r.Hot > 0 && hot && r.HotDiff > 0 != (diff > 0):
		r.Hot = 0 // another one
	}
	if r.Hot == 0 {
		r.HotDiff, r.HotDen = 0, 0
	}
	r.Cool++
	if hot {
		r.Cool = 0
	}
	if r.Cool >= coolHours {
		r.Hot, r.Cool = 0, 0
		return 0
	}
	r.Hot++
	r.HotDiff, r.HotDen = r.HotDiff+diff, r.HotDen+den
	if r.Hot <= confirmHours {
		return 0
	}
	moved = r.HotDiff / r.HotDen
	r.Hot, r.Cool, r.Left, r.LeftHours = 0, 0, r.Level, returnHours
	return r.moveLevel(moved)
}

func (r *Proportion) moveLevel(by float64) float64 {
	r.Level += by
	r.freshLevel()
	return by
}

// freshLevel lets the level be learnt within hours.
func (r *Proportion) freshLevel() { r.LevelDen = min(r.LevelDen, freshRatio*r.PerHour) }

// learnRatioGroup learns how a special day deviates.
func (m *Model) learnRatioGroup(h *hour, deviation float64) {
	g, d := m.group(h.group), h.slot%hoursOfDay
	g.Dev[d] += float32(gain(groupHalfLife, float64(g.N[d])) * (deviation - float64(g.Dev[d])))
	g.N[d] = inc(g.N[d])
	g.Hours++
}

// special adds to a knot what is known of its special day.
func (m *Model) special(k *rateKnot, hour int64) {
	n := m.groupAt(hour*hourMillis + halfMillis)
	if n == 0 {
		return
	}
	r := &m.Proportion
	like := groupLikeness * r.size(k.p)
	k.weeks = 0
	deviation, seen := 0.0, 0.0
	if n <= len(m.Groups) {
		g, d := &m.Groups[n-1], k.slot%hoursOfDay
		k.weeks = int(g.N[d])
		deviation, seen = float64(g.Dev[d]), min(float64(g.N[d]), groupHalfLife)*k.usual
	}
	phi, _ := r.phis()
	value, left := believed(deviation, like*like, r.unitVariance(k.p)*phi, seen)
	k.p = r.bounded(k.p + value)
	k.young = max(k.young, r.youth(k.p, k.weeks))
	if k.weeks > 0 {
		k.variance += left
	}
}
