package baseline

import (
	"bytes"
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
	return alarms, found, planted
}

// TestRatiosOfEveryKind holds quiet weeks and drops by 30 % for two hours against traffic, ratio, seasons and noise that
// independent events do not have.
func TestRatiosOfEveryKind(t *testing.T) {
	for name, c := range map[string]struct {
		shop
		atLeast float64 // share of the drops
	}{
		"rare":           {shop{p: 0.005, perHour: 300}, 0},
		"sparse":         {shop{p: 0.02, perHour: 60}, 0},
		"dense":          {shop{p: 0.1, perHour: 4000}, 0.9},
		"mostly":         {shop{p: 0.6, perHour: 600}, 0.9},
		"nearly all":     {shop{p: 0.99, perHour: 300}, 0.9},
		"daily season":   {shop{p: 0.05, daily: 0.4, perHour: 20000}, 0.9},
		"other weekends": {shop{p: 0.05, weekend: -0.5, perHour: 20000}, 0.9},
		"clusters":       {shop{p: 0.05, cluster: 5, perHour: 20000}, 0.5},
		"wandering":      {shop{p: 0.1, daily: 0.3, weekend: 0.2, wander: 0.2, perHour: 20000}, 0.5},
		"drifting":       {shop{p: 0.05, drift: 0.05, perHour: 20000}, 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			c.step = 5 * 60_000
			const runs = 4
			alarms, found, planted := 0, 0, 0
			for seed := range uint64(runs) {
				a, _, _ := c.run(seed, false, 1)
				_, f, p := c.run(seed+1000, true, 0.7)
				alarms, found, planted = alarms+a, found+f, planted+p
			}
			t.Logf("%d alarms in %d weeks, %d of %d drops", alarms, 6*runs, found, planted)
			if alarms > 6*runs/8 { // 0.1 a week, and what chance may add to it
				t.Errorf("%d false alarms in %d weeks", alarms, 6*runs)
			}
			if float64(found) < c.atLeast*float64(planted) {
				t.Errorf("found %d of %d drops", found, planted)
			}
		})
	}
}

// TestCountTailIsThatOfPoissonAndBinomial: what is at the limit has at most the probability, what is two events inside
// it more.
func TestCountTailIsThatOfPoissonAndBinomial(t *testing.T) {
	for _, z := range windowZ {
		tail := newCountTail(z)
		want := distuv.UnitNormal.CDF(-z)
		for _, mean := range []float64{0.02, 0.3, 1, 4, 12, 20, 35, 90, 300, 399, 401, 2500, 40_000} {
			low, high := tail.reach(mean, 1, 1)
			d := distuv.Poisson{Lambda: mean}
			if c := math.Ceil(mean + high); 1-d.CDF(c-1) > 1.05*want || c > leastCount && 1-d.CDF(c-3) < want {
				t.Errorf("z %v, Poisson %v: %v is not the least that is too many: %g, want %g", z, mean, c, 1-d.CDF(c-1), want)
			}
			if c := math.Floor(mean - low); c >= 0 && (d.CDF(c) > 1.05*want || d.CDF(c+2) < want) || c < 0 && d.CDF(0) < want/3 {
				t.Errorf("z %v, Poisson %v: %v is not the most that is too few: %g, want %g", z, mean, c, d.CDF(c), want)
			}
		}
		for _, n := range []float64{30, 100, 1000} {
			for _, p := range []float64{0.02, 0.1, 0.3, 0.5, 0.7, 0.98} {
				low, high := tail.reach(n*p*(1-p), 1-2*p, 1)
				d := distuv.Binomial{N: n, P: p}
				if c := math.Ceil(n*p + high); c <= n && 1-d.CDF(c-1) > 1.6*want {
					t.Errorf("z %v, %v of %v: %g of too many, want %g", z, c, n, 1-d.CDF(c-1), want)
				}
				if c := math.Floor(n*p - low); c >= 0 && d.CDF(c) > 1.6*want {
					t.Errorf("z %v, %v of %v: %g of too few, want %g", z, c, n, d.CDF(c), want)
				}
			}
		}
	}
}

