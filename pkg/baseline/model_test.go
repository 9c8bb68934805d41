package baseline

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

type utc struct{}

// HourOfWeek counts from Sunday; 1970-01-01 was a Thursday.
func (utc) HourOfWeek(ms int64) int { return int((hourOf(ms) + 4*24) % hoursOfWeek) }

const monday = int64(1_767_571_200_000) // 2026-01-05 00:00 UTC

// week is a series with a daily and a weekly season, noise of one, and whatever edit does to it.
type week struct {
	r    *rand.Rand
	edit func(t int64, v float64) (float64, bool)
}

func (w *week) at(t int64) series.Point {
	day := float64(t%(24*hourMillis)) / float64(24*hourMillis)
	v := 100 + 30*math.Sin(2*math.Pi*(day-0.3))
	// Weekends are quieter, and the evening before fades into them.
	h := float64(t-monday-5*24*hourMillis) / float64(7*24*hourMillis)
	h = (h - math.Floor(h)) * 168 // hours since Saturday 00:00
	v *= 1 - 0.4/(1+math.Exp(-(h+3)/2))/(1+math.Exp((h-48)/2)) - 0.4/(1+math.Exp(-(h-168+3)/2))
	p := series.Point{T: t, Value: v + w.r.NormFloat64()}
	if w.edit != nil {
		var ok bool
		if p.Value, ok = w.edit(t, p.Value); !ok {
			p.Missing = series.Stale
		}
	}
	return p
}

func feed(m *Model, from, to, step int64, w *week, each func(Verdict)) (history []Summary) {
	for t := from; t < to; t += step {
		v, closed, ok := m.Step(w.at(t))
		if ok {
			history = append(history, closed)
		}
		if each != nil {
			each(v)
		}
	}
	return history
}

func newWeek() *week { return &week{r: rand.New(rand.NewPCG(7, 7))} }

