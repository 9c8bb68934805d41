package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/baseliner/baseliner/pkg/incident"
)

// ranker orders the series of a case, best first.
type ranker struct {
	name  string
	graph bool // it is given the service graph where there is one
	order func(*incident.Ranking) []incident.Cause
}

// rankers are the product and what it is held against: its parts, and their product in the form in which it was published.
var rankers = []ranker{
	{"**baseliner**", false, func(r *incident.Ranking) []incident.Cause { return r.Causes }},
	{"**baseliner, with the service graph**", true, func(r *incident.Ranking) []incident.Cause { return r.Causes }},
	{"shift × co-movement, ln(1 + z) · (0.3 + 0.7 r)", false, by(func(z, r float64) float64 { return math.Log1p(z) * (0.3 + 0.7*r) })},
	{"shift alone", false, by(func(z, _ float64) float64 { return z })},
	{"co-movement alone", false, by(func(_, r float64) float64 { return r })},
}

func by(score func(z, r float64) float64) func(*incident.Ranking) []incident.Cause {
	return func(r *incident.Ranking) []incident.Cause {
		of := func(c incident.Cause) float64 { return score(math.Abs(c.Shift), math.Abs(c.CoMovement)) }
		out := slices.Clone(r.Causes)
		slices.SortFunc(out, func(a, b incident.Cause) int {
			return cmp.Or(cmp.Compare(of(b), of(a)), cmp.Compare(a.Series.Name, b.Series.Name))
		})
		return out
	}
}

// recalls are the shares of a set's incidents whose root cause stands among the first.
type recalls struct {
	Set       string  `json:"set"`
	Incidents int     `json:"incidents"`
	Top1      float64 `json:"top_1"`
	Top3      float64 `json:"top_3"`
	Avg5      float64 `json:"avg_5"` // mean of the recalls at 1 to 5
}

// rankedBy are the recalls of one ranker; the last is the mean over the sets.
type rankedBy struct {
	Ranker string    `json:"ranker"`
	Sets   []recalls `json:"sets"`
}

// quietWindows are windows of a run in which nothing was injected, as if each were an incident.
type quietWindows struct {
	Scenario string `json:"scenario"`
	Outcome  string `json:"outcome"`
	Windows  int    `json:"windows"`
	Moved    int    `json:"outcome_moved"` // the outcome itself was further than three scales from its level
	Strong   int    `json:"strong"`        // and something explains it strongly
}

type causesReport struct {
	Rankers []rankedBy     `json:"rankers"`
	Quiet   []quietWindows `json:"quiet_windows"`
}

