package main

import (
	"math"
	"testing"
	"time"
)

func TestSeededSources(t *testing.T) {
	if a, b := seeded(1, 2, 3), seeded(1, 2, 3); a.Uint64() != b.Uint64() {
		t.Error("one seed, two sequences")
	}
	seen := map[uint64]bool{}
	for i := range 50 {
		for k := range 50 {
			seen[seeded(7, i, k).Uint64()] = true
		}
	}
	if len(seen) != 2500 {
		t.Errorf("%d sequences from 2500 seeds", len(seen))
	}
}

func TestNoiseMoments(t *testing.T) {
	check := func(what string, next func() float64, lag1 float64) {
		t.Helper()
		const n = 400_000
		x := make([]float64, n)
		for i := range x {
			x[i] = next()
		}
		mean, sd := moments(x)
		c := 0.0
		for i := 1; i < n; i++ {
			c += (x[i] - mean) * (x[i-1] - mean) / float64(n)
		}
		if math.Abs(mean) > 0.03 || math.Abs(sd-1) > 0.03 || math.Abs(c/(sd*sd)-lag1) > 0.02 {
			t.Errorf("%s: mean %.3f, deviation %.3f, correlation %.3f; want 0, 1, %.2f", what, mean, sd, c/(sd*sd), lag1)
		}
	}
	r := seeded(1)
	a := ar1{phi: 0.9}
	check("AR(1) .9", func() float64 { return a.next(r.NormFloat64()) }, 0.9)
	// The fourth moment of t3 is infinite and its sample deviation therefore slow: compare what converges, the quartiles.
	inside, n := 0, 200_000
	for range n {
		if math.Abs(student3(r))*math.Sqrt(3) < 0.764892 {
			inside++
		}
	}
	if share := float64(inside) / float64(n); math.Abs(share-0.5) > 0.005 {
		t.Errorf("t3: %.4f within the quartiles", share)
	}
}

func TestWeekCycle(t *testing.T) {
	for seed := range 20 {
		w := newWeekCycle(seeded(2, seed))
		sum := 0.0
		for i := range int64(perWeek) {
			x := w.at(epoch + i*fiveMin)
			sum += x / perWeek
			if x <= 0 {
				t.Fatalf("seed %d: %v at row %d", seed, x, i)
			}
			if again := w.at(epoch + i*fiveMin + 5*weekSeconds); math.Abs(x-again) > 1e-9 {
				t.Fatalf("seed %d: row %d is %v and five weeks later %v", seed, i, x, again)
			}
		}
		if math.Abs(sum-1) > 1e-3 {
			t.Errorf("seed %d: mean %v", seed, sum)
		}
	}
}

// TestNullSeries holds each kind to its mean, its period and what makes it hard.
func TestNullSeries(t *testing.T) {
	const weeks = 40
	for kind := range nullKinds {
		s := newNullSeries(kind, seeded(3, int(kind)))
		f := newSharedFactor(seeded(4))
		mean, whole, atJob := 0.0, true, map[int64]int{}
		sd := s.spread * s.level
		for i := range int64(weeks * perWeek) {
			unix := epoch + i*fiveMin
			v := s.next(unix, f.next())
			mean += v / (weeks * perWeek)
			whole = whole && v == math.Floor(v) && v >= 0
			if v > s.level*s.week.at(unix)+6*sd {
				atJob[(unix-epoch)%86400/3600]++
			}
		}
		want := s.level
		if kind == scheduled {
			want += sd * s.job.size * float64(s.job.lasts) / 86400
		}
		if math.Abs(mean/want-1) > 0.02 {
			t.Errorf("%v: mean %v, want %v", kind, mean, want)
		}
		if whole != (kind == poisson) {
			t.Errorf("%v: whole numbers: %v", kind, whole)
		}
		if kind == scheduled {
			rows, hours := 0, 0
			for _, n := range atJob {
				rows, hours = rows+n, hours+1
			}
			if days := float64(7 * weeks); hours > 3 || math.Abs(float64(rows)/(days*float64(s.job.lasts/fiveMin))-1) > 0.1 {
				t.Errorf("the job shows in %d rows of %d hours in %v days", rows, hours, days)
			}
		}
	}
	// Two of the shared kind correlate by half, two of another not at all.
	for kind, want := range map[nullKind]float64{commonShock: 0.5, gaussian: 0} {
		a, b := newNullSeries(kind, seeded(5, 1)), newNullSeries(kind, seeded(5, 2))
		a.noise.phi, b.noise.phi = 0.5, 0.5
		f := newSharedFactor(seeded(6))
		ab, aa, bb := 0.0, 0.0, 0.0
		for i := range int64(20 * perWeek) {
			unix, shared := epoch+i*fiveMin, f.next()
			x := (a.next(unix, shared)/a.level - a.week.at(unix)) / a.spread
			y := (b.next(unix, shared)/b.level - b.week.at(unix)) / b.spread
			ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
		}
		if c := ab / math.Sqrt(aa*bb); math.Abs(c-want) > 0.1 {
			t.Errorf("%v: two series correlate by %.2f, want %.1f", kind, c, want)
		}
	}
}

// TestBudget runs a small team: the counts add up, two runs agree, and a controller is asked at every tick.
func TestBudget(t *testing.T) {
	a, b := simulateBudgets(budgetShort), simulateBudgets(budgetShort)
	for i := range a.Lines {
		if len(a.Lines[i].Weeks) != 1 || len(a.Lines[i].Weeks[0]) != budgetShort.weeks {
			t.Fatalf("weeks %v", a.Lines[i].Weeks)
		}
		for w := range budgetShort.weeks {
			if a.Lines[i].Weeks[0][w] != b.Lines[i].Weeks[0][w] {
				t.Errorf("two runs: %v and %v", a.Lines[i].Weeks, b.Lines[i].Weeks)
			}
		}
	}
	l := newBudgetLine(10, [][]int{{8, 16, 17, 11, 2}, {0, 20, 0, 0, 4}})
	if !near(l.Mean, 7.8) || !near(l.Kept, 0.8) || !near(l.Settled, 3) || l.KeptToo != 1 || l.Worst != 20 {
		t.Errorf("line %+v", l)
	}
}

func TestControllerJoinsRows(t *testing.T) {
	b := newBook(newController(1000, 2, 100*time.Second), budgetSize{series: 2, weeks: 1})
	outside := map[int64]bool{1000: true, 1300: true, 2200: true, 3200: true}
	for unix := int64(700); unix < 4000; unix += 100 {
		rows := []row{{known: true, excess: -4}, {known: true, excess: -4}}
		if outside[unix] {
			rows[0].score, rows[0].excess = 2, 3
		}
		b.tick(epoch+unix, 0, rows)
	}
	if b.weeks[0] != 2 || b.told[0] != 2 || b.bySeries[0] != 2 || b.bySeries[1] != 0 { // 1000 to 2200 is one
		t.Errorf("alarms %v of %v, by series %v", b.weeks, b.told, b.bySeries)
	}
}
