package baseline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// traffic of so many weeks swings by half its level over the day; grows by so much a week; its noise goes with the power.
func traffic(seed uint64, growth, power float64) func(i int64) (value, truth float64) {
	r := rand.New(rand.NewPCG(seed, 17))
	return func(i int64) (float64, float64) {
		day := 1 + 0.6*math.Sin(2*math.Pi*float64(i)/288)
		truth := 1000 * math.Pow(1+growth, float64(i)/(7*288)) * day
		return truth + 30*math.Pow(truth/1000, power)*r.NormFloat64(), truth
	}
}

// What a series goes with is read off its noise: as much at any level, as counts do, or in proportion.
func TestPowerIsChosenByTheData(t *testing.T) {
	for _, power := range []float64{0, 0.5, 1} {
		for seed := range uint64(5) {
			m, value := New(utc{}, 5*time.Minute), traffic(seed, 0, power)
			for i := range int64(28 * 288) {
				x, _ := value(i)
				m.Step(series.Point{T: monday + i*300_000, Value: x})
			}
			if off := math.Abs(float64(m.Slow.Power) - power); off > 0.25 {
				t.Errorf("noise with level^%v, seed %d: power %.2f", power, seed, m.Slow.Power)
			}
		}
	}
}

// Traffic that grows grows at night by less than in the evening: the expectation follows at every hour, and nobody is told.
func TestTheShapeGrowsWithTheLevel(t *testing.T) {
	const weeks, growth = 14, 0.10
	alarms, off, lag, n := 0, 0.0, 0.0, 0.0
	for seed := range uint64(5) {
		m, value := New(utc{}, 5*time.Minute), traffic(seed, growth, 1)
		for i := range int64(weeks * 7 * 288) {
			x, truth := value(i)
			v, _, _ := m.Step(series.Point{T: monday + i*300_000, Value: x})
			if i < 4*7*288 {
				continue
			}
			if math.Abs(v.Score) >= 1 {
				alarms++
			}
			n++
			off += math.Abs(v.Center/truth - 1)
			// An additive shape is as old as its memory, three weeks in the mean.
			day := 0.6 * math.Sin(2*math.Pi*float64(i)/288)
			lag += math.Abs(day/(1+day)) * (1 - math.Pow(1+growth, -3))
		}
	}
	t.Logf("off by %.3f of the truth, where a shape of three weeks ago alone would be off by %.3f; %d of %.0f rows anomalous", off/n, lag/n, alarms, n)
	if off/n > 0.05 || alarms > int(n/10_000) {
		t.Errorf("off by %.3f of the truth, %d of %.0f rows anomalous", off/n, alarms, n)
	}
}
