package main

import (
	"compress/gzip"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// drawn is a series a minute apart: # is labelled, and the flags are the rows named.
func drawn(labels string, flags ...int) *track {
	t := &track{entry: entry{Name: "drawn", Resolution: 60}}
	for i, c := range labels {
		t.time = append(t.time, int64(60*i))
		t.label = append(t.label, c == '#')
		t.score = append(t.score, 0)
		t.flag = append(t.flag, slices.Contains(flags, i))
		if t.flag[i] {
			t.score[i] = 1
		}
	}
	t.prepare()
	return t
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

// TestTally: the first event is found in its second row, the second too late, in its tenth. Row 8 is two rows before an
// event and row 34 within seven rows after one: they belong to them. Rows 2 and 39 are two false alarms.
func TestTally(t *testing.T) {
	labels := "..........###.......############........"
	c := drawn(labels, 2, 8, 11, 29, 34, 39).decided()
	if c.found != 1 || c.late != 1 || c.alarms != 2 || c.flagged != 6 || c.falseRows != 4 || c.foundRows != 3 || c.missedRows != 12 {
		t.Errorf("got %+v", c)
	}
	if !slices.Equal(c.delays, []int64{60, 540}) {
		t.Errorf("delays %v", c.delays)
	}
	if !near(c.precision(), 1.0/3) || !near(c.recall(), 0.5) || !near(c.f1(), 0.4) || !near(c.delayF1(), 6.0/22) {
		t.Errorf("P %v R %v F1 %v DL-PA %v", c.precision(), c.recall(), c.f1(), c.delayF1())
	}
	if want := 2 / (40 * 60 / 604800.0); !near(c.alarmRate(), want) {
		t.Errorf("%v false alarms a week, want %v", c.alarmRate(), want)
	}
}

func TestFlagsJoinToOneAlarm(t *testing.T) {
	check := func(resolution int64, want int, flags ...int) {
		t.Helper()
		tr := drawn(strings.Repeat(".", 100), flags...)
		tr.Resolution = resolution
		for i := range tr.time {
			tr.time[i] = int64(i) * resolution
		}
		tr.prepare()
		if c := tr.decided(); c.alarms != want {
			t.Errorf("flags %v at %d s: %d alarms, want %d", flags, resolution, c.alarms, want)
		}
	}
	check(60, 1, 10, 25)         // 15 minutes apart
	check(60, 2, 10, 26)         // 16
	check(60, 1, 10, 25, 40, 55) // each joins to the one before
	check(300, 1, 10, 13)
	check(300, 2, 10, 14)
	check(3600, 1, 10, 13) // three rows
	check(3600, 2, 10, 14)
	check(60, 0)
}

func TestJudgeOfTwoSeries(t *testing.T) {
	a := drawn(".....##......................", 5, 25) // found, one false alarm: F1 2/3
	b := drawn(".....##......................", 20)    // missed, one false alarm: F1 0
	quiet := drawn(".............................")    // no event: not part of the mean
	f := judge("set", []*track{a, b, quiet})
	if f.Events != 2 || !near(f.F1, 0.4) || !near(f.MacroF1, 1.0/3) || !near(f.Precision, 1.0/3) || !near(f.Recall, 0.5) {
		t.Errorf("got %+v", f)
	}
	perWeek := 1 / (29 * 60 / 604800.0)
	if !near(f.Alarms, 2*perWeek/3) || !near(f.Mean, 2*perWeek/3) || !near(f.Median, perWeek) {
		t.Errorf("false alarms pooled %v, mean %v, median %v", f.Alarms, f.Mean, f.Median)
	}
}

// TestSweep holds the intervals to counting each threshold anew.
func TestSweep(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var tracks []*track
	for range 20 {
		tr := &track{entry: entry{Resolution: []int64{60, 300, 3600}[r.IntN(3)]}}
		inside := false
		for i := range 400 {
			if r.IntN(15) == 0 {
				inside = !inside && r.IntN(2) == 0
			}
			tr.time = append(tr.time, int64(i)*tr.Resolution+int64(r.IntN(3)/2)*tr.Resolution*5)
			tr.label = append(tr.label, inside)
			tr.score = append(tr.score, math.Floor(8*r.ExpFloat64())/8) // with ties, zeros among them
			tr.flag = append(tr.flag, false)
		}
		slices.Sort(tr.time)
		tr.prepare()
		tracks = append(tracks, tr)
	}
	grid := []float64{0.125, 0.3, 0.5, 1, 1.5, 2, 3, 5, 100}
	s := newSweep(grid, tracks)
	for k, threshold := range grid {
		var want tally
		for _, tr := range tracks {
			for i, x := range tr.score {
				tr.flag[i] = x >= threshold
			}
			want.add(tr.decided())
		}
		want.delays = nil
		if got := s.at[k]; fmt.Sprintf("%.9v", got) != fmt.Sprintf("%.9v", want) {
			t.Errorf("at %v: %+v, want %+v", threshold, got, want)
		}
	}
}

func TestVolumeUnderSurface(t *testing.T) {
	check := func(labels string, score []float64, want float64) {
		t.Helper()
		tr := drawn(labels)
		tr.score = score
		soft := make([]float64, len(score))
		tr.soften(soft, 0)
		labelled := 0.0
		for _, w := range soft {
			labelled += w
		}
		order := make([]int, len(score))
		cuts := make([]int, len(score))
		for i := range order {
			order[i], cuts[i] = i, i
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(8 * (score[b] - score[a])) })
		if got := tr.averagePrecision(soft, labelled, order, cuts); !near(got, want) {
			t.Errorf("%s %v: %v, want %v", labels, score, got, want)
		}
	}
	check(".##..", []float64{0, 5, 4, 1, 2}, 1)
	check(".##..", []float64{5, 4, 2, 1, 3}, 0.5) // ranks 2 and 4: ½·½ + ½·½
	check("#..#", []float64{4, 3, 1, 2}, 0.75)    // two events, ranks 1 and 3: ½·½·1 + ¾·⅔
	check("#...", []float64{1, 1, 1, 1}, 1)       // ties keep the order of time
	soft := make([]float64, 12)
	drawn(".....#......").soften(soft, 4)
	want := []float64{0, 0, 0, math.Sqrt(0.5), math.Sqrt(0.75), 1, math.Sqrt(0.75), math.Sqrt(0.5), 0, 0, 0, 0}
	for i := range want {
		if !near(soft[i], want[i]) {
			t.Errorf("softened to %v, want %v", soft, want)
			break
		}
	}
	ideal := drawn(strings.Repeat(".", 500) + strings.Repeat("#", 100) + strings.Repeat(".", 500))
	for i := range ideal.score {
		ideal.score[i] = 1 / (1 + math.Abs(float64(i)-549.5)) // falls away from the event on both sides
	}
	random := drawn(strings.Repeat(".", 500) + strings.Repeat("#", 100) + strings.Repeat(".", 500))
	r := rand.New(rand.NewPCG(3, 4))
	for i := range random.score {
		random.score[i] = r.Float64()
	}
	if a, b := ideal.vusPR(), random.vusPR(); a < 0.95 || b > 0.2 {
		t.Errorf("an ideal score has %v, noise %v", a, b)
	}
}

func TestFamily(t *testing.T) {
	for in, want := range map[string]string{"t3_phi.5_0": "t3_phi.5", "gauss_12": "gauss", "pjm_duq_1h": "pjm_duq_1h", "x7": "x7"} {
		if got := family(in); got != want {
			t.Errorf("family(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestJudgeCommand judges a folder: four weeks of a daily wave with two spikes of known kinds.
func TestJudgeCommand(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "wave.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	fmt.Fprintln(z, "timestamp,value,label")
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 28 * 24 * 12 {
		v, label := 100+30*math.Sin(2*math.Pi*float64(i)/288)+r.NormFloat64(), 0
		switch i {
		case 7000:
			v, label = v+60, 1
		case 7500:
			v, label = v+0.01, 1 // nobody finds that
		}
		fmt.Fprintf(z, "%d,%.4f,%d\n", 300*i, v, label)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	manifest := `[{"name":"wave","set":"mine","file":"wave.csv.gz","resolution_s":300,"split":1814400,"injections":[
		{"kind":"spike","start":2100000,"end":2100000},{"kind":"whisper","start":2250000,"end":2250000},{"kind":"early","start":60,"end":60}]}]`
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run([]string{"judge", "-data", dir, "-kinds", "-series"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### mine: 1 series, 2 events, 1 series-weeks\n", "| spike | 1 | 1.000 | 1.000 |", "| whisper | 1 | 0.000 |", "| wave | 1 | 2 | 1 |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "early") {
		t.Error("an injection before the split was judged")
	}
	for args, want := range map[string]string{
		"judge -data " + dir + " -set other": `set "other" is not in the manifest, which has ["mine"]`,
		"nab -data " + dir:                   `the manifest has no set "nab", only ["mine"]`,
		"judge":                              "-data is required",
		"guess":                              `command "guess" is unknown`,
		"":                                   "want a command",
	} {
		if err := run(strings.Fields(args), &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", args, err, want)
		}
	}
}
