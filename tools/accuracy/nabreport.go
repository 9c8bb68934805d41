package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
)

const nabSet = "nab"

// nabLine are the scores of one detector under the three profiles.
type nabLine struct {
	Detector  string     `json:"detector"`
	Standard  nabScore   `json:"standard"`
	LowFP     nabScore   `json:"reward_low_fp_rate"`
	LowFN     nabScore   `json:"reward_low_fn_rate"`
	Published [3]float64 `json:"published,omitzero"`
}

// nabReport is the appendix.
type nabReport struct {
	Files   int       `json:"files"`
	Windows int       `json:"windows"`
	Lines   []nabLine `json:"lines"`
}

func runNAB(o options) (finding, error) {
	data, err := openDataset(o.data)
	if err != nil {
		return nil, err
	}
	entries := data.of(nabSet)
	switch {
	case len(entries) == 0 && o.all:
		return &nabReport{}, nil // the folder holds other sets
	case len(entries) == 0:
		return nil, fmt.Errorf("the manifest has no set %q, only %q", nabSet, data.sets())
	}
	corpus := make([]*nabFile, len(entries))
	ours := make([][]float64, len(entries))
	gaussian := make([][]float64, len(entries))
	errs := make([]error, len(entries))
	parallel(len(entries), func(i int) {
		rows, err := data.rows(entries[i])
		if err != nil {
			errs[i] = err
			return
		}
		corpus[i] = newNABFile(entries[i], rows)
		d := newDetector(stepOf(rows))
		values := make([]float64, len(rows))
		for k := range rows {
			values[k] = rows[k].Value
			ours[i] = append(ours[i], math.Abs(d.step(rows[k].Point).score))
		}
		gaussian[i] = make([]float64, len(rows))
		windowedGaussian(values, gaussian[i])
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r := &nabReport{Files: len(corpus), Windows: windows(corpus)}
	with := func(scores [][]float64) {
		for i, f := range corpus {
			copy(f.score, scores[i])
		}
	}
	score := func(name string, published ...float64) {
		l := nabLine{
			Detector: name, Standard: nabProfiles[0].score(corpus),
			LowFP: nabProfiles[1].score(corpus), LowFN: nabProfiles[2].score(corpus),
		}
		copy(l.Published[:], published)
		r.Lines = append(r.Lines, l)
	}
	with(ours)
	score("baseliner, one row per alarm")
	if o.alarmFile != "" {
		if err := writeAlarms(o.alarmFile, corpus, r.Lines[0].Standard.Threshold); err != nil {
			return nil, err
		}
	}
	for _, f := range corpus {
		f.gap = -1
	}
	score("baseliner, every flagged row")
	each := func(do func(*nabFile)) {
		for _, f := range corpus {
			do(f)
		}
	}
	with(gaussian)
	score("control: windowed Gaussian, re-implemented", 39.6, 20.9, 47.4)
	each(noise(1))
	score("control: noise", 11.0, 1.2, 19.5)
	each(tellNothing)
	score("control: nothing told", 0, 0, 0)
	each(tellAll)
	score("control: perfect", 100, 100, 100)
	return r, nil
}

// writeAlarms writes every alarm at the threshold as a row, outside probation.
func writeAlarms(path string, corpus []*nabFile, threshold float64) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write alarms: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "file,timestamp,score")
	for _, f := range corpus {
		for i, fl := range f.flags() {
			if i >= f.from && fl.above < threshold && threshold <= fl.upTo {
				fmt.Fprintf(w, "%s,%d,%g\n", f.name, f.time[i], f.score[i])
			}
		}
	}
	return w.Flush()
}

func (r *nabReport) tables() []table {
	if r.Files == 0 {
		return nil
	}
	t := table{
		title: fmt.Sprintf("Numenta Anomaly Benchmark (%d files, %d windows)", r.Files, r.Windows),
		head: []string{
			"detector", "standard", "reward low FP", "reward low FN", "threshold (standard)", "standard at the default threshold", "published",
		},
		note: "Threshold optimised over the corpus for each profile, as on NAB's leaderboard.",
	}
	for _, l := range r.Lines {
		published := "–"
		if l.Published != [3]float64{} {
			published = fmt.Sprintf("%.1f / %.1f / %.1f", l.Published[0], l.Published[1], l.Published[2])
		}
		cell := func(x float64) string { return fmt.Sprintf("%.1f", x) }
		threshold := "–"
		if l.Standard.Threshold > 0 {
			threshold = fmt.Sprintf("%.3f", l.Standard.Threshold)
		}
		t.row(l.Detector, cell(l.Standard.Score), cell(l.LowFP.Score), cell(l.LowFN.Score), threshold, cell(l.Standard.Default), published)
	}
	return []table{t}
}
