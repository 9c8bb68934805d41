package baseline

// Factors are what the limits of an instant are made of: a view's limit is its threshold × its scale × Schedule, and ×
// Youth in the views that depend on the hour, up to LongMean. What is lent is doubted on top.
type Factors struct {
	Youth    float64 // at least 1: how much wider the bounds are because the hour of the week was seldom seen
	Schedule float64 // at least 1: because something comes at this time of the day
	Power    float64 // of the level, with which shape and noise go: 0 additive, 1 multiplicative
	// Thresholds are calibrated, in scales; Scales are in the unit of the value. Both are 0 while they are not known.
	Thresholds, Scales [viewCount]float64
}

// Factors states them for the instant t (unix milliseconds).
func (m *Model) Factors(t int64) (f Factors) {
	if m.Ratio != nil { // its limits are quantiles of counts
		f.Youth, f.Schedule = 1, 1
		return f
	}
	e := m.Expect(t)
	f.Youth, f.Schedule, f.Power = 1, e.widen, float64(m.Slow.Power)
	if !e.Known {
		return f
	}
	frame, frac := m.frameAt(t)
	f.Youth = float64(frame.young)
	spread, move, amaze := frame.scales(frac)
	f.Scales = [viewCount]float64{Context: spread, ShortMean: spread, LongMean: spread, Jump: move, Surprise: amaze, Flat: 1}
	for v := range viewCount {
		f.Thresholds[v] = float64(m.Slow.Limits[v])
	}
	return f
}