func TestFoldOfTheHistoryIsTheModelToTheBit(t *testing.T) {
	m := New(utc{}, time.Minute)
	history := feed(m, monday, monday+20*24*hourMillis, 60_000, newWeek(), nil)
	if len(history) != 20*24-1 {
		t.Fatalf("%d hours closed", len(history))
	}
	stepped, _ := m.AppendBinary(nil)
	var decoded []Summary
	for i := range history { // through the encoding, as the ledger keeps them
		s, _, err := DecodeSummary(history[i].Hour/24, history[i].Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		decoded = append(decoded, s)
	}
	m.Refold(decoded)
	folded, _ := m.AppendBinary(nil)
	if !bytes.Equal(stepped, folded) {
		t.Error("the fold over the stored summaries differs from the model that was stepped")
	}
	m.fold(&decoded[17])
	if again, _ := m.AppendBinary(nil); !bytes.Equal(folded, again) {
		t.Error("folding an old hour again changed the model")
	}
}

func TestARestartInTheMiddleChangesNothing(t *testing.T) {
	whole, split := New(utc{}, time.Minute), New(utc{}, time.Minute)
	a, b := newWeek(), newWeek()
	for i := range int64(10 * 24 * 60) {
		now := monday + i*60_000
		x, _, _ := whole.Step(a.at(now))
		y, _, _ := split.Step(b.at(now))
		if x.Score != y.Score || x.Lower != y.Lower {
			t.Fatalf("minute %d: %v and %v", i, x, y)
		}
		if i%977 == 0 {
			saved, err := split.AppendBinary(nil)
			if err != nil || len(saved) != valuesBytes {
				t.Fatal(len(saved), err)
			}
			split = New(utc{}, time.Minute)
			if rest, err := split.DecodeBinary(saved); err != nil || len(rest) > 0 {
				t.Fatal(rest, err)
			}
		}
	}
}

func TestTooLittleHistoryMeansInfiniteBoundsAndAReason(t *testing.T) {
	m := New(utc{}, time.Minute)
	known := int64(0)
	feed(m, monday, monday+4*24*hourMillis, 60_000, newWeek(), func(v Verdict) {
		switch {
		case !v.Known && (!math.IsInf(v.Lower, -1) || !math.IsInf(v.Upper, 1) || v.Score != 0 || v.Reason() == ""):
			t.Fatalf("not known, but %+v", v)
		case v.Known && known == 0:
			known = v.T
		case v.Known && (math.IsInf(v.Lower, 0) || math.IsInf(v.Upper, 0) || v.Reason() != ""):
			t.Fatalf("known, but %+v", v)
		}
	})
	if h := (known - monday) / hourMillis; h < 40 || h > 60 {
		t.Errorf("first band after %d hours, want about two days", h)
	}
}

func TestPlantedDeviationsAreFoundAndQuietWeeksStayQuiet(t *testing.T) {
	start := monday + 35*24*hourMillis
	planted := map[int64]float64{ // hour after start → what the value is multiplied with, for ten minutes
		30: 1.5, 61: 0.5, 100: 1.3, 130: 0, 150: 2,
	}
	w := newWeek()
	w.edit = func(t int64, v float64) (float64, bool) {
		if f, ok := planted[(t-start)/hourMillis]; ok && t > start && t%hourMillis < 10*60_000 {
			return v * f, true
		}
		return v, true
	}
	m := New(utc{}, time.Minute)
	feed(m, monday, start, 60_000, w, nil)
	found, quiet := map[int64]bool{}, 0
	feed(m, start, start+7*24*hourMillis, 60_000, w, func(v Verdict) {
		if math.Abs(v.Score) < 1 || v.Returning {
			return
		}
		h := (v.T - start) / hourMillis
		if f, ok := planted[h]; ok && v.T%hourMillis < 10*60_000 {
			if v.T%hourMillis == 0 && (v.Score > 0) != (f > 1) {
				t.Errorf("hour %d: wrong side: %v", h, v.Score)
			}
			found[h] = true
			return
		}
		quiet++
	})
	t.Logf("found %d of %d, %d flagged rows of %d quiet ones", len(found), len(planted), quiet, 7*24*60-len(planted)*10)
	if len(found) != len(planted) || quiet > 2 {
		t.Errorf("found %v, quiet rows flagged: %d", found, quiet)
	}
}

func TestTheBandHasNoStepAtTheFullHour(t *testing.T) {
	m := New(utc{}, time.Minute)
	start := monday + 28*24*hourMillis
	feed(m, monday, start, 60_000, newWeek(), nil)
	worst := 0.0
	for now := start; now < start+7*24*hourMillis; now += 1000 {
		a, b := m.Expect(now), m.Expect(now+1000)
		if now == m.Recent.LastT+gapSteps*60_000 { // the recent course is forgotten here
			continue
		}
		worst = max(worst, math.Abs(a.Center-b.Center), math.Abs(a.Lower-b.Lower), math.Abs(a.Upper-b.Upper))
	}
	// The steepest slope of the season moves about 0.01 in a second, its weekend edge about 0.02; a schedule tapers off by as much.
	if worst > 0.1 {
		t.Errorf("the band jumps by %v within a second", worst)
	}
}

func TestOutagesTeachLittleAndSilenceTeachesNothing(t *testing.T) {
	start := monday + 28*24*hourMillis
	quiet, hit := New(utc{}, time.Minute), New(utc{}, time.Minute)
	a, b := newWeek(), newWeek()
	b.edit = func(t int64, v float64) (float64, bool) {
		if t >= start && t < start+3*hourMillis {
			return v * 10, true
		}
		return v, true
	}
	end := start + 7*24*hourMillis
	feed(quiet, monday, end, 60_000, a, nil)
	feed(hit, monday, end, 60_000, b, nil)
	worst := 0.0
	for now := end; now < end+7*24*hourMillis; now += hourMillis / 4 {
		x, y := quiet.Expect(now), hit.Expect(now)
		worst = max(worst, math.Abs(x.Center-y.Center)/x.Center)
	}
	if worst > 0.10 {
		t.Errorf("three hours at ten times the usual moved the expectation by %.1f %%", 100*worst)
	}
	quiet.Step(series.Point{T: end + 20*60_000, Missing: series.Stale, Value: math.NaN()}) // the last hour is folded
	before, _ := quiet.AppendBinary(nil)
	for now := end + 21*60_000; now < end+26*hourMillis; now += 60_000 {
		quiet.Step(series.Point{T: now, Missing: series.Stale, Value: math.NaN()})
	}
	if after, _ := quiet.AppendBinary(nil); !bytes.Equal(before, after) {
		t.Error("missing points changed the model")
	}
}

func TestLevelShiftIsAcceptedAsTheNewNormal(t *testing.T) {
	start := monday + 28*24*hourMillis
	w := newWeek()
	w.edit = func(t int64, v float64) (float64, bool) {
		if t >= start {
			v += 40
		}
		return v, true
	}
	m := New(utc{}, time.Minute)
	feed(m, monday, start, 60_000, w, nil)
	flagged := [14]int{}
	feed(m, start, start+14*24*hourMillis, 60_000, w, func(v Verdict) {
		if math.Abs(v.Score) >= 1 {
			flagged[(v.T-start)/(24*hourMillis)]++
		}
	})
	t.Log("flagged rows by day after the shift:", flagged)
	if flagged[0] == 0 || flagged[13] > 0 {
		t.Error("want the shift flagged at first and normal after two weeks")
	}
}

func TestHistoryCoarserThanLifeKnowsNoBreaks(t *testing.T) {
	m := New(utc{}, 5*time.Second)
	start := monday + 14*24*hourMillis
	w := newWeek()
	feed(m, monday, start, 60_000, w, nil) // every minute: no point is near enough to another to break away from it
	flagged := 0
	feed(m, start, start+2*hourMillis, 5000, w, func(v Verdict) {
		if !v.Known {
			t.Fatal("two weeks are known")
		}
		if math.Abs(v.Score) >= 1 {
			flagged++
		}
	})
	if flagged > 1 {
		t.Errorf("%d of 1440 quiet points flagged", flagged)
	}
}

func TestDegenerateSeries(t *testing.T) {
	for name, value := range map[string]func(t int64) float64{
		"constant":     func(int64) float64 { return 42 },
		"zero":         func(int64) float64 { return 0 },
		"huge":         func(t int64) float64 { return 1e300 * float64(t%7) },
		"tiny":         func(t int64) float64 { return 1e-300 * float64(t/60_000%3) },
		"negative":     func(t int64) float64 { return -1e9 - float64(t/60_000%5) },
		"square wave":  func(t int64) float64 { return float64(t / (6 * hourMillis) % 2) },
		"rare counter": func(t int64) float64 { return float64(max(0, t/60_000%601-599)) },
	} {
		t.Run(name, func(t *testing.T) {
			m := New(utc{}, time.Minute)
			rows, flagged := 0, 0
			for now := monday; now < monday+21*24*hourMillis; now += 60_000 {
				v, _, _ := m.Step(series.Point{T: now, Value: value(now)})
				if math.IsNaN(v.Score) || v.Known && (math.IsNaN(v.Lower) || math.IsNaN(v.Upper) || v.Lower > v.Upper) {
					t.Fatalf("%+v", v)
				}
				if rows++; math.Abs(v.Score) >= 1 {
					flagged++
				}
			}
			if flagged > rows/500 {
				t.Errorf("%d of %d rows flagged in a series that never changed", flagged, rows)
			}
		})
	}
}

func BenchmarkStep(b *testing.B) {
	m := New(utc{}, time.Minute)
	w := newWeek()
	points := make([]series.Point, 7*24*60)
	for i := range points {
		points[i] = w.at(monday + int64(i)*60_000)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		p := points[i%len(points)]
		p.T = monday + int64(i)*60_000
		m.Step(p)
		i++
	}
}
