package main

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/correlate"
)

const (
	relationsPurpose = 0x5e1a7e
	rawLags          = 6 // as the method beside it tries
)

func driverName(i int) string { return fmt.Sprintf("driver_%d", i) }

// kin is a kind of families: what is drawn, and what has to come of it.
type kin struct {
	name     string
	families int // of the full form; the short one has a tenth
	// draw returns the studies' inputs of one family, and the true slope of each pair, by outcome and driver.
	draw func(which int) (inputs []correlate.Input, truth []map[string]slope)
	fdr  float64 // at most
	// power of pairs, or of findings where only these are told apart; 0 is only stated.
	power    float64
	noGradeA bool // among what is unrelated, or all
	findings bool // what is counted are findings: one is true if a true driver is among what it holds
}

// pairs are families of pairs that share nothing: each has its own outcome.
func pairs(purpose int, shop, confounded shopWeeks, nulls, trues int) func(int) ([]correlate.Input, []map[string]slope) {
	return func(which int) (inputs []correlate.Input, truth []map[string]slope) {
		for i := range nulls + trues {
			r := seeded(relationsPurpose, purpose, which, i)
			s, sl := shop, slope{}
			if i < nulls {
				s = confounded
			} else {
				sl = slope{minusTenPercent, i % 4}
			}
			in := s.play(r, []slope{sl}, nil)
			in.Outcome.Name = fmt.Sprintf("orders_%d", i)
			inputs = append(inputs, in)
			truth = append(truth, map[string]slope{})
			if i >= nulls {
				truth[i][driverName(0)] = sl
			}
		}
		return inputs, truth
	}
}

// wide is one outcome and many drivers, of which the first of some groups are true.
func wide(purpose int, shop shopWeeks, load groupsOf) func(int) ([]correlate.Input, []map[string]slope) {
	return func(which int) ([]correlate.Input, []map[string]slope) {
		r := seeded(relationsPurpose, purpose, which)
		truth := map[string]slope{}
		var slopes []slope
		for g, size := range load.sizes {
			for i := range size {
				s := slope{}
				if i == 0 && g < load.trues {
					s = slope{minusTenPercent, g % 4}
					truth[driverName(len(slopes))] = s
				}
				slopes = append(slopes, s)
			}
		}
		return []correlate.Input{shop.play(r, slopes, groups(0.8, load.sizes...))}, []map[string]slope{truth}
	}
}

// groupsOf are the sizes of groups of drivers that correlate by .8; the first driver of the first groups is true.
type groupsOf struct {
	sizes []int
	trues int
}

// kins are the kinds of families; in the short form wide ones have a fifth of the drivers.
func kins(short bool) []kin {
	crowded, struck, slowed := usualShop, usualShop, usualShop
	crowded.crowding = 0.2
	struck.incident = outage{hours: 6, slow: 0.3, keep: 0.4}
	slowed.incident = outage{hours: 24, slow: 0.1, keep: 0.8}
	each, unrelated := 50, 495
	if short {
		each, unrelated = 10, 95
	}
	tens := slices.Repeat([]int{each}, 10)
	return []kin{
		{
			name: "40 unrelated + 10 true", families: 40, fdr: 0.07, power: 0.9,
			draw: pairs(1, usualShop, usualShop, 40, 10),
		},
		{
			name: "10 confounded by traffic + 10 confounded and true", families: 40, fdr: 0.07, power: 0.8, noGradeA: true,
			draw: pairs(2, crowded, crowded, 10, 10),
		},
		{
			name: fmt.Sprintf("one outcome, %d unrelated that correlate .8 + 5 true", unrelated), families: 40, fdr: 0.07,
			draw: wide(3, usualShop, groupsOf{sizes: []int{1, 1, 1, 1, 1, unrelated}, trues: 5}),
		},
		{
			name: fmt.Sprintf("one outcome, ten groups of %d that correlate .8, 5 with a true one", each), families: 40, fdr: 0.07, findings: true,
			draw: wide(4, usualShop, groupsOf{sizes: tens, trues: 5}),
		},
		{
			name: "40 unrelated, one incident of all: six hours, −60 %, +300 ms", families: 40, fdr: 0.07, noGradeA: true,
			draw: pairs(5, struck, struck, 40, 0),
		},
		{
			name: "40 unrelated, one incident of all: a day, −20 %, +100 ms", families: 40, fdr: 0.07, noGradeA: true,
			draw: pairs(6, slowed, slowed, 40, 0),
		},
	}
}

