package baseline

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/baseliner/baseliner/pkg/series"
)

// family is a cohort of series with one shape: every member is a week scaled, shifted and with noise of its own.
type family struct {
	week
	scale, shift, noise float64
	noises              *rand.Rand
	x                   float64
}

func member(i int, scale, shift, noise float64) *family {
	return &family{week{r: rand.New(rand.NewPCG(1, 1))}, scale, shift, noise, rand.New(rand.NewPCG(11, uint64(i))), 0}
}

func (f *family) at(t int64) series.Point {
	p := f.week.at(t)
	f.r = rand.New(rand.NewPCG(1, 1))
	p.Value -= f.r.NormFloat64() // the first of its numbers, as was added
	f.r = rand.New(rand.NewPCG(1, 1))
	f.x = 0.6*f.x + 0.8*f.noises.NormFloat64()
	return series.Point{T: t, Value: f.scale*p.Value + f.shift + f.noise*f.x}
}

const (
	fiveMinutes = int64(5 * 60_000)
	lendAt      = monday + 22*24*hourMillis + 7*hourMillis
)

// grownFamily is three series of three weeks.
func grownFamily(shift float64) (grown []*Model) {
	for i, scale := range []float64{0.3, 1, 5} {
		if shift != 0 {
			scale = 1
		}
		m, f := New(utc{}, 5*time.Minute), member(i, scale, shift*float64(i), 2*scale)
		for t := monday; t < lendAt; t += fiveMinutes {
			m.Step(f.at(t))
		}
		grown = append(grown, m)
	}
	return grown
}

// live lets a newcomer borrow at its first point and live for some hours.
func live(p *Prior, f *family, hours int64, each func(m *Model, v Verdict)) (m *Model, history []Summary) {
	m = New(utc{}, 5*time.Minute)
	m.Borrow(p, lendAt)
	for t := lendAt; t < lendAt+hours*hourMillis; t += fiveMinutes {
		v, closed, ok := m.Step(f.at(t))
		if ok {
			history = append(history, closed)
		}
		if each != nil {
			each(m, v)
		}
	}
	return m, history
}

func TestANewcomerIsJudgedWithinTheHour(t *testing.T) {
	p := Pool(grownFamily(0))
	if p == nil || !p.Scales {
		t.Fatalf("prior %v: three shapes that are multiples of each other", p)
	}
	f := member(9, 40, 0, 60)
	flagged, worst := 0, 0.0
	live(p, f, 25, func(_ *Model, v Verdict) {
		if known := v.T >= lendAt+10*fiveMinutes; v.Known != known || known != v.Borrowed || known != (v.Reason() == "") {
			t.Fatalf("at %d min: known %v, borrowed %v, reason %q", (v.T-lendAt)/60_000, v.Known, v.Borrowed, v.Reason())
		}
		if math.Abs(v.Score) >= 1 {
			flagged++
		}
		if v.T > lendAt+3*hourMillis {
			truth := member(9, 40, 0, 0).at(v.T).Value
			worst = max(worst, math.Abs(v.Center-truth))
		}
	})
	if flagged > 0 || worst > 1.5*60 {
		t.Errorf("%d quiet rows flagged; the expectation is off by %.0f where the noise is 60", flagged, worst)
	}
	for _, jump := range []float64{-10, 10} {
		found := false
		f := member(9, 40, 0, 60)
		live(p, f, 5, func(_ *Model, v Verdict) {
			if v.T == lendAt+4*hourMillis-fiveMinutes {
				f.shift = jump * 60
			}
			found = found || v.T >= lendAt+4*hourMillis && (v.Score >= 1 && jump > 0 || v.Score <= -1 && jump < 0)
		})
		if !found {
			t.Errorf("a step of %v deviations in hour 5 was not found", jump)
		}
	}
}

