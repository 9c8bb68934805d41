package baseline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// judge feeds a model and returns its scores.
func judge(m *Model, from, n, step int64, value func(i int64) float64) []float64 {
	scores := make([]float64, n)
	for i := range n {
		v, _, _ := m.Step(series.Point{T: from + i*step, Value: value(i)})
		scores[i] = v.Score
	}
	return scores
}

func noisyDay(seed uint64) func(i int64) float64 {
	r := rand.New(rand.NewPCG(seed, 5))
	values := make([]float64, 0, 30*288)
	return func(i int64) float64 {
		for int64(len(values)) <= i {
			t := float64(len(values)) / 288
			values = append(values, 50+20*math.Sin(2*math.Pi*t)+3*math.Sin(2*math.Pi*t/7)+r.NormFloat64())
		}
		return values[i]
	}
}

// What is judged does not depend on the unit it is measured in, nor on where its zero is.
func TestScoresAreEquivariant(t *testing.T) {
	const n, step = 28 * 288, 300_000
	base := judge(New(utc{}, 5*time.Minute), monday, n, step, noisyDay(1))
	check := func(name string, of func(x float64) float64, sign float64) {
		worst, flags := 0.0, 0
		got := judge(New(utc{}, 5*time.Minute), monday, n, step, func(i int64) float64 { return of(noisyDay1(i)) })
		for i := range got {
			// What history keeps is rounded, and thousands round otherwise: a tenth of the band is as good as equal.
			// Where two views say as much on different sides, that may decide the sign.
			worst = max(worst, math.Abs(math.Abs(got[i])-math.Abs(base[i])))
			if (got[i]*sign >= 1) != (base[i] >= 1) || (got[i]*sign <= -1) != (base[i] <= -1) {
				flags++
			}
		}
		t.Logf("%s: scores differ by at most %.3f, %d decisions", name, worst, flags)
		if worst > 0.1 || flags > 2 {
			t.Errorf("%s: scores differ by %.3f, %d decisions", name, worst, flags)
		}
	}
	check("scaled", func(x float64) float64 { return 1000 * x }, 1)
	check("shifted", func(x float64) float64 { return x + 4096 }, 1)
	check("mirrored", func(x float64) float64 { return -x }, -1)
}

var noisyDay1 = noisyDay(1)

func TestNoFiniteInputMakesAnythingElse(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for round := range 60 {
		m := New(utc{}, time.Minute)
		now, value := monday, 0.0
		for i := range 6000 {
			switch r.IntN(12) {
			case 0:
				value = math.Exp((r.Float64() - 0.5) * 130) // up to 1e28, down to 1e-28
			case 1:
				value = -value
			case 2:
				value = 0
			case 3:
				value += r.NormFloat64()
			}
			now += int64(1+r.IntN(1+round%5*20)) * 60_000 * int64(1+r.IntN(3))
			v, s, ok := m.Step(series.Point{T: now, Value: value})
			for _, x := range []float64{v.Score, m.Slow.Level, m.Slow.Spread, m.Slow.Move, m.Slow.Follow, m.Slow.Quantum} {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					t.Fatalf("round %d, step %d: %v in %+v", round, i, x, v)
				}
			}
			if v.Known && (math.IsNaN(v.Lower) || math.IsNaN(v.Upper) || v.Lower > v.Upper || math.IsInf(v.Lower, 0) || math.IsInf(v.Upper, 0)) {
				t.Fatalf("round %d, step %d: band %v to %v", round, i, v.Lower, v.Upper)
			}
			if v.Known && math.Abs(v.Score) >= 1 && v.Lower < v.Value && v.Value < v.Upper {
				t.Fatalf("round %d, step %d: %v is anomalous (%v) inside its band %v to %v", round, i, v.Value, v.Score, v.Lower, v.Upper)
			}
			if ok && s.N == 0 {
				t.Fatal("an empty hour was closed")
			}
		}
	}
}

