package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/ingest/csv"
	"github.com/baseliner/baseliner/pkg/series"
)

// unrelatedReport is what is found between New York's taxis of 2014 and mentions on Twitter of 2015, aligned on Mondays: real
// weeks with real rhythms that cannot have to do with each other.
type unrelatedReport struct {
	Pairs          int `json:"pairs"`
	PearsonBelow5  int `json:"raw_pearson_p_below_5_percent"`
	PearsonFound   int `json:"raw_pearson_discoveries"`
	RelationBelow5 int `json:"p_below_5_percent"`
	RelationFound  int `json:"shown"`
	GradeA         int `json:"grade_a"`
}

func runUnrelated(o options) (finding, error) {
	taxi, err := csv.ReadFile(o.taxi)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(o.data, "nab", "*Twitter_volume*.csv*"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no file nab/*Twitter_volume*.csv in %s", o.data)
	}
	const weeks = 6
	rides := hourly("rides", taxi)
	out := &unrelatedReport{}
	var inputs []correlate.Input
	for _, path := range paths {
		rows, err := csv.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".csv")
		tweets := hourly(name, rows)
		for from := 0; from+weeks*hourOfWeek <= len(rides.Values); from += 2 * hourOfWeek {
			in := correlate.Input{Frame: &correlate.Frame{Slots: make([]int16, weeks*hourOfWeek)}}
			for t := range in.Frame.Slots {
				in.Frame.Slots[t] = int16(t % hourOfWeek)
			}
			in.Outcome = rides.Part(from, from+weeks*hourOfWeek)
			in.Outcome.Name = fmt.Sprintf("rides from week %d beside %s", from/hourOfWeek, name)
			if len(tweets.Values) < weeks*hourOfWeek {
				return nil, fmt.Errorf("%s: %d hours from its first Monday on, want %d", path, len(tweets.Values), weeks*hourOfWeek)
			}
			in.Drivers = []*correlate.Series{tweets.Part(0, weeks*hourOfWeek)}
			inputs = append(inputs, in)
		}
	}
	out.Pairs = len(inputs)
	out.count(inputs)
	if share := float64(out.RelationBelow5) / float64(out.Pairs); share > 0.05 {
		return out, fmt.Errorf("%.3f of unrelated pairs have p < 0.05", share)
	}
	return out, nil
}

func (r *unrelatedReport) count(inputs []correlate.Input) {
	for _, in := range inputs {
		if correlate.RawPearsonP(in.Drivers[0].Values, in.Outcome.Values, rawLags) < 0.05 {
			r.PearsonBelow5++
		}
	}
	for _, found := range rawPearson(inputs) {
		r.PearsonFound += len(found)
	}
	f, err := evaluateTwice(inputs)
	if err != nil {
		panic(err) // both series were looked at
	}
	for _, s := range f.Studies {
		p := &s.Pairs[0]
		if p.P < 0.05 {
			r.RelationBelow5++
		}
		if p.Shown {
			r.RelationFound++
		}
		if p.Grade == correlate.Reliable {
			r.GradeA++
		}
	}
}

// hourly sums up rows by the hour, from the first Monday 00:00 UTC; hours without rows are missing.
func hourly(name string, rows []csv.Row) *correlate.Series {
	first := (rows[0].T/1000 - epoch + 100*52*7*86400) / (7 * 86400) // weeks since a Monday long ago, rounded up below
	monday := epoch - 100*52*7*86400 + first*7*86400
	if monday < rows[0].T/1000 {
		monday += 7 * 86400
	}
	hours := int((rows[len(rows)-1].T/1000-monday)/3600) + 1
	s := &correlate.Series{Name: name, Layer: series.Business, Kind: correlate.Count, Values: make([]float64, max(hours, 0))}
	for i := range s.Values {
		s.Values[i] = math.NaN()
	}
	for _, row := range rows {
		if row.Missing != series.Observed || row.T/1000 < monday {
			continue
		}
		h := (row.T/1000 - monday) / 3600
		if s.Values[h] != s.Values[h] {
			s.Values[h] = 0
		}
		s.Values[h] += row.Value
	}
	return s
}

func (r *unrelatedReport) tables() []table {
	t := table{
		title: "Real series that have nothing to do with each other: taxi rides and Twitter mentions",
		head:  []string{"method", "pairs", "p < 0.05", "shown at 5 % false discoveries", "grade A"},
	}
	t.row("raw Pearson", r.Pairs, portion(r.PearsonBelow5, r.Pairs), portion(r.PearsonFound, r.Pairs), "–")
	t.row("**relations**", r.Pairs, portion(r.RelationBelow5, r.Pairs), portion(r.RelationFound, r.Pairs), portion(r.GradeA, r.Pairs))
	return []table{t}
}

func portion(n, of int) string { return fmt.Sprintf("%.3f", float64(n)/math.Max(float64(of), 1)) }
