package main

import (
	"slices"
	"strings"
)

// line is what a part of a set finds and costs at the product's own decision.
type line struct {
	Name   string  `json:"name"`
	Series int     `json:"series"`
	Events int     `json:"events"`
	Found  int     `json:"found"`
	Late   int     `json:"late"`
	Alarms float64 `json:"false_alarms_per_series_week"`
	F1     float64 `json:"event_f1"`
}

func newLine(name string, n int, c tally) line {
	return line{Name: name, Series: n, Events: c.events, Found: c.found, Late: c.late, Alarms: c.alarmRate(), F1: c.f1()}
}

// perSeries are the lines of the series, in the order of the manifest.
func (f *figures) perSeries() []line {
	out := make([]line, len(f.tracks))
	for i, t := range f.tracks {
		out[i] = newLine(t.Name, 1, f.decisions[i])
	}
	return out
}

// families are the lines of series that are named alike up to a number at the end, in the order of the manifest.
func (f *figures) families() []line {
	var names []string
	sums, n := map[string]tally{}, map[string]int{}
	for i, t := range f.tracks {
		name := family(t.Name)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		sum := sums[name]
		sum.add(f.decisions[i])
		sums[name] = sum
		n[name]++
	}
	out := make([]line, len(names))
	for i, name := range names {
		out[i] = newLine(name, n[name], sums[name])
	}
	return out
}

func family(name string) string {
	if base := strings.TrimRight(name, "0123456789"); base != name && strings.HasSuffix(base, "_") {
		return strings.TrimSuffix(base, "_")
	}
	return name
}

// kind is the recall of one kind of injection at the global threshold that costs at most one false alarm per series-week.
type kind struct {
	Kind     string  `json:"kind"`
	Injected int     `json:"injected"`
	Found    int     `json:"found"`
	Recall   float64 `json:"recall"`
	Decided  float64 `json:"recall_at_the_default"`
}

// kinds are the recalls by kind of injection, in alphabetical order. An injection is found by the rule for events.
func (f *figures) kinds() []kind {
	sums := map[string]*kind{}
	for _, t := range f.tracks {
		for _, in := range t.Injections {
			first, end := t.rowAt(in.Start), t.rowAt(in.End+1)
			end = min(end, first+delayRows+1)
			if first == end || in.Start < t.time[0] {
				continue // not judged
			}
			k := sums[in.Kind]
			if k == nil {
				k = &kind{Kind: in.Kind}
				sums[in.Kind] = k
			}
			k.Injected++
			if slices.Max(t.score[first:end]) >= f.ThresholdAt {
				k.Found++
			}
			if slices.Contains(t.flag[first:end], true) {
				k.Decided++
			}
		}
	}
	var out []kind
	for _, k := range sums {
		k.Recall = ratio(k.Found, k.Injected)
		k.Decided /= float64(k.Injected)
		out = append(out, *k)
	}
	slices.SortFunc(out, func(a, b kind) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}
