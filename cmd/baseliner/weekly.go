package main

import (
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/report"
	"github.com/baseliner/baseliner/pkg/series"
)

// weekly reports on the week that relations were last learnt of.
func (r reporter) weekly() (*report.Document, error) {
	l := r.relations.Latest()
	if l == nil {
		return nil, errNotLearnt
	}
	in := report.WeeklyInput{To: l.Zone.Local(l.Family.End * hourMillis)}
	for _, s := range l.Family.Studies {
		in.Relations = append(in.Relations, relationInput(l, s))
	}
	for _, s := range r.status() {
		in.Signals = append(in.Signals, signalWeek(&s))
	}
	return report.NewWeekly(in).Document(), nil
}

func signalWeek(s *pipeline.SignalStatus) report.SignalWeek {
	w := report.SignalWeek{
		Name: s.Def.Name, Layer: s.Def.Layer.String(), Alarms: report.Number(s.Figures.EpisodesPerWeek), Budget: report.Number(s.Figures.Budget),
		Coverage: report.Number(s.Figures.Coverage), Series: len(s.Series), Error: s.Error,
	}
	for i := range s.Series {
		one := &s.Series[i]
		switch {
		case one.Phase == detect.Firing:
			w.Firing++
		case one.Verdict.Missing != series.Observed && !one.Verdict.Missing.Ours():
			w.Missing++
		case !one.Verdict.Known:
			w.Learning++
		}
	}
	return w
}
