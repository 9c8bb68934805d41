package cost

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	perHour = 12 // rows, five minutes each
	perWeek = 7 * 24 * perHour
)

// shop is a seeded series of orders and the loss put into its last week: a busy day, a quiet night, a weekend, and a swing of 5 %
// that lasts for hours.
type shop struct {
	rows   []Row     // expectations are the mean of the same row in the weeks before
	oracle []float64 // what the expectation would be if the weekly cycle were known
	begin  int
	lost   float64 // orders that were dropped
}

func newShop(seed uint64, weeks, hours int, share float64) *shop {
	r := rand.New(rand.NewPCG(seed, 7))
	n := (weeks + 1) * perWeek
	s := &shop{rows: make([]Row, n), oracle: make([]float64, n)}
	s.begin = weeks*perWeek + r.IntN(perWeek-hours*perHour)
	phi := math.Pow(0.6, 1.0/perHour)
	swing := 0.0
	for i := range n {
		day := float64(i%(perWeek/7)) / (perWeek / 7)
		s.oracle[i] = 33 * (1 - 0.8*math.Cos(2*math.Pi*day))
		if i%perWeek >= 5*perWeek/7 {
			s.oracle[i] *= 0.6
		}
		swing = phi*swing + math.Sqrt(1-phi*phi)*0.05*r.NormFloat64()
		s.rows[i].Actual = distuv.Poisson{Lambda: s.oracle[i] * math.Exp(swing), Src: r}.Rand()
		if i >= s.begin && i < s.begin+hours*perHour && s.rows[i].Actual > 0 {
			gone := distuv.Binomial{N: s.rows[i].Actual, P: share, Src: r}.Rand()
			s.rows[i].Actual -= gone
			s.lost += gone
		}
	}
	for i := range s.rows {
		s.rows[i].Expected = math.NaN()
		if seen := i / perWeek; seen > 0 {
			sum := 0.0
			for w := 1; w <= seen; w++ {
				sum += s.rows[i-w*perWeek].Actual
			}
			s.rows[i].Expected = sum / float64(seen)
		}
	}
	return s
}

// TestIntervalsCoverLosses is the short form of what tools/correlation measures with the product's own baseline.
func TestIntervalsCoverLosses(t *testing.T) {
	const runs = 200
	for _, hours := range []int{2, 48} {
		covered, squared, oracleSquared, width := 0, 0.0, 0.0, 0.0
		for seed := range uint64(runs) {
			s := newShop(seed, 6, hours, 0.2+0.2*float64(seed)/runs)
			window := s.rows[s.begin:][:hours*perHour]
			l, err := Estimate(s.rows[:s.begin], window, 0.9)
			if err != nil {
				t.Fatal(err)
			}
			oracle := 0.0
			for i, r := range window {
				oracle += s.oracle[s.begin+i] - r.Actual
			}
			if l.Low <= s.lost && s.lost <= l.High {
				covered++
			}
			squared += (l.Lost - s.lost) * (l.Lost - s.lost)
			oracleSquared += (oracle - s.lost) * (oracle - s.lost)
			width += (l.High - l.Low) / s.lost / runs
		}
		coverage, ratio := float64(covered)/runs, math.Sqrt(squared/oracleSquared)
		t.Logf("%d h: coverage %.3f, error / oracle's %.2f, interval %.2f of the loss", hours, coverage, ratio, width)
		if coverage < 0.85 || coverage > 0.95 {
			t.Errorf("%d h: 90 %% intervals cover %.3f", hours, coverage)
		}
		if ratio > 1.3 {
			t.Errorf("%d h: the error is %.2f of an oracle's", hours, ratio)
		}
	}
}

func TestLossStatesWhatItKnows(t *testing.T) {
	nan := math.NaN()
	history := make([]Row, 40)
	for i := range history {
		history[i] = Row{Expected: 10, Actual: 9 + 2*float64(i%2)}
	}
	check := func(name string, history, window []Row, lost float64, rows, missing int, bounded bool) {
		t.Helper()
		l, err := Estimate(history, window, 0.9)
		if math.Abs(l.Lost-lost) > 1e-9 || l.Rows != rows || l.Missing != missing {
			t.Errorf("%s: lost %v in %d rows, %d missing; want %v, %d, %d", name, l.Lost, l.Rows, l.Missing, lost, rows, missing)
		}
		if (err == nil) != bounded && rows > 0 || err != nil && !errors.Is(err, ErrHistory) {
			t.Errorf("%s: error %v", name, err)
		}
		if bounded == math.IsInf(l.High, 1) || bounded && !(l.Low <= l.Lost && l.Lost <= l.High) {
			t.Errorf("%s: interval %v to %v around %v", name, l.Low, l.High, l.Lost)
		}
	}
	check("nothing", nil, nil, 0, 0, 0, false)
	check("no history", nil, []Row{{10, 4}}, 6, 1, 0, false)
	check("short history", history[:19], []Row{{10, 4}}, 6, 1, 0, false)
	check("one row", history, []Row{{10, 4}}, 6, 1, 0, true)
	check("only silence", history, []Row{{10, nan}, {nan, 4}}, 0, 0, 2, false)
	check("half of it silent", history[:38], []Row{{10, 4}, {10, nan}}, 6, 1, 1, true)

	flat := make([]Row, 60)
	for i := range flat {
		flat[i] = Row{10, 10}
	}
	check("a baseline that is never wrong", flat, []Row{{10, 4}, {10, 4}}, 12, 2, 0, true)
	for i := range history {
		history[i] = Row{nan, 3}
	}
	check("a history of silence", history, []Row{{10, 4}}, 6, 1, 0, false)
}

func TestAnIncidentOfThePastDoesNotWidenTheInterval(t *testing.T) {
	s := newShop(3, 6, 2, 0.3)
	window := s.rows[s.begin:][:2*perHour]
	clean, err := Estimate(s.rows[:s.begin], window, 0.9)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 * perHour {
		s.rows[3*perWeek+i].Actual = 0
	}
	dirty, err := Estimate(s.rows[:s.begin], window, 0.9)
	if err != nil {
		t.Fatal(err)
	}
	if w, v := clean.High-clean.Low, dirty.High-dirty.Low; v > 1.15*w {
		t.Errorf("interval %v wide after an outage of six hours, %v without", v, w)
	}
}

func TestWorth(t *testing.T) {
	l := Loss{Lost: 2, Low: 1, High: 3, Expected: 5, Actual: 3}.Worth(42)
	if l.Lost != 84 || l.Low != 42 || l.High != 126 || l.Expected != 210 || l.Actual != 126 {
		t.Errorf("%+v", l)
	}
}
