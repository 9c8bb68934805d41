package main

import (
	"fmt"
	"math"
	"time"
)

// ratioSize is the extent of the experiment.
type ratioSize struct {
	series, repeats int // series per repeat, spread evenly over the deciles
	warm, weeks     int // weeks before anything is judged, and in all
}

var (
	ratioFull  = ratioSize{series: 200, repeats: 3, warm: 2, weeks: 8}
	ratioShort = ratioSize{series: 10, repeats: 1, warm: 2, weeks: 5}
)

const (
	ratioPurpose = 0x4a7105
	deciles      = 10
	leastTraffic = 5.0 // visitors per hour
	mostTraffic  = 50_000.0
	dropKeeps    = 0.7 // a drop by 30 %
	dropRows     = 2 * perHour
	dropsFrom    = 4 // weeks
)

// dropRun is one drop and who found it within two hours.
type dropRun struct {
	expected     float64 // conversions per hour, usual then
	found, ideal bool
}

// ratioLine is a decile of traffic.
type ratioLine struct {
	Decile int     `json:"decile"`
	From   float64 `json:"visitors_per_hour_from"`
	To     float64 `json:"visitors_per_hour_to"`
	Weeks  float64 `json:"series_weeks"`
	Alarms float64 `json:"false_alarms_per_series_week"`
	Drops  int     `json:"drops"`
	Found  float64 `json:"found_within_2h"`
	Ideal  float64 `json:"ideal_test_within_2h"`
	IdealA float64 `json:"ideal_test_false_alarms_per_series_week"`
	runs   []dropRun
}

// powerLine is a range of usual conversions per hour at the time of the drop.
type powerLine struct {
	From  float64 `json:"expected_per_hour_from"`
	To    float64 `json:"expected_per_hour_to"`
	Drops int     `json:"drops"`
	Found float64 `json:"found_within_2h"`
	Ideal float64 `json:"ideal_test_within_2h"`
}

type ratioReport struct {
	Size    ratioSize   `json:"-"`
	Deciles []ratioLine `json:"deciles"`
	Power   []powerLine `json:"power"`
}

func runRatios(o options) (finding, error) {
	size := ratioFull
	if o.short {
		size = ratioShort
	}
	return measureRatios(size), nil
}

