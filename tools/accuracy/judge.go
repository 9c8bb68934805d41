package main

import (
	"errors"
	"fmt"
	"time"
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

func (j *judged) tables() []table {
	var out []table
	for _, f := range j.Sets {
		if f.Events > 0 {
			out = append(out, f.summary())
		}
		if len(f.Kinds) > 0 && f.Events > 0 {
			out = append(out, f.kindTable())
		}
		if len(f.Families) > 0 {
			out = append(out, f.familyTable())
		}
		if len(f.PerSeries) > 0 {
			out = append(out, lineTable(f.Set+": by series", f.PerSeries))
		}
	}
	return out
}

func (f *figures) summary() table {
	t := table{
		title: fmt.Sprintf("%s: %d series, %d events, %.0f series-weeks", f.Set, f.Series, f.Events, f.Weeks),
		head: []string{
			"detector", "event F1", "macro ± SE", "P", "R", "R with late", "delay", "false alarms / series-week", "median series",
			"DL-PA F1", "best event F1*", "R@0.5*", "R@1*", "R@3*", "best DL-PA F1*", "VUS-PR",
		},
	}
	t.row("**baseliner**", f.F1, fmt.Sprintf("%.3f ± %.3f", f.MacroF1, f.MacroSE), f.Precision, f.Recall, f.LateRecall,
		(time.Duration(f.Delay) * time.Second).String(), f.Alarms, f.Median, f.DelayF1,
		f.BestF1, f.RecallHalf, f.RecallOne, f.RecallThree, f.BestDelayF1, f.VUSPR)
	return t
}

func (f *figures) kindTable() table {
	t := table{
		title: f.Set + ": recall by kind of anomaly",
		head:  []string{"kind", "planted", "at the default", "at ≤ 1 false alarm / series-week"},
		note:  fmt.Sprintf("One global threshold for that: %.3f × the default.", f.ThresholdAt),
	}
	for _, k := range f.Kinds {
		t.row(k.Kind, k.Injected, k.Decided, k.Recall)
	}
	return t
}

func (f *figures) familyTable() table {
	t := table{
		title: fmt.Sprintf("%s: %d series without a labelled event, %.0f series-weeks", f.Set, f.Series, f.Weeks),
		head:  []string{"kind", "series", "false alarms / series-week"},
	}
	t.row("all, pooled", f.Series, f.Alarms)
	t.row("all, mean over series", f.Series, f.Mean)
	for _, l := range f.Families {
		t.row(l.Name, l.Series, l.Alarms)
	}
	return t
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
