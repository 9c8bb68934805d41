package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// nullKind is how a series without any anomaly varies about its weekly cycle.
type nullKind uint8

const (
	gaussian    nullKind = iota // AR(1), coefficient .5 to .95
	heavyTailed                 // Student's t with three degrees of freedom, AR(1) .5
	lognormal                   // multiplicative, AR(1) .8
	poisson                     // counts with means of 0.5 to 500 a row
	scheduled                   // AR(1) .5 and a nightly job within ±15 minutes of its time
	commonShock                 // half of the variance is shared by all series of this kind, with heavy tails
	nullKinds
)

func (k nullKind) String() string {
	names := [...]string{"AR(1) .5–.95", "t3", "lognormal", "Poisson", "scheduled job", "common shock"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("nullKind(%d)", uint8(k))
}

// nullSeries makes the rows of one series in the order of time.
type nullSeries struct {
	kind   nullKind
	r      *rand.Rand
	week   *weekCycle
	level  float64 // mean
	spread float64 // standard deviation of the noise, relative to the level
	noise  ar1
	job    job
}

// job is a nightly load: it begins at a second of the day, gives or takes, and lasts.
type job struct {
	at, lasts  int64
	size       float64 // in standard deviations of the noise
	begin, day int64
}

func newNullSeries(kind nullKind, r *rand.Rand) *nullSeries {
	s := &nullSeries{kind: kind, r: r, week: newWeekCycle(r)}
	s.level = math.Pow(10, 4*r.Float64()) // 1 to 10,000
	s.spread = 0.02 + 0.08*r.Float64()
	s.noise.phi = 0.5
	switch kind {
	case gaussian:
		s.noise.phi = 0.5 + 0.45*r.Float64()
	case lognormal:
		s.noise.phi, s.spread = 0.8, 0.1+0.2*r.Float64()
	case poisson:
		s.level = 0.5 * math.Pow(1000, r.Float64())
	case scheduled:
		s.job = job{at: 3600 + r.Int64N(4*3600), lasts: fiveMin * (2 + r.Int64N(5)), size: 10 + 10*r.Float64(), day: -1}
	case heavyTailed, commonShock, nullKinds:
	}
	return s
}

// next is the value at a time, unix seconds. shared is the common factor then, with standard deviation 1; only one kind
// heeds it.
func (s *nullSeries) next(unix int64, shared float64) float64 {
	mean := s.level * s.week.at(unix)
	sd := s.spread * s.level
	switch s.kind {
	case heavyTailed:
		return mean + sd*s.noise.next(student3(s.r))
	case lognormal:
		return mean * math.Exp(s.spread*s.noise.next(s.r.NormFloat64())-s.spread*s.spread/2)
	case poisson:
		return distuv.Poisson{Lambda: mean, Src: s.r}.Rand()
	case scheduled:
		return mean + sd*(s.noise.next(s.r.NormFloat64())+s.job.load(unix, s.r))
	case commonShock:
		return mean + sd*math.Sqrt(0.5)*(shared+s.noise.next(s.r.NormFloat64()))
	case gaussian, nullKinds:
	}
	return mean + sd*s.noise.next(s.r.NormFloat64())
}

// load is what the job adds; each night it begins anew at a time of its own within ±15 minutes.
func (j *job) load(unix int64, r *rand.Rand) float64 {
	if day := (unix - epoch) / 86400; day != j.day {
		j.day, j.begin = day, epoch+86400*day+j.at+r.Int64N(1800)-900
	}
	if unix >= j.begin && unix < j.begin+j.lasts {
		return j.size
	}
	return 0
}

// sharedFactor is what series of the kind commonShock have in common: AR(1) .5 with Student's t innovations.
type sharedFactor struct {
	r *rand.Rand
	x ar1
}

func newSharedFactor(r *rand.Rand) *sharedFactor { return &sharedFactor{r: r, x: ar1{phi: 0.5}} }

func (f *sharedFactor) next() float64 { return f.x.next(student3(f.r)) }