func TestFoldOfARatioIsTheModelToTheBit(t *testing.T) {
	s := shop{r: rand.New(rand.NewPCG(1, 2)), p: 0.03, weekend: 0.3, perHour: 900, step: 60_000}
	m, other := newRatio(s.step), newRatio(s.step)
	var history []Summary
	for t0 := monday; t0 < monday+20*24*hourMillis; t0 += s.step {
		keep := 1.0
		if h := (t0 - monday) / hourMillis; h > 300 && h < 350 {
			keep = 0.3 // longer than a day: accepted
		}
		_, closed, ok := m.Step(s.at(t0, keep))
		if ok {
			again, n, err := DecodeSummary(closed.Day(), closed.Append(nil))
			if err != nil || n != SummaryBytes {
				t.Fatal(n, err)
			}
			history = append(history, again)
		}
		if (t0/s.step)%4999 == 0 { // a restart
			saved, err := m.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			m = newRatio(s.step)
			if rest, err := m.DecodeBinary(append(saved, 7)); err != nil || len(rest) != 1 {
				t.Fatal(len(rest), err)
			}
			if again, _ := m.AppendBinary(nil); !bytes.Equal(saved, again) {
				t.Fatal("a saved state is another one")
			}
		}
	}
	stepped, _ := m.AppendBinary(nil)
	m.Refold(history)
	folded, _ := m.AppendBinary(nil)
	if !bytes.Equal(stepped, folded) {
		t.Error("the fold over the stored summaries differs from the model that was stepped")
	}
	m.fold(&history[17])
	if again, _ := m.AppendBinary(nil); !bytes.Equal(folded, again) {
		t.Error("folding an old hour again changed the model")
	}
	other.Adopt(m)
	m.Restart()
	m.Step(s.at(monday+20*24*hourMillis, 1))
	if adopted, _ := other.AppendBinary(nil); !bytes.Equal(folded, adopted) {
		t.Error("an adopted model changes with the one it is from")
	}
	placeholder := New(nil, 0)
	if rest, err := placeholder.DecodeBinary(folded); err != nil || len(rest) > 0 {
		t.Error("a model made for nothing in particular cannot skip a ratio:", err)
	}
	for cut := range len(folded) {
		if _, err := newRatio(s.step).DecodeBinary(folded[:cut]); err == nil {
			t.Fatalf("%d of %d bytes are a state", cut, len(folded))
		}
	}
}

// learnt is a model of four weeks of a shop.
func learnt(s *shop) *Model {
	m := newRatio(s.step)
	for t := monday; t < monday+28*24*hourMillis; t += s.step {
		m.Step(s.at(t, 1))
	}
	return m
}

// TestTheEdgesAreWhereTheScoreIsOne also holds that the decision follows from the gates.
func TestTheEdgesAreWhereTheScoreIsOne(t *testing.T) {
	for _, p := range []float64{0.02, 0.3, 0.8} {
		s := &shop{r: rand.New(rand.NewPCG(3, 4)), p: p, perHour: 3000, step: 300_000}
		m := learnt(s)
		saved, _ := m.AppendBinary(nil)
		end := monday + 28*24*hourMillis
		judge := func(value float64) Verdict {
			again := newRatio(s.step)
			if _, err := again.DecodeBinary(saved); err != nil {
				t.Fatal(err)
			}
			v, _, _ := again.Step(series.Point{T: end, Value: value, Denominator: 250})
			if v.Score != Score(&v.Gates) || !v.Counted {
				t.Errorf("the gates say %v, the verdict %v", Score(&v.Gates), v.Score)
			}
			return v
		}
		usual := judge(p)
		for _, edge := range []float64{usual.Lower, usual.Upper} {
			if edge > 0 && edge < 1 && math.Abs(math.Abs(judge(edge).Score)-1) > 1e-6 {
				t.Errorf("p %v: at the edge %v the score is %v", p, edge, judge(edge).Score)
			}
		}
		last := math.Inf(-1)
		for x := 0.0; x <= 1; x += 0.01 {
			v := judge(x)
			if v.Score <= last && math.Abs(v.Score) >= 1 { // inside, one window may hand over to another
				t.Errorf("p %v: the score falls from %v to %v at %v", p, last, v.Score, x)
			}
			last = v.Score
			if (v.Score >= 1) != (v.Value > v.Upper) || (v.Score <= -1) != (v.Value < v.Lower) {
				t.Errorf("p %v: score %v at %v, band %v to %v", p, v.Score, x, v.Lower, v.Upper)
			}
		}
	}
}

