package detect

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

const hour = 60 * minute

// crew is a team of series whose hourly excesses have an exponential tail.
type crew struct {
	budget    Budget
	crossings []Crossing
	random    *rand.Rand
	at        int64
	pages     int
	told      int
}

func newCrew(perWeek float64, series int) *crew {
	return &crew{
		budget: Budget{PerWeek: perWeek}, crossings: make([]Crossing, series), random: rand.New(rand.NewPCG(3, 4)),
		at: 480_000 * hour,
	}
}

// hours steps all series hour by hour; each passes level u in one of perHour·e^(−slope·u) hours.
func (c *crew) hours(n int, perHour, slope float64) *crew {
	for range n {
		c.budget.Turn(c.at, len(c.crossings))
		for i := range c.crossings {
			excess := math.Log(perHour/(1-c.random.Float64())) / slope
			c.point(i, 1.2, excess)
		}
		c.at += hour
	}
	return c
}

func (c *crew) point(i int, score, excess float64) {
	c.budget.See()
	if before, most, closed := c.crossings[i].Step(c.at, score, excess); closed {
		c.budget.Crossed(before, most)
	}
	if c.budget.Worth(score, excess) {
		c.told++
		if c.budget.Tell(score) {
			c.pages++
		}
	}
}

func (c *crew) state(t *testing.T) []byte {
	t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, &c.budget.BudgetState)
	if err == nil {
		b, err = binary.Append(b, binary.LittleEndian, c.crossings)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBudgetIsSpent: whatever the tail, once it is known as many alarms come as the budget says.
func TestBudgetIsSpent(t *testing.T) {
	for _, slope := range []float64{1, 2, 6} {
		for _, perWeek := range []float64{3, 20, 100} {
			c := newCrew(perWeek, 100).hours(4*7*24, 1.0/168, slope)
			c.told, c.pages = 0, 0
			c.hours(12*7*24, 1.0/168, slope)
			if mean := float64(c.told) / 12; mean < 0.6*perWeek || mean > 1.4*perWeek {
				t.Errorf("slope %v: %.1f alarms a week for a budget of %v (exponent %.2f)", slope, mean, perWeek, c.budget.Exponent())
			}
			if c.pages < c.told*3/5 { // chance alone keeps a third of a few from paging
				t.Errorf("slope %v, budget %v: only %d of %d alarms page", slope, perWeek, c.pages, c.told)
			}
		}
	}
}

func TestBudgetIsMonotone(t *testing.T) {
	before := math.Inf(1)
	for _, perWeek := range []float64{0.1, 0.5, 1, 2, 5, 10, 50, 100, 500, 5000} {
		// What a budget told corrects its count: only what it saw is to be the same.
		c := newCrew(perWeek, 50)
		c.hours(6*7*24, 1.0/168, 3)
		c.budget.Past.Told, c.budget.Past.Expected = 0, 0
		c.budget.Today.Told, c.budget.Today.Expected = 0, 0
		if x := c.budget.solve(); x > before {
			t.Errorf("budget %v: exponent %v, of a smaller budget %v", perWeek, x, before)
		} else {
			before = x
		}
	}
	if before >= 0 {
		t.Errorf("a hundred alarms a week and series: exponent %v, want less than 0", before)
	}
}

// TestBudgetRestart: a budget that was stored and read in the middle goes on bit by bit.
func TestBudgetRestart(t *testing.T) {
	whole, halves := newCrew(10, 30), newCrew(10, 30)
	whole.hours(500, 1.0/50, 2)
	halves.hours(333, 1.0/50, 2)
	b := halves.state(t)
	halves.budget.BudgetState, halves.crossings = BudgetState{}, make([]Crossing, 30)
	n, err := binary.Decode(b, binary.LittleEndian, &halves.budget.BudgetState)
	if err == nil {
		_, err = binary.Decode(b[n:], binary.LittleEndian, halves.crossings)
	}
	if err != nil {
		t.Fatal(err)
	}
	halves.hours(167, 1.0/50, 2)
	if !bytes.Equal(whole.state(t), halves.state(t)) {
		t.Error("states differ")
	}
	if whole.told != halves.told || whole.pages != halves.pages {
		t.Errorf("told %d and %d, paged %d and %d", whole.told, halves.told, whole.pages, halves.pages)
	}
}

func TestBudgetKnowsNothing(t *testing.T) {
	for _, series := range []int{0, 1} {
		c := newCrew(1, series)
		c.hours(1, 1.0/168, 2)
		if x := c.budget.Exponent(); x != 0 {
			t.Errorf("%d series: exponent %v before anything was seen", series, x)
		}
	}
	c := newCrew(1, 0).hours(10*7*24, 1, 1)
	if x := c.budget.Exponent(); x != 0 || c.budget.Past.Hours != 0 {
		t.Errorf("an empty team: exponent %v after %v hours", x, c.budget.Past.Hours)
	}
	// A quiet series at the default budget keeps its threshold: what is told is outside the band.
	quiet := newCrew(1, 1).hours(10*7*24, 1e-9, 2)
	if x := quiet.budget.Exponent(); x != 0 {
		t.Errorf("a quiet series: exponent %v", x)
	}
	// One that was given more than one alarm a week goes below.
	if x := newCrew(10, 1).hours(10*7*24, 1e-9, 2).budget.Exponent(); !(x < 0) || x < LowestExponent {
		t.Errorf("a quiet series with ten alarms a week: exponent %v", x)
	}
}

// TestBudgetIncident: an incident on every series for three days costs little sensitivity and pages no more than is
// left; what is certain pages all the same.
func TestBudgetIncident(t *testing.T) {
	c := newCrew(7, 50).hours(8*7*24, 1.0/(50*24), 3)
	calm, left := c.budget.Exponent(), c.budget.Left
	c.told, c.pages = 0, 0
	for h := range 72 {
		c.budget.Turn(c.at, 50)
		for i := range 50 {
			if h%2 == 0 { // flapping
				c.point(i, 2, 3.5)
			} else {
				c.point(i, 0.1, -4)
			}
		}
		c.at += hour
	}
	if c.told < 500 || float64(c.pages) > left+3+1 {
		t.Errorf("%d told, %d page of %.1f left", c.told, c.pages, left)
	}
	c.budget.Turn(c.at, 50)
	if x := c.budget.Exponent(); x > calm+1 {
		t.Errorf("exponent %.2f after the incident, %.2f before", x, calm)
	}
	c.budget.Left = 0
	if !c.budget.Worth(Certain, -4) || !c.budget.Tell(-Certain) {
		t.Error("what is certain does not page")
	}
	if c.budget.Tell(2) {
		t.Error("what is not certain pages although nothing is left")
	}
}

func TestBudgetBounds(t *testing.T) {
	if x := newCrew(0.01, 200).hours(10*7*24, 1, 0.3).budget.Exponent(); x != HighestExponent {
		t.Errorf("alarms without end: exponent %v, want %v", x, HighestExponent)
	}
	if x := newCrew(1e6, 1).hours(2*7*24, 1e-9, 2).budget.Exponent(); x != LowestExponent {
		t.Errorf("a budget without end: exponent %v, want %v", x, LowestExponent)
	}
}

// TestCrossing: an episode of hours is one at every level between its surroundings and its top.
func TestCrossing(t *testing.T) {
	b, c := Budget{PerWeek: 1}, Crossing{}
	at := 480_000 * hour
	b.Turn(at, 1)
	for _, excess := range []float64{-4, 0.5, 2.5, 1.5, 0.2, -4, -4, 1, -4} {
		if before, most, closed := c.Step(at, 1, excess); closed {
			b.Crossed(before, most)
		}
		at += hour
	}
	count := func(level float64) (n float64) {
		for i := excessBins - 1; i >= 0 && excessLow+float64(i)*excessPerBin >= level; i-- {
			n += b.Today.Tail[i]
		}
		return n
	}
	for level, want := range map[float64]float64{-1: 2, 0: 2, 0.75: 2, 1.25: 1, 2: 1, 3: 0} {
		if got := count(level); got != want {
			t.Errorf("level %v: %v episodes, want %v", level, got, want)
		}
	}
}

func TestRealised(t *testing.T) {
	var r Realised
	at := 480_000 * hour
	if share, low, high := r.Coverage(at); !math.IsNaN(share) || !math.IsNaN(low) || !math.IsNaN(high) || !math.IsNaN(r.EpisodesPerWeek(at)) {
		t.Error("figures of nothing")
	}
	// Nine weeks, of which eight count: a bad first week, then every day the same but one.
	for h := range 9 * 168 {
		for range 10 {
			r.Row(at, h >= 168)
		}
		if h < 168 {
			r.Episode(at)
		}
		if day := h / 24; day == 40 {
			r.Row(at, false)
			r.Episode(at)
		}
		at += hour
	}
	at -= hour
	share, low, high := r.Coverage(at)
	if want := 1 - 24.0/(56*240+24); math.Abs(share-want) > 1e-12 {
		t.Errorf("coverage %v, want %v", share, want)
	}
	if !(low < share && high == 1) {
		t.Errorf("interval %v to %v about %v", low, high, share)
	}
	if got := r.EpisodesPerWeek(at); math.Abs(got-24.0/8) > 1e-12 {
		t.Errorf("%v episodes a week, want 3", got)
	}
	again, _, _ := r.Coverage(at)
	if again != share {
		t.Error("the same days give another figure")
	}
}