// kinLine is what came of a kind of families.
type kinLine struct {
	Name       string  `json:"families"`
	Families   int     `json:"n"`
	FDR        float64 `json:"false_discovery_rate"` // mean share of false ones among what is shown
	FDRError   float64 `json:"standard_error"`
	Power      float64 `json:"power"`   // share of the true ones that are shown
	Reliable   float64 `json:"grade_a"` // share of the true ones with grade A
	LagRight   float64 `json:"lag_within_one_hour"`
	WrongSign  int     `json:"wrong_sign"`
	FalseA     int     `json:"unrelated_with_grade_a"`
	PearsonFDR float64 `json:"raw_pearson_false_discovery_rate"`
	Shown      int     `json:"shown"`
	Covered    float64 `json:"chosen_intervals_cover"` // of what is shown, with the interval that allows for the choice
	hasTrue    bool
	wanted     kin
}

type relationsReport struct {
	Lines []kinLine `json:"lines"`
}

// familyCount is what came of one family.
type familyCount struct {
	shown, wrong, trues, found, reliable, lags, signs, falseA, covered int
	rawShown, rawWrong                                                 int
}

func runRelations(o options) (finding, error) {
	out := &relationsReport{}
	var errs []error
	for _, k := range kins(o.short) {
		n := k.families
		if o.short {
			n = max(n/20, 2)
		}
		first := o.seed * 1000 // families of other seeds are others
		counts := make([]familyCount, n)
		parallel(n, func(i int) { counts[i] = k.judge(first + i) })
		l := k.line(counts)
		out.Lines = append(out.Lines, l)
		errs = append(errs, l.failures(o.short)...)
	}
	return out, errors.Join(errs...)
}

// judge evaluates one family twice, as the product does.
func (k kin) judge(which int) (c familyCount) {
	inputs, truth := k.draw(which)
	now, err := evaluateTwice(inputs)
	if err != nil {
		panic(fmt.Sprintf("%s, family %d: %v", k.name, which, err)) // generated: it cannot fail
	}
	raw := rawPearson(inputs)
	for i, s := range now.Studies {
		c.trues += len(truth[i])
		if k.findings {
			c.countFindings(s, truth[i])
		} else {
			c.countPairs(s, truth[i])
		}
		for _, d := range raw[i] {
			c.rawShown++
			if _, ok := truth[i][d]; !ok {
				c.rawWrong++
			}
		}
	}
	return c
}

func (c *familyCount) countPairs(s *correlate.Study, truth map[string]slope) {
	for i := range s.Pairs {
		p := &s.Pairs[i]
		if !p.Shown {
			continue
		}
		sl, ok := truth[p.Driver]
		c.count(p, sl, ok)
	}
}

func (c *familyCount) count(p *correlate.Pair, sl slope, ok bool) {
	c.shown++
	if p.ChosenLow <= sl.coef && sl.coef <= p.ChosenHigh {
		c.covered++
	}
	a := p.Grade == correlate.Reliable
	if !ok {
		c.wrong++
		if a {
			c.falseA++
		}
		return
	}
	c.found++
	if a {
		c.reliable++
	}
	if d := p.Lag - sl.lag; d >= -1 && d <= 1 {
		c.lags++
	}
	if p.Effect.Coef*sl.coef < 0 {
		c.signs++
	}
}

// countFindings counts a finding as true where it holds a true driver.
func (c *familyCount) countFindings(s *correlate.Study, truth map[string]slope) {
	for _, leader := range s.Findings() {
		sl, ok := truth[leader.Driver]
		for _, p := range s.Following(leader.Driver) {
			if t, is := truth[p.Driver]; is && !ok {
				sl, ok = t, true
			}
		}
		c.count(leader, sl, ok)
	}
}