// A point is outside the band that is shown if and only if it is anomalous.
func TestTheBandIsWhereTheScoreIsOne(t *testing.T) {
	m := New(utc{}, 5*time.Minute)
	inside, outside := 0, 0
	for i := range int64(28 * 288) {
		value := noisyDay1(i)
		if i%97 == 0 {
			value += float64(i%11) - 5
		}
		v, _, _ := m.Step(series.Point{T: monday + i*300_000, Value: value})
		if !v.Known || v.Lower == v.Upper {
			continue
		}
		out := value < v.Lower || value > v.Upper
		switch {
		case out:
			outside++
		default:
			inside++
		}
		if edge := min(math.Abs(value-v.Lower), math.Abs(value-v.Upper)); out != (math.Abs(v.Score) >= 1) && edge > 1e-9 {
			t.Fatalf("row %d: %v, band %v to %v, score %v", i, value, v.Lower, v.Upper, v.Score)
		}
	}
	t.Logf("%d rows inside, %d outside", inside, outside)
	if outside < 5 || inside < 1000 {
		t.Errorf("%d inside, %d outside: the test shows nothing", inside, outside)
	}
}

func TestAMillionStepsDoNotDrift(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds under the race detector")
	}
	r := rand.New(rand.NewPCG(3, 4))
	m := New(utc{}, time.Minute)
	flagged := 0
	for i := range int64(1_000_000) {
		day := float64(i) / 1440
		v, _, _ := m.Step(series.Point{T: monday + i*60_000, Value: 1e6 + 100*math.Sin(2*math.Pi*day) + r.NormFloat64()})
		if math.Abs(v.Score) >= 1 {
			flagged++
		}
	}
	if e := m.Expect(monday + 1_000_000*60_000); math.Abs(e.Center-(1e6+100*math.Sin(2*math.Pi*1e6/1440))) > 1 {
		t.Errorf("after a million steps the expectation is off by %v", e.Center-1e6)
	}
	t.Logf("%d of a million quiet rows flagged, spread %v", flagged, m.Slow.Spread)
	if math.Abs(m.Slow.Spread-meanAbsOfNormal) > 0.1 || flagged > 300 {
		t.Errorf("%d rows flagged, spread %v, want %v", flagged, m.Slow.Spread, meanAbsOfNormal)
	}
}

func TestAShiftIsAcceptedAndItsReturnIsNoNews(t *testing.T) {
	m := New(utc{}, 5*time.Minute)
	day := int64(288)
	const shift, back = 21, 24 // days
	var flagged [40]int
	for i := range 40 * day {
		value := noisyDay1(i)
		if d := i / day; d >= shift && d < back {
			value = 1.5 * value // and its shape with it
		}
		if v, _, _ := m.Step(series.Point{T: monday + i*300_000, Value: value}); math.Abs(v.Score) >= 1 && !v.Returning {
			flagged[i/day]++
		}
	}
	t.Log("flagged rows by day from the shift on:", flagged[shift:])
	late, after := 0, 0
	for d, n := range flagged {
		if d > shift+1 && d < back {
			late += n
		}
		if d > back {
			after += n
		}
	}
	if flagged[shift] < 50 || late > 6 || after > 12 {
		t.Errorf("%d rows flagged on the day of the shift, %d from the third day on, %d after the return", flagged[shift], late, after)
	}
}

func TestANightlyJobIsNoAnomalyUntilItGrows(t *testing.T) {
	m := New(utc{}, 5*time.Minute)
	r := rand.New(rand.NewPCG(8, 8))
	flagged, grown := 0, 0
	start := int64(0)
	for i := range int64(42 * 288) {
		value := noisyDay1(i)
		if i%288 == 0 {
			start = 24 + int64(r.IntN(6)) - 3 // about two o'clock
		}
		if at := i%288 - start; at >= 0 && at < 4 {
			value += 40
			if i/288 == 41 {
				value += 120
			}
		}
		v, _, _ := m.Step(series.Point{T: monday + i*300_000, Value: value})
		if math.Abs(v.Score) < 1 || i%288 < 20 || i%288 > 34 {
			continue
		}
		switch d := i / 288; {
		case d == 41:
			grown++
		case d >= 14:
			flagged++
		}
	}
	t.Logf("%d rows of 27 nights flagged, %d of the night it grew", flagged, grown)
	if flagged > 8 || grown == 0 {
		t.Errorf("%d rows of 27 nights flagged, %d of the night it grew to four times", flagged, grown)
	}
}

