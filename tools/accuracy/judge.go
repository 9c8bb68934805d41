package main

import (
	"errors"
	"fmt"
)

// judged are the figures of the sets of a folder.
type judged struct {
	Sets []*figures `json:"sets"`
}

func runJudge(o options) (finding, error) {
	data, err := openDataset(o.data)
	if err != nil {
		return nil, err
	}
	out := &judged{}
	for _, set := range data.sets() {
		if o.set != "" && o.set != set {
			continue
		}
		tracks, err := data.replay(set)
		if err != nil {
			return nil, err
		}
		f := judge(set, tracks)
		if o.kinds {
			f.Kinds = f.kinds()
		}
		if o.series {
			f.PerSeries = f.perSeries()
		}
		if f.Events == 0 {
			f.Families = f.families()
		}
		out.Sets = append(out.Sets, f)
	}
	if len(out.Sets) == 0 {
		return nil, fmt.Errorf("set %q is not in the manifest, which has %q", o.set, data.sets())
	}
	return out, nil
}

// replay runs the detector over every series of a set.
func (d *dataset) replay(set string) ([]*track, error) {
	entries := d.of(set)
	tracks := make([]*track, len(entries))
	errs := make([]error, len(entries))
	parallel(len(entries), func(i int) {
		rows, err := d.rows(entries[i])
		if err != nil {
			errs[i] = err
			return
		}
		tracks[i] = replay(entries[i], rows)
	})
	return tracks, errors.Join(errs...)
}

const falseAlarmCell = 10 // of the table of sets; the median follows

func (j *judged) tables() []table {
	sum := table{
		title: "Labelled sets",
		head: []string{
			"set", "series", "events", "series-weeks", "event F1", "macro ± SE", "P", "R", "R with late", "delay",
			"false alarms / series-week", "median series", "DL-PA F1", "best event F1*", "R@0.5*", "R@1*", "R@3*", "best DL-PA F1*", "VUS-PR",
		},
		note: "`*`: at a threshold chosen on the labels.",
	}
	for _, f := range j.Sets {
		cells := []any{f.Set, f.Series, f.Events, fmt.Sprintf("%.0f", f.Weeks), f.F1, fmt.Sprintf("%.3f ± %.3f", f.MacroF1, f.MacroSE),
			f.Precision, f.Recall, f.LateRecall, fmt.Sprintf("%.0f s", f.Delay), f.Alarms, f.Median, f.DelayF1,
			f.BestF1, f.RecallHalf, f.RecallOne, f.RecallThree, f.BestDelayF1, f.VUSPR}
		if f.Events == 0 { // nothing to find: only the price counts
			for i := range cells {
				if i > 3 && i != falseAlarmCell && i != falseAlarmCell+1 {
					cells[i] = "–"
				}
			}
		}
		sum.row(cells...)
	}
	out := []table{sum}
	for _, f := range j.Sets {
		if len(f.Kinds) > 0 {
			t := table{
				title: f.Set + ": recall by kind of injection",
				head:  []string{"kind", "injected", "recall at the default", "recall at ≤ 1 false alarm / series-week"},
				note:  fmt.Sprintf("One global threshold: %.3f × the default.", f.ThresholdAt),
			}
			for _, k := range f.Kinds {
				t.row(k.Kind, k.Injected, k.Decided, k.Recall)
			}
			out = append(out, t)
		}
		if len(f.Families) > 0 {
			t := lineTable(f.Set+": by family", f.Families)
			t.note = fmt.Sprintf("Mean over the series: %.3f false alarms a week.", f.Mean)
			out = append(out, t)
		}
		if len(f.PerSeries) > 0 {
			out = append(out, lineTable(f.Set+": by series", f.PerSeries))
		}
	}
	return out
}

func lineTable(title string, lines []line) table {
	t := table{title: title, head: []string{"name", "series", "events", "found", "late", "false alarms / series-week", "event F1"}}
	for _, l := range lines {
		if l.Events == 0 {
			t.row(l.Name, l.Series, l.Events, "–", "–", l.Alarms, "–")
			continue
		}
		t.row(l.Name, l.Series, l.Events, l.Found, l.Late, l.Alarms, l.F1)
	}
	return t
}