// A newcomer that is a multiple of another is judged the same; where shapes are added to levels, one that is shifted is.
func TestNewcomersAreEquivariant(t *testing.T) {
	for _, c := range []struct {
		name         string
		prior        *Prior
		scale, shift float64
	}{
		{"scale", Pool(grownFamily(0)), 1 << 12, 0},
		{"scale", Pool(grownFamily(0)), 1. / (1 << 12), 0},
		{"shift", Pool(grownFamily(-500)), 1, 3000},
	} {
		if c.prior.Scales != (c.name == "scale") {
			t.Fatalf("%s: the siblings' shapes scale: %v", c.name, c.prior.Scales)
		}
		var scores []float64
		live(c.prior, member(5, 2, 0, 3), 30, func(_ *Model, v Verdict) { scores = append(scores, v.Score) })
		f := member(5, 2, 0, 3)
		f.scale, f.noise, f.shift = f.scale*c.scale, f.noise*c.scale, c.shift
		i, worst := 0, 0.0
		live(c.prior, f, 30, func(_ *Model, v Verdict) {
			worst = max(worst, math.Abs(v.Score-scores[i]))
			i++
		})
		if worst > 0.03 { // what a summary rounds is not what it would round elsewhere
			t.Errorf("%s by %v, %v: scores differ by up to %v", c.name, c.scale, c.shift, worst)
		}
	}
}

func TestALoanIsPartOfTheFoldAndOfTheState(t *testing.T) {
	p := Pool(grownFamily(0))
	for _, hours := range []int64{0, 1, 5, 23, 24, 25, 26, 60, 24 * 27, 24*28 + 3} {
		m, history := live(p, member(3, 7, 0, 20), hours, nil)
		stepped, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		restored := New(utc{}, 5*time.Minute)
		if rest, err := restored.DecodeBinary(stepped); err != nil || len(rest) > 0 {
			t.Fatal(rest, err)
		}
		if again, _ := restored.AppendBinary(nil); !bytes.Equal(stepped, again) {
			t.Errorf("after %d hours: what was restored differs", hours)
		}
		if m.Borrowed() != (hours <= 24*28) {
			t.Errorf("after %d hours borrowed is %v", hours, m.Borrowed())
		}
		if !m.Borrowed() {
			continue // its own history stands alone
		}
		m.Refold(history)
		if folded, _ := m.AppendBinary(nil); !bytes.Equal(stepped, folded) {
			t.Errorf("after %d hours: the fold over what was lent differs from the model that was stepped", hours)
		}
		if cut := stepped[:len(stepped)-1]; restored.loan != nil {
			if _, err := restored.DecodeBinary(cut); err == nil {
				t.Error("a state cut short was read")
			}
		}
	}
}

func TestARestartInTheMiddleOfBorrowingChangesNothing(t *testing.T) {
	p := Pool(grownFamily(0))
	var want []Verdict
	live(p, member(3, 7, 0, 20), 40, func(_ *Model, v Verdict) { want = append(want, v) })
	i, split := 0, New(utc{}, 5*time.Minute)
	live(p, member(3, 7, 0, 20), 40, func(m *Model, v Verdict) {
		if v.Score != want[i].Score || v.Known && v.Center != want[i].Center {
			t.Fatalf("row %d: %v, want %v", i, v, want[i])
		}
		if i++; i%7 == 0 {
			saved, _ := m.AppendBinary(nil)
			if _, err := split.DecodeBinary(saved); err != nil {
				t.Fatal(err)
			}
			*m = *New(utc{}, 5*time.Minute)
			m.Adopt(split)
		}
	})
}

func TestPoolingIsDeterministicAndTheOrderIsOfNoWeight(t *testing.T) {
	grown := grownFamily(0)
	a, b := Pool(grown), Pool([]*Model{grown[2], grown[0], grown[1]})
	if *a != *Pool(grown) {
		t.Error("the same siblings lend something else")
	}
	for d := range a.Slow.Day {
		if a.Slow.Day[d] != b.Slow.Day[d] {
			t.Errorf("half hour %d: %v or %v", d, a.Slow.Day[d], b.Slow.Day[d])
		}
	}
	if a.Slow.Spread != b.Slow.Spread || math.Abs(a.Doubt/b.Doubt-1) > 1e-9 {
		t.Errorf("%v or %v, doubt %v or %v", a.Slow.Spread, b.Slow.Spread, a.Doubt, b.Doubt)
	}
}