// evaluateTwice evaluates all inputs as one family, and once more without their last week.
func evaluateTwice(inputs []correlate.Input) (*correlate.Family, error) {
	now, _, err := correlate.EvaluateTwice(inputs, correlate.Options{})
	return now, err
}

// rawPearson is what a correlation of the series as they are calls significant, by the same false discovery rate: what must not be
// shipped.
func rawPearson(inputs []correlate.Input) [][]string {
	type test struct {
		input  int
		driver string
		p      float64
	}
	var tests []test
	for i, in := range inputs {
		for _, d := range in.Drivers {
			tests = append(tests, test{i, d.Name, correlate.RawPearsonP(d.Values, in.Outcome.Values, rawLags)})
		}
	}
	ps := make([]float64, len(tests))
	for i, t := range tests {
		ps[i] = t.p
	}
	limit := benjaminiHochberg(ps, 0.05)
	out := make([][]string, len(inputs))
	for _, t := range tests {
		if t.p <= limit {
			out[t.input] = append(out[t.input], t.driver)
		}
	}
	return out
}

func (k kin) line(counts []familyCount) kinLine {
	l := kinLine{Name: k.name, Families: len(counts), wanted: k}
	var shares []float64
	var sum familyCount
	for _, c := range counts {
		shares = append(shares, float64(c.wrong)/math.Max(float64(c.shown), 1))
		l.PearsonFDR += float64(c.rawWrong) / math.Max(float64(c.rawShown), 1) / float64(len(counts))
		sum.shown += c.shown
		sum.trues += c.trues
		sum.found += c.found
		sum.reliable += c.reliable
		sum.lags += c.lags
		sum.covered += c.covered
		l.WrongSign += c.signs
		l.FalseA += c.falseA
	}
	mean, sd := moments(shares)
	l.FDR, l.FDRError = mean, sd/math.Sqrt(float64(len(shares)))
	l.Shown, l.hasTrue = sum.shown, sum.trues > 0
	l.Power = float64(sum.found) / math.Max(float64(sum.trues), 1)
	l.Reliable = float64(sum.reliable) / math.Max(float64(sum.trues), 1)
	l.LagRight = float64(sum.lags) / math.Max(float64(sum.found), 1)
	l.Covered = float64(sum.covered) / math.Max(float64(sum.shown), 1)
	return l
}

// failures says what is not as it has to be. The short form has too few families for rates: it looks at what never may be.
func (l *kinLine) failures(short bool) (errs []error) {
	fail := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", l.Name, fmt.Sprintf(format, args...)))
		}
	}
	fail(l.WrongSign == 0, "%d have the wrong sign", l.WrongSign)
	fail(!l.wanted.noGradeA || l.FalseA == 0, "%d unrelated ones have grade A", l.FalseA)
	fail(!l.hasTrue || l.LagRight >= 0.95, "lag within one hour in %.3f", l.LagRight)
	if short {
		return errs
	}
	fail(l.FDR <= l.wanted.fdr, "false discovery rate %.3f", l.FDR)
	fail(l.Power >= l.wanted.power, "power %.3f", l.Power)
	return errs
}

func (r *relationsReport) tables() []table {
	t := table{
		title: "Relations: false discoveries and power in the same families",
		head: []string{
			"families, six weeks of hours", "n", "false discoveries", "± SE", "power at −10 % per 100 ms", "with grade A", "lag within 1 h",
			"wrong sign", "unrelated with grade A", "raw Pearson's false discoveries",
		},
	}
	for _, l := range r.Lines {
		power, a, lag := "–", "–", "–"
		if l.hasTrue {
			power, a, lag = fmt.Sprintf("%.3f", l.Power), fmt.Sprintf("%.3f", l.Reliable), fmt.Sprintf("%.3f", l.LagRight)
		}
		t.row(l.Name, l.Families, l.FDR, l.FDRError, power, a, lag, l.WrongSign, l.FalseA, l.PearsonFDR)
	}
	return []table{t}
}
