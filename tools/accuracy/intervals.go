package main

import (
	"errors"
	"fmt"
	"math"

	"github.com/baseliner/baseliner/pkg/correlate"
)

const intervalsPurpose = 0x1a7e57

// coverLine is how often an interval holds the truth.
type coverLine struct {
	Name  string  `json:"what"`
	Runs  int     `json:"runs"`
	Held  float64 `json:"cover"`
	Width float64 `json:"mean_width_percent"`
	Low   float64 `json:"at_least"`
	High  float64 `json:"at_most"`
}

type intervalsReport struct {
	Lines []coverLine `json:"lines"`
}

// cover counts one interval.
type cover struct {
	runs, held int
	width      float64
}

func (c *cover) add(low, high, truth float64) {
	c.runs++
	c.width += correlate.Percent(high) - correlate.Percent(low)
	if low <= truth && truth <= high {
		c.held++
	}
}

func (c *cover) line(name string, low, high float64) coverLine {
	n := math.Max(float64(c.runs), 1)
	return coverLine{Name: name, Runs: c.runs, Held: float64(c.held) / n, Width: c.width / n, Low: low, High: high}
}

func sumCovers(of []cover) (sum cover) {
	for _, c := range of {
		sum.runs, sum.held, sum.width = sum.runs+c.runs, sum.held+c.held, sum.width+c.width
	}
	return sum
}

func runIntervals(o options) (finding, error) {
	runs, families := 2000, 200
	if o.short {
		runs, families = 60, 4
	}
	out := &intervalsReport{}
	crowded, four, eight := usualShop, usualShop, usualShop
	crowded.crowding, four.weeks, eight.weeks = 0.2, 4, 8
	for i, s := range []struct {
		name string
		shop shopWeeks
		coef float64
	}{
		{"six weeks, −10 % per 100 ms", usualShop, minusTenPercent},
		{"four weeks, −10 %", four, minusTenPercent},
		{"eight weeks, −5 %", eight, math.Log(0.95)},
		{"confounded by traffic, −10 %", crowded, minusTenPercent},
	} {
		c := afterChoice(i, runs, s.shop, s.coef)
		out.Lines = append(out.Lines, c.line("after the choice of the lag: "+s.name, 0.925, 0.97))
	}
	plain, chosen := shownOnly(families)
	out.Lines = append(out.Lines,
		plain.line("of what is shown, slopes 0 to −8 %, not allowing for the choice", 0, 1),
		chosen.line("of what is shown, slopes 0 to −8 %, selection-adjusted", 0.92, 1))
	total, equal := bothLines(runs)
	out.Lines = append(out.Lines,
		total.line("slowness keeps visits away too: total", 0.925, 0.97),
		equal.line("slowness keeps visits away too: at equal traffic", 0.925, 0.97))
	var errs []error
	for _, l := range out.Lines {
		if !o.short && (l.Held < l.Low || l.Held > l.High) {
			errs = append(errs, fmt.Errorf("%s: %.3f, want %.3f to %.3f", l.Name, l.Held, l.Low, l.High))
		}
	}
	return out, errors.Join(errs...)
}

// afterChoice looks at the interval at the lag that the data chose, shown or not.
func afterChoice(purpose, runs int, shop shopWeeks, coef float64) cover {
	covers := make([]cover, runs)
	parallel(runs, func(i int) {
		in := shop.play(seeded(intervalsPurpose, purpose, i), []slope{{coef, i % 4}}, nil)
		p := tried(in)
		covers[i].add(p.Effect.Low, p.Effect.High, coef)
	})
	return sumCovers(covers)
}

func tried(in correlate.Input) correlate.Pair {
	s, err := correlate.Try(in, correlate.Options{})
	if err != nil {
		panic(err) // generated: it cannot fail
	}
	return s.Pairs[0]
}

// shownOnly looks at what a reader sees: half of the pairs are unrelated, the others weak enough that luck decides.
func shownOnly(families int) (plain, chosen cover) {
	plains, chosens := make([]cover, families), make([]cover, families)
	parallel(families, func(family int) {
		const pairs = 50
		coefs := make([]float64, pairs)
		var studies []*correlate.Study
		for i := range coefs {
			r := seeded(intervalsPurpose, 100, family, i)
			if i%2 == 1 {
				coefs[i] = math.Log(1 - 0.08*r.Float64())
			}
			s, err := correlate.Try(usualShop.play(r, []slope{{coefs[i], i / 2 % 4}}, nil), correlate.Options{})
			if err != nil {
				panic(err)
			}
			studies = append(studies, s)
		}
		for i, s := range correlate.Decide(studies, correlate.Options{}).Studies {
			if p := s.Pairs[0]; p.Shown {
				plains[family].add(p.Effect.Low, p.Effect.High, coefs[i])
				chosens[family].add(p.ChosenLow, p.ChosenHigh, coefs[i])
			}
		}
	})
	return sumCovers(plains), sumCovers(chosens)
}

// bothLines looks at a shop whose visitors leave because it is slow, and those who stay buy less.
func bothLines(runs int) (total, equal cover) {
	shop := usualShop
	shop.turnedAway = math.Log(0.94)
	totals, equals := make([]cover, runs), make([]cover, runs)
	parallel(runs, func(i int) {
		in := shop.play(seeded(intervalsPurpose, 200, i), []slope{{minusTenPercent, i % 4}}, nil)
		s, err := correlate.Try(in, correlate.Options{})
		if err != nil {
			panic(err)
		}
		p := correlate.Decide([]*correlate.Study{s}, correlate.Options{}).Studies[0].Pairs[0]
		if !p.Shown {
			return // counted below as what it is: not shown, so that no line is printed
		}
		totals[i].add(p.Total.Low, p.Total.High, minusTenPercent+shop.turnedAway)
		equals[i].add(p.Effect.Low, p.Effect.High, minusTenPercent)
	})
	return sumCovers(totals), sumCovers(equals)
}

func (r *intervalsReport) tables() []table {
	t := table{title: "Intervals of effects", head: []string{"95 % intervals", "intervals", "hold the truth", "width, points per 100 ms"}}
	for _, l := range r.Lines {
		t.row(l.Name, l.Runs, l.Held, fmt.Sprintf("%.1f", l.Width))
	}
	return []table{t}
}
