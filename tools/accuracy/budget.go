package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// budgetSize is the extent of the simulation of a team.
type budgetSize struct {
	series, weeks, seeds int
	first                int // seed
}

var (
	budgetFull  = budgetSize{series: 1000, weeks: 12, seeds: 5}
	budgetShort = budgetSize{series: 24, weeks: 3, seeds: 1}
	budgets     = []float64{5, 50, 500} // alarms a week of the whole team
)

const (
	budgetPurpose = 0xb0d6e7
	learningWeeks = 4 // weeks after which figures are told separately
)

// budgetLine is what one budget came to.
type budgetLine struct {
	Budget  float64 `json:"budget_per_week"`
	Mean    float64 `json:"mean_per_week"`
	Kept    float64 `json:"share_of_weeks_within_1.6"`
	Settled float64 `json:"mean_per_week_after_4_weeks"`
	KeptToo float64 `json:"share_of_weeks_within_1.6_after_4_weeks"`
	Worst   int     `json:"worst_week"`
	Weeks   [][]int `json:"alarms"`        // by seed and week: those that page
	Told    float64 `json:"told_per_week"` // those that do not page, too
}

type budgetReport struct {
	Size   budgetSize   `json:"-"`
	Lines  []budgetLine `json:"lines"`
	ByKind []kindRate   `json:"by_kind"` // at the largest budget
}

type kindRate struct {
	Kind  string  `json:"kind"`
	Total float64 `json:"alarms_per_series_week"`
}

func runBudget(o options) (finding, error) {
	size := budgetFull
	if o.short {
		size = budgetShort
	}
	return simulateBudgets(size), nil
}

func simulateBudgets(size budgetSize) *budgetReport {
	r := &budgetReport{Size: size}
	kinds := make([]int, nullKinds)
	weeks, told := make([][][]int, len(budgets)), make([]int, len(budgets))
	for seed := range size.seeds {
		for b, book := range simulateTeam(size, size.first+seed, kinds) {
			weeks[b] = append(weeks[b], book.weeks)
			for _, n := range book.told {
				told[b] += n
			}
		}
	}
	for b, budget := range budgets {
		l := newBudgetLine(budget, weeks[b])
		l.Told = float64(told[b]) / float64(size.weeks*size.seeds)
		r.Lines = append(r.Lines, l)
	}
	for k := range nullKinds {
		n := 0
		for i := range size.series {
			if nullKind(i%int(nullKinds)) == k {
				n++
			}
		}
		r.ByKind = append(r.ByKind, kindRate{k.String(), float64(kinds[k]) / float64(n*size.weeks*size.seeds)})
	}
	return r
}

func newBudgetLine(budget float64, weeks [][]int) budgetLine {
	l := budgetLine{Budget: budget, Weeks: weeks}
	within := func(from int) (mean, kept float64) {
		n := 0
		for _, w := range weeks {
			for _, alarms := range w[min(from, len(w)):] {
				n++
				mean += float64(alarms)
				if float64(alarms) <= 1.6*budget {
					kept++
				}
			}
		}
		return mean / max(1, float64(n)), kept / max(1, float64(n))
	}
	l.Mean, l.Kept = within(0)
	l.Settled, l.KeptToo = within(learningWeeks)
	for _, w := range weeks {
		l.Worst = max(l.Worst, slices.Max(w))
	}
	return l
}

// member is one series of the team.
type member struct {
	values   *nullSeries
	detector *detector
	rows     []row // of the day
}

// row is what a controller needs of a verdict.
type row struct {
	score, excess float64
	known         bool
}

// simulateTeam runs a team through its weeks, a day at a time, and counts its alarms by budget and week. Nothing is kept
// but the scores of the day. The detectors do not know the budget, so that all budgets see the same scores.
func simulateTeam(size budgetSize, seed int, kinds []int) []*book {
	team := make([]*member, size.series)
	for i := range team {
		team[i] = &member{
			values:   newNullSeries(nullKind(i%int(nullKinds)), seeded(budgetPurpose, seed, i)),
			detector: newDetector(time.Duration(fiveMin) * time.Second),
			rows:     make([]row, perDay),
		}
	}
	books := make([]*book, len(budgets))
	for b, budget := range budgets {
		books[b] = newBook(newController(budget, size.series, time.Duration(fiveMin)*time.Second), size)
	}
	factor := newSharedFactor(rand.New(rand.NewPCG(budgetPurpose, uint64(seed))))
	shared := make([]float64, perDay)
	rows := make([]row, size.series)
	for day := range 7 * size.weeks {
		for k := range shared {
			shared[k] = factor.next()
		}
		begin := epoch + int64(day)*86400
		parallel(len(team), func(i int) { team[i].day(begin, shared) })
		for k := range perDay {
			for i, m := range team {
				rows[i] = m.rows[k]
			}
			for _, b := range books {
				b.tick(begin+int64(k)*fiveMin, day/7, rows)
			}
		}
	}
	for i, n := range books[len(books)-1].bySeries {
		kinds[i%int(nullKinds)] += n
	}
	return books
}

func (m *member) day(begin int64, shared []float64) {
	for k := range m.rows {
		t := begin + int64(k)*fiveMin
		v := m.detector.step(series.Point{T: t * 1000, Value: m.values.next(t, shared[k])})
		m.rows[k] = row{v.score, v.excess, v.known}
	}
}

// book counts the alarms that a controller begins.
type book struct {
	control  *controller
	weeks    []int // alarms that page
	told     []int // all
	bySeries []int // all
}

func newBook(c *controller, size budgetSize) *book {
	return &book{control: c, weeks: make([]int, size.weeks), told: make([]int, size.weeks), bySeries: make([]int, size.series)}
}

func (b *book) tick(unix int64, week int, rows []row) {
	b.control.tick(unix*1000, rows, func(i int, pages bool) {
		b.told[week]++
		b.bySeries[i]++
		if pages {
			b.weeks[week]++
		}
	})
}

func (r *budgetReport) tables() []table {
	t := table{
		title: fmt.Sprintf("Budget: %d quiet series of one team, %d weeks, %d seeds", r.Size.series, r.Size.weeks, r.Size.seeds),
		head: []string{
			"budget / week", "mean / budget", "weeks ≤ 1.6 × budget", "mean / budget, from week 5", "weeks ≤ 1.6 × budget, from week 5", "worst week",
			"told without paging / budget",
		},
	}
	for _, l := range r.Lines {
		t.row(fmt.Sprintf("%.0f", l.Budget), l.Mean/l.Budget, l.Kept, l.Settled/l.Budget, l.KeptToo, l.Worst, (l.Told-l.Mean)/l.Budget)
	}
	k := table{title: fmt.Sprintf("Budget: alarms by kind of series, at %.0f a week", budgets[len(budgets)-1]), head: []string{"kind", "alarms / series-week"}}
	for _, l := range r.ByKind {
		k.row(l.Kind, l.Total)
	}
	return []table{t, k}
}