func measureRatios(size ratioSize) *ratioReport {
	r := &ratioReport{Size: size, Deciles: make([]ratioLine, deciles)}
	parallel(deciles, func(d int) { r.Deciles[d] = size.decile(d) })
	bounds := []float64{0, 2.5, 10, 40, 160, math.Inf(1)}
	for k := range len(bounds) - 1 {
		l := powerLine{From: bounds[k], To: bounds[k+1]}
		for _, d := range r.Deciles {
			for _, run := range d.runs {
				if run.expected >= l.From && run.expected < l.To {
					l.Drops++
					l.Found += one(run.found)
					l.Ideal += one(run.ideal)
				}
			}
		}
		l.Found /= max(1, float64(l.Drops))
		l.Ideal /= max(1, float64(l.Drops))
		if math.IsInf(l.To, 1) {
			l.To = mostTraffic // for JSON
		}
		r.Power = append(r.Power, l)
	}
	return r
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// decile measures one decile: first quiet series, for the price and the ideal test's threshold at that price, then the same
// traffic with drops.
func (size ratioSize) decile(d int) ratioLine {
	traffic := func(q float64) float64 { return leastTraffic * math.Pow(mostTraffic/leastTraffic, q) }
	l := ratioLine{Decile: d + 1, From: traffic(float64(d) / deciles), To: traffic(float64(d+1) / deciles)}
	var ours tally
	var ideal []*track
	var drops []drop
	n := size.series / deciles
	for i := range n * size.repeats {
		rate := traffic((float64(d) + (float64(i%n)+0.5)/float64(n)) / deciles)
		quiet, exact := size.quiet(rate, d, i)
		ours.add(quiet.decided())
		ideal = append(ideal, exact)
		drops = append(drops, size.drops(rate, d, i)...)
	}
	l.Weeks, l.Alarms = ours.weeks, ours.alarmRate()
	var threshold float64
	threshold, l.IdealA = samePrice(ideal, max(l.Alarms, 1/l.Weeks))
	for _, x := range drops {
		run := dropRun{expected: x.expected, found: x.ours >= 1, ideal: x.exact >= threshold}
		l.runs = append(l.runs, run)
		l.Found += one(run.found)
		l.Ideal += one(run.ideal)
	}
	l.Drops = len(drops)
	l.Found /= max(1, float64(l.Drops))
	l.Ideal /= max(1, float64(l.Drops))
	return l
}

// samePrice is the lowest threshold of the ideal test that costs no more false alarms per series-week.
func samePrice(tracks []*track, price float64) (threshold, rate float64) {
	var grid []float64
	for x := idealLeast; x < 15; x += 0.02 {
		grid = append(grid, x)
	}
	s := newSweep(grid, tracks)
	for k := range s.at {
		if rate := s.at[k].alarmRate(); rate <= price {
			return grid[k], rate
		}
	}
	return math.Inf(1), 0
}

// quiet runs the detector and the ideal test over a series without drops.
func (size ratioSize) quiet(rate float64, which ...int) (ours, ideal *track) {
	s := newRatioSeries(rate, seeded(ratioPurpose, which...))
	d := newRatioDetector(time.Duration(fiveMin) * time.Second)
	test := idealTest{p: s.p}
	ours = &track{entry: entry{Resolution: fiveMin}}
	ideal = &track{entry: entry{Resolution: fiveMin}}
	for i := range int64(size.weeks * perWeek) {
		unix := epoch + i*fiveMin
		converted, visitors := s.next(unix, 1)
		v := d.step(ratioPoint(unix, converted, visitors))
		x := test.next(converted, visitors)
		if i < int64(size.warm*perWeek) {
			continue
		}
		ours.push(unix, math.Abs(v.score), v.anomalous(), false)
		ideal.push(unix, math.Abs(x), false, false)
	}
	ours.prepare()
	ideal.prepare()
	return ours, ideal
}

// drop is a drop with the highest scores on its side within its two hours.
type drop struct{ expected, ours, exact float64 }

// drops runs both over a series with a drop of two hours each week from the fifth on.
func (size ratioSize) drops(rate float64, which ...int) []drop {
	s := newRatioSeries(rate, seeded(ratioPurpose+1, which...))
	when := seeded(ratioPurpose+2, which...)
	d := newRatioDetector(time.Duration(fiveMin) * time.Second)
	test := idealTest{p: s.p}
	var out []drop
	for week := range size.weeks {
		begin := int64(-1)
		if week >= dropsFrom {
			begin = when.Int64N(perWeek - 2*dropRows)
			out = append(out, drop{})
		}
		for i := range int64(perWeek) {
			unix := epoch + (int64(week)*perWeek+i)*fiveMin
			keep, inside := 1.0, begin >= 0 && i >= begin && i < begin+dropRows
			if inside {
				keep = dropKeeps
			}
			converted, visitors := s.next(unix, keep)
			v := d.step(ratioPoint(unix, converted, visitors))
			x := test.next(converted, visitors)
			if inside {
				now := &out[len(out)-1]
				now.expected += s.expected(unix) / dropRows
				now.ours, now.exact = max(now.ours, -v.score), max(now.exact, -x)
			}
		}
	}
	return out
}

func (r *ratioReport) tables() []table {
	t := table{
		title: fmt.Sprintf("Ratios: %d × %d series, p = %.0f %%, %d weeks; drops by 30 %% for two hours", r.Size.series, r.Size.repeats, 100*conversion, r.Size.weeks),
		head: []string{
			"decile", "visitors / h", "false alarms / series-week", "drops", "found within 2 h", "ideal test", "share of its power", "its false alarms",
		},
		note: "Ideal test: exact binomial over the last two hours, the usual p known, its threshold set to cost as many false alarms (at least one in all).",
	}
	for _, l := range r.Deciles {
		t.row(l.Decile, fmt.Sprintf("%.0f–%.0f", l.From, l.To), l.Alarms, l.Drops, l.Found, l.Ideal, share(l.Found, l.Ideal), l.IdealA)
	}
	p := table{
		title: "Ratios: power by conversions usual at the time of the drop",
		head:  []string{"conversions / h", "drops", "found within 2 h", "ideal test", "share of its power"},
	}
	for _, l := range r.Power {
		p.row(fmt.Sprintf("%g–%g", l.From, l.To), l.Drops, l.Found, l.Ideal, share(l.Found, l.Ideal))
	}
	return []table{t, p}
}

func share(a, b float64) string {
	if b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
}