func TestOneOddSiblingDoesNotBendTheShape(t *testing.T) {
	grown := grownFamily(0)
	odd := New(utc{}, 5*time.Minute)
	f := member(8, 1, 0, 0.01) // hardly any noise: it would be believed most
	for t := monday; t < lendAt; t += fiveMinutes {
		p := f.at(t)
		p.Value = 400 - p.Value
		odd.Step(p)
	}
	straight, bent := Pool(grown), Pool(append([]*Model{odd}, grown...))
	worst := 0.0
	for d := range straight.Slow.Day {
		worst = max(worst, math.Abs(float64(straight.Slow.Day[d]-bent.Slow.Day[d])))
	}
	if worst > 0.05 {
		t.Errorf("a sibling that is upside down moved the shape by %.2f of the level", worst)
	}
	if bent.Doubt > 1.5*straight.Doubt {
		t.Errorf("doubt %v with it, %v without", bent.Doubt, straight.Doubt)
	}
}

func TestWhoLendsNothing(t *testing.T) {
	well := grownFamily(0)[1]
	for name, spoil := range map[string]func(m *Model){
		"shifted":     func(m *Model) { m.Slow.Shift.Hot = 1 },
		"not known":   func(m *Model) { m.Slow.Limits[Context] = 0 },
		"young":       func(m *Model) { m.Slow.Hours = firstDay + tailHours - 1 },
		"borrowed":    func(m *Model) { m.loan = &loan{} },
		"in incident": func(m *Model) { m.Step(series.Point{T: lendAt, Value: 1000}) },
		"just was in one": func(m *Model) {
			m.Step(series.Point{T: lendAt, Value: 1000})
			f := member(1, 1, 0, 2)
			for t := lendAt + fiveMinutes; t <= lendAt+hourMillis; t += fiveMinutes {
				m.Step(f.at(t))
			}
		},
	} {
		m := New(utc{}, 5*time.Minute)
		m.Adopt(well)
		if !m.Lends() {
			t.Fatal("a series that is well does not lend")
		}
		spoil(m)
		if m.Lends() || Pool([]*Model{m}) != nil {
			t.Errorf("%s: lends", name)
		}
	}
}

func TestWithoutSiblingsAYoungSeriesLearns(t *testing.T) {
	m := New(utc{}, 5*time.Minute)
	m.Borrow(Pool(nil), monday)
	if m.Borrowed() || !m.Young() {
		t.Fatal("borrowed from nobody")
	}
	f := member(0, 1, 0, 2)
	for now := monday; now < monday+47*hourMillis; now += fiveMinutes {
		if v, _, _ := m.Step(f.at(now)); v.Known || v.Score != 0 {
			t.Fatalf("judged: %+v", v)
		}
	}
	m.Slow.Hours = firstDay + tailHours
	if m.Borrow(Pool(grownFamily(0)), lendAt); m.Borrowed() {
		t.Error("a series that knows itself borrowed")
	}
}

// A series born in an incident takes it for its level, and gives that up within hours.
func TestBornInAnIncident(t *testing.T) {
	p := Pool(grownFamily(0))
	f := member(4, 3, 0, 6)
	flagged := map[int64]int{}
	live(p, f, 24, func(_ *Model, v Verdict) {
		f.scale = 3
		if v.T < lendAt+2*hourMillis {
			f.scale = 6
		}
		if math.Abs(v.Score) >= 1 {
			flagged[(v.T-lendAt)/hourMillis]++
		}
	})
	late := 0
	for h, n := range flagged {
		if h >= 7 {
			late += n
		}
	}
	t.Log("flagged rows by hour:", flagged)
	if flagged[2] == 0 || late > 2 {
		t.Errorf("%d rows flagged later than five hours after the incident", late)
	}
}