func TestFewVisitorsAreThin(t *testing.T) {
	few := &shop{r: rand.New(rand.NewPCG(5, 6)), p: 0.5, perHour: 5, step: 60_000}
	m := learnt(few)
	for i := range int64(120) { // nobody of ten converts
		v, _, _ := m.Step(series.Point{T: monday + 28*24*hourMillis + i*60_000, Value: 0, Denominator: 1.0 / 12})
		if v.Known || v.Why != Thin || v.Reason() == "" || v.Score != 0 || !math.IsInf(v.Lower, -1) || !math.IsInf(v.Upper, 1) {
			t.Fatalf("%+v", v)
		}
	}
	if e := m.Expect(monday + 29*24*hourMillis); e.Known || e.Why != Thin || !(math.Abs(e.Center-0.5) < 0.05) {
		t.Errorf("expectation %+v", e)
	}
	many := &shop{r: rand.New(rand.NewPCG(5, 6)), p: 0.5, perHour: 500, step: 60_000}
	m = learnt(many)
	if e := m.Expect(monday + 29*24*hourMillis + 12*hourMillis); !e.Known || e.Lower > 0.45 || e.Lower < 0.2 || e.Upper < 0.55 {
		t.Errorf("expectation %+v", e)
	}
}

// TestABurstOfErrorsFiresAndIsOver: of requests that hardly ever fail, five fail. What was before the end of an incident
// is not told for two hours more.
func TestABurstOfErrorsFiresAndIsOver(t *testing.T) {
	s := &shop{r: rand.New(rand.NewPCG(7, 8)), p: 1e-6, perHour: 3000, step: 60_000}
	m := learnt(s)
	now := monday + 28*24*hourMillis
	flagged := 0
	for i := range int64(240) {
		p := series.Point{T: now + i*60_000, Denominator: 50}
		if i >= 60 && i < 70 {
			p.Value = 0.4
		}
		v, _, _ := m.Step(p)
		if out := v.Score >= 1; out {
			flagged++
		} else if i >= 60 && i < 70 {
			t.Errorf("minute %d of the burst has a score of %v", i, v.Score)
		}
	}
	if flagged > 30 {
		t.Errorf("%d rows flagged by ten minutes of errors", flagged)
	}
	v, _, _ := learnt(s).Step(series.Point{T: now, Value: 0.1, Denominator: 50})
	if v.Score < 1 {
		t.Errorf("five errors at once have a score of %v", v.Score)
	}
}

// TestAShortDeepDropOfARatioIsOverSoon: two minutes in which conversion halves are not told of for as long as the longest window is.
func TestAShortDeepDropOfARatioIsOverSoon(t *testing.T) {
	told := 0
	for _, perHour := range []float64{3000, 15000} {
		for seed := range uint64(8) {
			s := &shop{r: rand.New(rand.NewPCG(seed, 7)), perHour: perHour, p: 0.64, step: 30_000}
			m := learnt(s)
			begin := monday + 30*24*hourMillis + 12*hourMillis + 8*60_000
			for at := monday + 30*24*hourMillis; at < begin; at += s.step {
				m.Step(s.at(at, 1))
			}
			fired, last := false, int64(0)
			for at := begin; at < begin+2*hourMillis; at += s.step {
				keep := 1.0
				if at < begin+2*60_000 {
					keep = 0.45
				}
				v, _, _ := m.Step(s.at(at, keep))
				fired = fired || v.Score <= -1
				if v.Score <= -0.7 {
					last = at
				}
			}
			if !fired {
				continue
			}
			told++
			if last > begin+20*60_000 {
				t.Errorf("%g an hour, seed %d: remembered for %d minutes", perHour, seed, (last-begin)/60_000)
			}
		}
	}
	if told < 8 {
		t.Errorf("only %d of 16 drops fired", told)
	}
}