func TestSummariesKeepWhatTheFoldNeeds(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for i := range 2000 {
		f := func() float32 { return float32(r.NormFloat64() * math.Exp(r.NormFloat64()*8)) }
		s := Summary{
			Hour: int32(r.IntN(900_000)), N: uint16(1 + r.IntN(4000)), Flags: uint8(r.IntN(2)), PeakAt: uint8(r.IntN(60)),
			Mean: float64(f()), First: f(), Second: f(), Ref: f(), Abs: float32(math.Abs(float64(f()))), High: f(), Low: f(),
			Move: float32(math.Abs(float64(f()))), Step: 1, Flat: 3, Peak: 0.7,
		}
		s.Jump, s.Amaze = 2*s.Move, s.Abs
		if i%5 == 0 {
			s.Ref, s.Abs, s.High, s.Low = float32(math.NaN()), float32(math.NaN()), float32(math.NaN()), float32(math.NaN())
			s.Amaze = s.Move
		}
		b := s.Append(nil)
		got, n, err := DecodeSummary(s.Day(), b)
		if err != nil || n != SummaryBytes || len(b) != SummaryBytes {
			t.Fatalf("%d bytes, read %d: %v", len(b), n, err)
		}
		if again := got.rounded(); string(again.Append(nil)) != string(b) {
			t.Fatalf("rounding twice gives something else:\n%x\n%x", b, again.Append(nil))
		}
		near := func(name string, got, want, within float64) {
			if math.Abs(got-want) > within*math.Abs(want) {
				t.Fatalf("%s: %v, want %v", name, got, want)
			}
		}
		near("mean", got.Mean, s.Mean, 1e-10)
		near("first", float64(got.First), float64(s.First), 0.005)
		near("jump", float64(got.Jump), float64(s.Jump), 0.03)
		near("peak", float64(got.Peak), float64(s.Peak), 0.03)
		if got.Hour != s.Hour || got.N != s.N || got.Flags != s.Flags || got.PeakAt != s.PeakAt {
			t.Fatalf("%+v, want %+v", got, s)
		}
	}
}

func FuzzDecodeSummary(f *testing.F) {
	s := Summary{Hour: 500_000, N: 60, Mean: 12.5, Abs: 1, Move: 1, Jump: 3}
	f.Add(s.Append(nil))
	f.Add(make([]byte, version0Bytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, n, err := DecodeSummary(20_000, b)
		if err == nil && (n <= 0 || n > len(b) || s.Day() != 20_000 && s.Hour-20_000*24 >= 24) {
			t.Fatalf("%d of %d bytes, %+v", n, len(b), s)
		}
	})
}

func TestADeployOpensAFreshLevel(t *testing.T) {
	const deploy = 21 * 288 // rows
	after := func(told bool) (flagged int, off float64) {
		m := New(utc{}, 5*time.Minute)
		for i := range int64(deploy + 8*12) {
			value := noisyDay1(i)
			if i >= deploy {
				value += 15
			}
			if told && i == deploy {
				m.FreshLevel()
			}
			v, _, _ := m.Step(series.Point{T: monday + i*300_000, Value: value})
			if i >= deploy+4*12 && math.Abs(v.Score) >= 1 {
				flagged++
			}
		}
		i := int64(deploy + 8*12)
		return flagged, math.Abs(noisyDay1(i) + 15 - m.Expect(monday+i*300_000).Center)
	}
	told, near := after(true)
	untold, far := after(false)
	t.Logf("from the fourth hour on %d rows flagged and %.1f off where it was told, %d and %.1f where not", told, near, untold, far)
	if told > 2 || near > 4 || untold < 20 || far < 8 {
		t.Error("want the new level at once where a deploy was told, and only there")
	}
}