// Degenerate newcomers beside ordinary siblings: nothing but finite numbers comes out.
func TestDegenerateNewcomers(t *testing.T) {
	p := Pool(grownFamily(0))
	for name, value := range map[string]func(i int64) float64{
		"zero":     func(int64) float64 { return 0 },
		"constant": func(int64) float64 { return 42 },
		"negative": func(i int64) float64 { return -1e9 - float64(i%5) },
		"huge":     func(i int64) float64 { return 1e29 * float64(i%7) },
		"tiny":     func(i int64) float64 { return 1e-300 * float64(i%3) },
		"rare":     func(i int64) float64 { return float64(max(0, i%61-59)) },
	} {
		m := New(utc{}, 5*time.Minute)
		m.Borrow(p, lendAt)
		for i := range int64(12 * 24 * 40) {
			v, _, _ := m.Step(series.Point{T: lendAt + i*fiveMinutes, Value: value(i)})
			if math.IsNaN(v.Score) || math.IsInf(v.Score, 0) || v.Known && (math.IsNaN(v.Lower) || math.IsNaN(v.Upper) || v.Lower > v.Upper) {
				t.Fatalf("%s, row %d: %+v", name, i, v)
			}
		}
	}
}

func TestPriorsOfDegenerateSiblingsAreFinite(t *testing.T) {
	for name, value := range map[string]func(i int64) float64{
		"zero": func(int64) float64 { return 0 }, "constant": func(int64) float64 { return -42 },
		"huge": func(i int64) float64 { return 1e29 * float64(i%7) }, "rare": func(i int64) float64 { return float64(max(0, i%61-59)) },
		"by day only": func(i int64) float64 { return float64(100 + i%3) },
	} {
		sibling := New(utc{}, 5*time.Minute)
		for i := range int64(12 * 24 * 8) {
			if name == "by day only" && i/12%24 > 12 {
				continue
			}
			sibling.Step(series.Point{T: lendAt - 8*24*hourMillis + i*fiveMinutes, Value: value(i)})
		}
		p := Pool([]*Model{sibling})
		if p == nil {
			continue
		}
		live(p, member(1, 1, 0, 2), 60, func(_ *Model, v Verdict) {
			if math.IsNaN(v.Score) || math.IsInf(v.Score, 0) || v.Known && !(v.Lower <= v.Upper) {
				t.Fatalf("%s: %+v", name, v)
			}
		})
	}
}

func BenchmarkPool(b *testing.B) {
	grown := grownFamily(0)
	grown = append(grown, grownFamily(0)...)
	b.ReportAllocs()
	for b.Loop() {
		Pool(grown)
	}
}

func BenchmarkStepWhileSettling(b *testing.B) {
	p := Pool(grownFamily(0))
	m, f := New(utc{}, time.Second), member(1, 1, 0, 2)
	m.Borrow(p, lendAt)
	b.ReportAllocs()
	i := int64(0)
	for b.Loop() {
		m.Step(f.at(lendAt + i%72_000*1000))
		i++
	}
}

// TestHistoryFilledInEndsTheLoan: what was lent stood in for a past that has come to be known.
func TestHistoryFilledInEndsTheLoan(t *testing.T) {
	filled := New(utc{}, 5*time.Minute)
	f := member(3, 7, 0, 20)
	past := feed(filled, lendAt-10*24*hourMillis, lendAt, fiveMinutes, &f.week, nil)
	m, history := live(Pool(grownFamily(0)), f, 9, nil)
	m.Refold(append(past[len(past)-firstDay:len(past):len(past)], history...))
	if !m.Borrowed() {
		t.Fatal("a day of history ended the loan")
	}
	all := append(slices.Clip(past), history...)
	m.Refold(all)
	if m.Borrowed() || m.Young() {
		t.Fatal("ten days of history did not end the loan")
	}
	plain := New(utc{}, 5*time.Minute)
	if plain.Refold(all); plain.Slow != m.Slow {
		t.Error("it is not the fold of the own history")
	}
}

func TestAModelThatNeverBorrowedStaysSmall(t *testing.T) {
	if size := unsafe.Sizeof(Model{}); size > 3072 {
		t.Errorf("%d bytes a model", size)
	}
}
