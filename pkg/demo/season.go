package demo

import (
	"math"
	"time"
)

// Growth of visits a week, and the age of the release that made the shop faster and larger, at the end of the history.
const (
	growth     = 0.01
	releaseAge = 10 * 24 * time.Hour
)

// season is how busy the shop is at a local time, 1 at its busiest hour: quiet nights, a small peak at lunch, a large one in
// the evening, and weekends that begin later and last longer.
func season(t time.Time) float64 {
	hour := float64(t.Hour()) + float64(t.Minute())/60 + float64(t.Second())/3600
	bump := func(at, width float64) float64 {
		d := math.Mod(hour-at+36, 24) - 12 // around the clock
		return math.Exp(-d * d / (2 * width * width))
	}
	weekday := 0.22 + 0.45*bump(12.5, 2.5) + 0.78*bump(20, 2.4)
	weekend := 0.25 + 0.65*bump(14.5, 3.5) + 0.6*bump(20.5, 2.8)
	// Friday evening and Sunday night lean towards the other shape, so that no step divides the days.
	part := 0.0
	switch t.Weekday() {
	case time.Friday:
		part = hour / 24 * 0.5
	case time.Saturday:
		part = 0.5 + hour/24*0.5
	case time.Sunday:
		part = 1 - hour/24*0.5
	case time.Monday:
		part = 0.5 - min(hour/8, 1)*0.5
	default: // weekdays are alike
	}
	return weekday*(1-part) + weekend*part
}