// runCauses has nothing to say of a folder without index.json when everything is measured.
func runCauses(o options) (finding, error) {
	cases, err := openIncidents(o.data)
	if errors.Is(err, fs.ErrNotExist) && o.all {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if o.set != "" {
		cases = slices.DeleteFunc(cases, func(c *knownIncident) bool { return c.Dataset != o.set })
	}
	r := &causesReport{}
	ranks := make([][]int, len(cases))
	errs := make([]error, len(cases))
	parallel(len(cases), func(i int) {
		ranks[i], errs[i] = cases[i].ranks()
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for k, ranker := range rankers {
		r.Rankers = append(r.Rankers, rankedBy{Ranker: ranker.name, Sets: recall(cases, func(i int) int { return ranks[i][k] })})
	}
	r.Quiet, err = measureQuiet(cases)
	return r, err
}

// ranks tells where each ranker puts the first root cause, counting services; 0 is nowhere.
func (c *knownIncident) ranks() (out []int, err error) {
	plain, err := incident.Rank(c.toExplain.Deseason())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.ID, err)
	}
	withGraph := plain
	if c.graph != nil {
		known := *c.toExplain
		known.Graph = c.graph
		if withGraph, err = incident.Rank(known.Deseason()); err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
	}
	for _, r := range rankers {
		ranking := plain
		if r.graph {
			ranking = withGraph
		}
		out = append(out, c.rank(r.order(ranking)))
	}
	return out, nil
}

// rank counts the candidates before the first root cause.
func (c *knownIncident) rank(causes []incident.Cause) int {
	var seen []string
	for _, cause := range causes {
		s := cause.Series.Service
		if !slices.Contains(c.Candidates, s) || slices.Contains(seen, s) {
			continue
		}
		seen = append(seen, s)
		if slices.Contains(c.Roots, s) {
			return len(seen)
		}
	}
	return 0
}

func recall(cases []*knownIncident, rank func(i int) int) []recalls {
	var sets []recalls
	for i, c := range cases {
		k := slices.IndexFunc(sets, func(r recalls) bool { return r.Set == c.Dataset })
		if k < 0 {
			k, sets = len(sets), append(sets, recalls{Set: c.Dataset})
		}
		s := &sets[k]
		s.Incidents++
		if n := rank(i); n > 0 {
			for at := 1; at <= 5; at++ {
				if n <= at {
					s.Avg5 += 0.2
				}
			}
			if n <= 3 {
				s.Top3++
			}
			if n == 1 {
				s.Top1++
			}
		}
	}
	mean := recalls{Set: "mean"}
	for i := range sets {
		s, n := &sets[i], float64(sets[i].Incidents)
		s.Top1, s.Top3, s.Avg5 = s.Top1/n, s.Top3/n, s.Avg5/n
		of := float64(len(sets))
		mean.Incidents += s.Incidents
		mean.Top1, mean.Top3, mean.Avg5 = mean.Top1+s.Top1/of, mean.Top3+s.Top3/of, mean.Avg5+s.Avg5/of
	}
	return append(sets, mean)
}

// quietRows are how many rows an incident lasts that is none.
const quietRows = 3

// measureQuiet takes every three rows of the long normal runs for an incident, with all others as normal.
func measureQuiet(cases []*knownIncident) (out []quietWindows, err error) {
	seen := map[string]bool{}
	for _, c := range cases {
		for _, outcome := range c.Target {
			key := c.Scenario + "\n" + outcome
			if c.normal == nil || len(c.normal.Times) < 100*quietRows || seen[key] {
				continue
			}
			seen[key] = true
			q := quietWindows{Scenario: c.Scenario, Outcome: outcome}
			n := len(c.normal.Times) / quietRows
			rankings := make([]*incident.Ranking, n)
			errs := make([]error, n)
			parallel(n, func(i int) {
				quiet := caseOf(c.normal, []string{outcome})
				quiet.From, quiet.Until = c.normal.Times[i*quietRows], c.normal.Times[i*quietRows+quietRows-1]
				rankings[i], errs[i] = incident.Rank(quiet)
			})
			if err := errors.Join(errs...); err != nil {
				return nil, err
			}
			for _, r := range rankings {
				q.Windows++
				if r.OutcomeMoved() {
					q.Moved++
				}
				if slices.ContainsFunc(r.Causes, func(c incident.Cause) bool { return c.Label == incident.Strong }) {
					q.Strong++
				}
			}
			out = append(out, q)
		}
	}
	return out, nil
}

func (r *causesReport) tables() []table {
	t := table{title: "Causes", head: []string{"ranked by"}}
	for _, s := range r.Rankers[0].Sets {
		of := s.Set
		if s.Set != "mean" {
			of = fmt.Sprintf("%s (%d)", s.Set, s.Incidents)
		}
		t.head = append(t.head, of+": top 1", "top 3", "Avg@5")
	}
	for _, by := range r.Rankers {
		cells := []any{by.Ranker}
		for _, s := range by.Sets {
			cells = append(cells, s.Top1, s.Top3, s.Avg5)
		}
		t.row(cells...)
	}
	q := table{
		title: "Causes: windows of three rows in which nothing was injected",
		head:  []string{"run", "outcome", "windows", "outcome moved > 3", "and something is strong", "share of windows"},
	}
	sum := quietWindows{}
	for _, w := range r.Quiet {
		q.row(w.Scenario, strings.ReplaceAll(w.Outcome, "|", " "), w.Windows, w.Moved, w.Strong, ratio(w.Strong, w.Windows))
		sum.Windows, sum.Moved, sum.Strong = sum.Windows+w.Windows, sum.Moved+w.Moved, sum.Strong+w.Strong
	}
	if len(r.Quiet) == 0 {
		return []table{t}
	}
	q.row("all", "", sum.Windows, sum.Moved, sum.Strong, ratio(sum.Strong, sum.Windows))
	return []table{t, q}
}

func readJSONFile(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}