// TestOverlappingWindowsCountOnce: five minutes summed every minute know as much as five minutes summed every five.
func TestOverlappingWindowsCountOnce(t *testing.T) {
	s := &shop{r: rand.New(rand.NewPCG(9, 9)), p: 0.05, perHour: 3000, step: 60_000}
	plain, rolling := newRatio(60_000), New(utc{}, time.Minute, OfRatio(5*time.Minute))
	var last [5]series.Point
	low, high := math.Inf(1), math.Inf(-1)
	for i := range int64(28 * 24 * 60) {
		p := s.at(monday+i*60_000, 1)
		plain.Step(p)
		last[i%5] = p
		sum := series.Point{T: p.T}
		for _, x := range last {
			if x.Missing == series.Observed {
				sum.Value += x.Value * x.Denominator
				sum.Denominator += x.Denominator
			}
		}
		sum.Value /= sum.Denominator
		if v, _, _ := rolling.Step(sum); i > 14*24*60 {
			low, high = min(low, v.Score), max(high, v.Score)
		}
	}
	if a, b := plain.PerHour, rolling.PerHour; math.Abs(a/b-1) > 0.01 {
		t.Errorf("%v denominators an hour, %v where windows overlap", a, b)
	}
	if low < -1.2 || high > 1.2 || high < 0.5 {
		t.Errorf("scores from %v to %v", low, high)
	}
}

func TestALevelOfARatioThatChangedIsAcceptedAfterADay(t *testing.T) {
	s := &shop{r: rand.New(rand.NewPCG(11, 1)), p: 0.05, perHour: 20000, step: 300_000}
	m := learnt(s)
	start := monday + 28*24*hourMillis
	var flagged [5]int
	for now := start; now < start+5*24*hourMillis; now += s.step {
		if v, _, _ := m.Step(s.at(now, 0.7)); math.Abs(v.Score) >= 1 {
			flagged[(now-start)/(24*hourMillis)]++
		}
	}
	if flagged[0] < 200 || flagged[2]+flagged[3]+flagged[4] > 3 {
		t.Errorf("flagged rows by day: %v", flagged)
	}
}

// TestIncidentsTeachARatioLittle: two hours without a conversion each week leave level and dispersion where they were.
func TestIncidentsTeachARatioLittle(t *testing.T) {
	run := func(keep float64) *Model {
		s := &shop{r: rand.New(rand.NewPCG(12, 1)), p: 0.05, perHour: 5000, step: 300_000}
		m := newRatio(s.step)
		for now := monday; now < monday+42*24*hourMillis; now += s.step {
			k := 1.0
			if now >= monday+14*24*hourMillis && (now-monday)%(7*24*hourMillis) < 50*hourMillis && (now-monday)%(7*24*hourMillis) >= 48*hourMillis {
				k = keep
			}
			m.Step(s.at(now, k))
		}
		return m
	}
	quiet, hit := run(1), run(0)
	if math.Abs(hit.Level/quiet.Level-1) > 0.02 || hit.Phi > quiet.Phi+0.1 {
		t.Errorf("level %v and %v, dispersion %v and %v", quiet.Level, hit.Level, quiet.Phi, hit.Phi)
	}
}

// fortnights are special.
type fortnights struct{ utc }

func (fortnights) Group(ms int64) int {
	if floorDiv(ms-monday, 24*hourMillis)%14 == 2 {
		return 1
	}
	return 0
}

func TestSpecialDaysOfARatioAreLearntApart(t *testing.T) {
	s := &shop{r: rand.New(rand.NewPCG(13, 1)), p: 0.05, perHour: 20000, step: 300_000}
	m := New(fortnights{}, 5*time.Minute, OfRatio(0))
	special, ordinary := map[int64]int{}, 0
	for now := monday; now < monday+84*24*hourMillis; now += s.step {
		keep, day := 1.0, floorDiv(now-monday, 24*hourMillis)
		if day%14 == 2 {
			keep = 0.8
		}
		v, _, _ := m.Step(s.at(now, keep))
		switch out := math.Abs(v.Score) >= 1; {
		case out && day%14 == 2:
			special[day]++
		case out && day > 7:
			ordinary++
		}
	}
	if special[14*4+2] > 0 || special[14*5+2] > 0 || ordinary > 5 {
		t.Errorf("flagged on special days %v, on others %d", special, ordinary)
	}
}

