package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// budgetSize is the extent of the simulation of a team.
type budgetSize struct{ series, weeks, seeds int }

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
	Weeks   [][]int `json:"alarms"` // by seed and week
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
	weeks := make([][][]int, len(budgets))
	for seed := range size.seeds {
		counts := simulateTeam(size, seed, kinds)
		for b := range budgets {
			weeks[b] = append(weeks[b], counts[b])
		}
	}
	for b, budget := range budgets {
		r.Lines = append(r.Lines, newBudgetLine(budget, weeks[b]))
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
	scores   []float64 // of the day
}

// simulateTeam runs a team through its weeks, a day at a time, and counts its alarms by budget and week. Nothing is kept
// but the scores of the day. The detectors do not know the budget, so that all budgets see the same scores.
func simulateTeam(size budgetSize, seed int, kinds []int) [][]int {
	team := make([]*member, size.series)
	for i := range team {
		team[i] = &member{
			values:   newNullSeries(nullKind(i%int(nullKinds)), seeded(budgetPurpose, seed, i)),
			detector: newDetector(time.Duration(fiveMin) * time.Second),
			scores:   make([]float64, perDay),
		}
	}
	books := make([]*book, len(budgets))
	for b, budget := range budgets {
		books[b] = newBook(newController(budget, size.series, time.Duration(fiveMin)*time.Second), size)
	}
	factor := newSharedFactor(rand.New(rand.NewPCG(budgetPurpose, uint64(seed))))
	shared := make([]float64, perDay)
	row := make([]float64, size.series)
	for day := range 7 * size.weeks {
		for k := range shared {
			shared[k] = factor.next()
		}
		begin := epoch + int64(day)*86400
		parallel(len(team), func(i int) { team[i].day(begin, shared) })
		for k := range perDay {
			for i, m := range team {
				row[i] = m.scores[k]
			}
			for _, b := range books {
				b.tick(begin+int64(k)*fiveMin, day/7, row)
			}
		}
	}
	out := make([][]int, len(books))
	for b := range books {
		out[b] = books[b].weeks
	}
	for i, n := range books[len(books)-1].bySeries {
		kinds[i%int(nullKinds)] += n
	}
	return out
}

func (m *member) day(begin int64, shared []float64) {
	for k := range m.scores {
		t := begin + int64(k)*fiveMin
		m.scores[k] = m.detector.step(series.Point{T: t * 1000, Value: m.values.next(t, shared[k])}).score
	}
}

// book counts what a controller tells: rows of one series at most 15 minutes apart are one alarm.
type book struct {
	control  controller
	told     []bool
	last     []int64 // by series
	weeks    []int   // alarms
	bySeries []int
}

func newBook(c controller, size budgetSize) *book {
	return &book{
		control: c, told: make([]bool, size.series), last: make([]int64, size.series),
		weeks: make([]int, size.weeks), bySeries: make([]int, size.series),
	}
}

func (b *book) tick(unix int64, week int, scores []float64) {
	b.control.tick(unix*1000, scores, b.told)
	for i, told := range b.told {
		if !told {
			continue
		}
		if unix-b.last[i] > alarmGap(fiveMin) {
			b.weeks[week]++
			b.bySeries[i]++
		}
		b.last[i] = unix
	}
}

func (r *budgetReport) tables() []table {
	t := table{
		title: fmt.Sprintf("Budget: %d quiet series of one team, %d weeks, %d seeds", r.Size.series, r.Size.weeks, r.Size.seeds),
		head: []string{
			"budget / week", "mean / budget", "weeks ≤ 1.6 × budget", "mean / budget, from week 5", "weeks ≤ 1.6 × budget, from week 5", "worst week",
		},
	}
	for _, l := range r.Lines {
		t.row(fmt.Sprintf("%.0f", l.Budget), l.Mean/l.Budget, l.Kept, l.Settled/l.Budget, l.KeptToo, l.Worst)
	}
	k := table{title: fmt.Sprintf("Budget: alarms by kind of series, at %.0f a week", budgets[len(budgets)-1]), head: []string{"kind", "alarms / series-week"}}
	for _, l := range r.ByKind {
		k.row(l.Kind, l.Total)
	}
	return []table{t, k}
}
