package baseline

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/series"
)

// shop is a conversion rate: visitors with a daily season, each of whom converts by himself.
type shop struct {
	r       *rand.Rand
	perHour float64
	p       float64
	daily   float64 // relative amplitude of p over the day
	weekend float64 // relative change of p at weekends
	wander  float64 // relative deviation of p from row to row
	drift   float64 // relative deviation of p from hour to hour, autocorrelated
	cluster float64 // visitors decide in groups of so many
	step    int64

	state float64
}

func (s *shop) visitors(t int64) float64 {
	day := float64(t%(24*hourMillis)) / float64(24*hourMillis)
	return s.perHour * (1 + 0.6*math.Sin(2*math.Pi*(day-0.3)))
}

func (s *shop) at(t int64, keep float64) series.Point {
	day := float64(t%(24*hourMillis)) / float64(24*hourMillis)
	p := s.p * keep * (1 + s.daily*math.Cos(2*math.Pi*(day-0.1)))
	if d := floorDiv(t-monday, 24*hourMillis) % 7; d >= 5 {
		p *= 1 + s.weekend
	}
	if s.wander > 0 {
		p *= max(0, 1+s.wander*s.r.NormFloat64())
	}
	if s.drift > 0 {
		phi := math.Exp(-float64(s.step) / float64(hourMillis))
		s.state = phi*s.state + math.Sqrt(1-phi*phi)*s.r.NormFloat64()
		p *= max(0, 1+s.drift*s.state)
	}
	groups := max(s.cluster, 1)
	n := distuv.Poisson{Lambda: s.visitors(t) * float64(s.step) / float64(hourMillis) / groups, Src: s.r}.Rand()
	if n == 0 {
		return series.Point{T: t, Value: math.NaN(), Missing: series.ZeroDenominator}
	}
	c := distuv.Binomial{N: n, P: min(p, 1), Src: s.r}.Rand()
	return series.Point{T: t, Value: c / n, Denominator: n * groups}
}

func newRatio(step int64) *Model {
	d := time.Duration(step) * time.Millisecond
	return New(utc{}, d, OfRatio(d))
}

// alarms counts flags further than 15 minutes apart in weeks 3 to 8, and drops of two hours that were found from week 5 on.
func (s shop) run(seed uint64, drops bool, keep float64) (alarms int, found, planted int) {
	s.r = rand.New(rand.NewPCG(seed, 99))
	m := newRatio(s.step)
	last, hit := int64(0), false
	when := rand.New(rand.NewPCG(seed, 100))
	begin := int64(-1)
	for t := monday; t < monday+56*24*hourMillis; t += s.step {
		if drops && (t-monday)%(7*24*hourMillis) == 0 && t >= monday+28*24*hourMillis {
			begin, hit = t+when.Int64N(160)*hourMillis, false
			planted++
		}
		k, inside := 1.0, begin >= 0 && t >= begin && t < begin+2*hourMillis
		if inside {
			k = keep
		}
		v, _, _ := m.Step(s.at(t, k))
		if math.Abs(v.Score) < 1 || t < monday+14*24*hourMillis {
			continue
		}
		if inside {
			if !hit && v.Score < 0 {
				hit = true
				found++
			}
			continue
		}
		if begin >= 0 && t >= begin && t < begin+4*hourMillis {
			continue
		}
		if t-last > 15*60_000 {
			alarms++
		}
		last = t
	}
	if testing.Verbose() && seed%2 == 0 {
		r := m.Ratio
		a, b := r.phis()
		fmt.Printf("phi %.2f %.2f daysd %.3f weeksd %.3f often %.2f level %.4f\n", a, b, math.Sqrt(r.DayVar)/r.Level, math.Sqrt(r.WeekVar)/r.Level, r.Often, r.Level)
	}
	return alarms, found, planted
}

func TestRatioSurvey(t *testing.T) {
	for _, step := range []int64{300_000} {
		for name, s := range map[string]shop{
			"p=0.5%":       {p: 0.005},
			"p=2%":         {p: 0.02},
			"p=10%":        {p: 0.1},
			"p=60%":        {p: 0.6},
			"p=99%":        {p: 0.99},
			"p=1e-5":       {p: 0.00001},
			"daily":        {p: 0.05, daily: 0.4},
			"weekend":      {p: 0.05, weekend: 0.3},
			"weekend-.5":   {p: 0.05, weekend: -0.5},
			"wander":       {p: 0.05, wander: 0.3},
			"drift":        {p: 0.05, drift: 0.1},
			"cluster":      {p: 0.05, cluster: 5},
			"daily 60":     {p: 0.6, daily: 0.4},
			"wander daily": {p: 0.1, daily: 0.3, wander: 0.2, weekend: 0.2},
		} {
			line := ""
			for _, traffic := range []float64{2000, 20000} {
				s.perHour, s.step = traffic, step
				n, a, f, pl := 6, 0, 0, 0
				if step == 60_000 {
					n = 2
				}
				for i := range n {
					x, _, _ := s.run(uint64(i)*7919+uint64(traffic), false, 1)
					a += x
					_, ff, pp := s.run(uint64(i)*104729+uint64(traffic), true, 0.7)
					f += ff
					pl += pp
				}
				line += fmt.Sprintf("  %6.0f/h: %.3f fa %.2f", traffic, float64(a)/float64(6*n), float64(f)/float64(pl))
			}
			t.Logf("%3ds %-13s %s", step/1000, name, line)
		}
	}
}

var _ = bytes.Equal

func TestProbe(t *testing.T) {
	s := shop{p: 0.05, weekend: -0.5, perHour: 20000, step: 300_000}
	s.r = rand.New(rand.NewPCG(3, 99))
	m := newRatio(s.step)
	for t := monday; t < monday+56*24*hourMillis; t += s.step {
		m.Step(s.at(t, 1))
		if (t-monday)%(84*hourMillis) == 0 {
			r := m.Ratio
			a, b := r.phis()
			fmt.Printf("day %d phi %.2f %.2f (%.2f %.2f) daysd %.3f weeksd %.3f often %.2f level %.4f\n", (t-monday)/(24*hourMillis), a, b, r.Phi, r.Phi2, math.Sqrt(r.DayVar)/r.Level, math.Sqrt(r.WeekVar)/r.Level, r.Often, r.Level)
		}
	}
}
