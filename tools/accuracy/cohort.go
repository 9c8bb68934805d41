package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// scaled is a series of a cohort: the shape is common, level and noise are its own.
type scaled struct {
	r         *rand.Rand
	week      *weekCycle
	level, sd float64
	noise     ar1
}

// Levels and noise of a cohort's series differ by factors of 0.1 to 10; noise is about 3 % of the level.
func newScaled(week *weekCycle, r *rand.Rand) *scaled {
	factor := func() float64 { return math.Pow(10, 2*r.Float64()-1) }
	level := 1000 * factor()
	return &scaled{r: r, week: week, level: level, sd: 0.03 * level * factor(), noise: ar1{phi: 0.7}}
}

// next is the value at a time, unix seconds, moved by so many standard deviations.
func (s *scaled) next(unix int64, moved float64) float64 {
	return s.level*s.week.at(unix) + s.sd*(moved+s.noise.next(s.r.NormFloat64()))
}

// cohort is a young series among its siblings.
type cohort struct {
	values    []*scaled // the young one is the last
	detectors []*detector
}

func newCohort(siblings, seed int) *cohort {
	c := &cohort{}
	week := newWeekCycle(seeded(coldPurpose, seed))
	for i := range siblings + 1 {
		c.values = append(c.values, newScaled(week, seeded(coldPurpose, seed, i)))
		c.detectors = append(c.detectors, newDetector(time.Duration(fiveMin)*time.Second))
	}
	return c
}

// step moves one series on.
func (c *cohort) step(i int, unix int64, moved float64) verdict {
	return c.detectors[i].step(series.Point{T: unix * 1000, Value: c.values[i].next(unix, moved)})
}