// TestAnythingFiniteStaysFinite: no input makes a score or an edge that is no number.
func TestAnythingFiniteStaysFinite(t *testing.T) {
	for name, row := range map[string]func(i int64) (value, den float64){
		"never":            func(int64) (float64, float64) { return 0, 100 },
		"always":           func(int64) (float64, float64) { return 1, 100 },
		"more than all":    func(i int64) (float64, float64) { return 1.5 + 0.1*float64(i%7), 100 },
		"sometimes more":   func(i int64) (float64, float64) { return 0.5 + float64(i/700%2), 100 },
		"negative":         func(i int64) (float64, float64) { return -float64(i%5) / 10, 50 },
		"nobody":           func(int64) (float64, float64) { return 0, 0 },
		"negative traffic": func(int64) (float64, float64) { return 0.5, -3 },
		"huge":             func(i int64) (float64, float64) { return 1e300 * float64(i%3), 1e300 },
		"large":            func(i int64) (float64, float64) { return 1e30 * float64(i%3-1), 1e30 },
		"tiny":             func(i int64) (float64, float64) { return 1e-300 * float64(i%3), 1e-300 },
		"small":            func(i int64) (float64, float64) { return 1e-30 * float64(i%3), 1e-29 },
		"mixed": func(i int64) (float64, float64) {
			return math.Pow(10, float64(i%61-30)), math.Pow(10, float64(i%59-29))
		},
		"not a number": func(i int64) (float64, float64) { return 0.1, []float64{math.NaN(), math.Inf(1), 100}[i%3] },
		"one row":      func(i int64) (float64, float64) { return 0.1, 100 * max(0, float64(1-i)) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newRatio(300_000)
			flagged := 0
			for i := range int64(21 * 24 * 12) {
				p := series.Point{T: monday + i*300_000}
				p.Value, p.Denominator = row(i)
				v, _, _ := m.Step(p)
				if math.IsNaN(v.Score) || math.IsInf(v.Score, 0) || v.Known && !(v.Lower <= v.Upper && v.Upper-v.Lower < math.Inf(1)) || v.expected && math.IsNaN(v.Center) {
					t.Fatalf("row %d: %+v", i, v)
				}
				if math.Abs(v.Score) >= 1 && name != "mixed" && name != "sometimes more" {
					flagged++
				}
			}
			if flagged > 20 {
				t.Errorf("%d rows flagged in a series that never changes", flagged)
			}
			for i := range int64(200) {
				if e := m.Expect(monday + 21*24*hourMillis + i*hourMillis); e.Known && !(e.Lower <= e.Center && e.Center <= e.Upper) {
					t.Fatalf("%+v", e)
				}
			}
		})
	}
}

func TestCountsVaryByTheirMean(t *testing.T) {
	auto, counts := New(utc{}, time.Minute), New(utc{}, time.Minute, OfCounts())
	for i := range int64(21 * 24 * 60) {
		p := series.Point{T: monday + i*60_000, Value: 400 + float64(i%2)} // far steadier than independent events are
		auto.Step(p)
		counts.Step(p)
	}
	at := monday + 21*24*hourMillis
	a, c := auto.Expect(at), counts.Expect(at)
	if c.Center != a.Center || c.limits[Context] < thresholdLow*meanAbsOfNormal*20 || a.limits[Context] > 20 {
		t.Errorf("limits %v and %v", a.limits, c.limits)
	}
}

func BenchmarkStepRatio(b *testing.B) {
	s := shop{r: rand.New(rand.NewPCG(1, 1)), p: 0.02, perHour: 6000, step: 60_000}
	m := newRatio(s.step)
	points := make([]series.Point, 7*24*60)
	for i := range points {
		points[i] = s.at(monday+int64(i)*60_000, 1)
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
