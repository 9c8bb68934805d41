package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// nabDrawn is a file of 100 rows five minutes apart with a window of ten rows from row 50; 15 rows are probation.
func nabDrawn(told map[int]float64) *nabFile {
	f := &nabFile{name: "drawn", window: [][2]int{{50, 60}}, from: probation(100), gap: -1, score: make([]float64, 100)}
	for i := range 100 {
		f.time = append(f.time, int64(300*i))
		f.score[i] = told[i]
	}
	return f
}

// TestNABByHand: the middle of the window is worth (2/(1+e^-2.5)-1)/(2/(1+e^-5)-1) = 0.859792; a row before any window costs
// 0.11; row 64, five rows or 5/9 of a width behind, costs 0.11 × (1-2/(1+e^(25/9))) = 0.097119.
func TestNABByHand(t *testing.T) {
	check := func(what string, f *nabFile, want float64) {
		t.Helper()
		if got := nabProfiles[0].score([]*nabFile{f}); math.Abs(got.Default-want) > 1e-3 {
			t.Errorf("%s: %v, want %v", what, got.Default, want)
		}
	}
	check("middle", nabDrawn(map[int]float64{55: 1}), 100*1.859792/2)
	check("middle and two false", nabDrawn(map[int]float64{55: 1, 30: 2, 64: 1}), 100*(1.859792-0.11-0.097119)/2)
	check("the earliest decides", nabDrawn(map[int]float64{50: 1, 55: 3, 58: 1}), 100)
	check("probation is free", nabDrawn(map[int]float64{3: 1}), 0)
	check("only false", nabDrawn(map[int]float64{30: 1}), -100*0.11/2)

	once := nabDrawn(map[int]float64{30: 1, 31: 5, 32: 1, 40: 1})
	check("every row told", once, -100*0.44/2)
	once.gap = 900
	check("one row per alarm", once, -100*0.22/2)
	best := nabProfiles[0].score([]*nabFile{nabDrawn(map[int]float64{55: 3, 30: 2, 64: 1})})
	if best.Threshold != 3 || math.Abs(best.Score-100*1.859792/2) > 1e-3 {
		t.Errorf("best is %+v", best)
	}
}

// TestNABSweep holds the sweep over thresholds to scoring each threshold by itself.
func TestNABSweep(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, gap := range []int64{-1, 900} {
		f := nabDrawn(nil)
		f.window = [][2]int{{10, 20}, {50, 60}, {60, 64}}
		f.gap = gap
		for i := range f.score {
			f.score[i] = math.Floor(10*r.Float64()) / 10
		}
		for _, p := range nabProfiles {
			got := p.score([]*nabFile{f})
			best := 0.0
			for k := 1; k <= 10; k++ {
				threshold := float64(k) / 10
				told := nabDrawn(nil)
				told.window = f.window
				for i, fl := range f.flags() {
					if fl.above < threshold && threshold <= fl.upTo {
						told.score[i] = 1
					}
				}
				best = max(best, p.score([]*nabFile{told}).Default)
			}
			if math.Abs(got.Score-best) > 1e-9 {
				t.Errorf("gap %d, %s: %v, best of all thresholds %v", gap, p.name, got.Score, best)
			}
		}
	}
}

func TestNABControls(t *testing.T) {
	corpus := []*nabFile{nabDrawn(nil), nabDrawn(nil)}
	corpus[1].window = [][2]int{{5, 12}, {14, 30}, {70, 80}} // the first lies within probation
	if n := windows(corpus); n != 3 {
		t.Fatalf("%d windows, want 3", n)
	}
	check := func(what string, do func(*nabFile), want, margin float64) {
		t.Helper()
		for _, f := range corpus {
			do(f)
		}
		for _, p := range nabProfiles {
			if got := p.score(corpus); math.Abs(got.Score-want) > margin {
				t.Errorf("%s, %s: %v, want %v", what, p.name, got.Score, want)
			}
		}
	}
	check("nothing told", tellNothing, 0, 0)
	// The window that begins in probation can be found from its second row on only.
	check("perfect", tellAll, 100, 0.1)
}

func TestWindowedGaussian(t *testing.T) {
	values := []float64{10, 12, 10, 12, 11}
	score := make([]float64, 5)
	windowedGaussian(values, score)
	// Mean 11 and deviation 1 of the first four: the fifth is in the middle; the second is far from a window of one value.
	if score[0] != 0 || score[1] != 1 || math.Abs(score[4]-0.5) > 1e-12 {
		t.Errorf("scores %v", score)
	}
}
