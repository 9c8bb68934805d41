package main

import (
	"math"
	"slices"
)

// figures are what the protocol says of a set.
type figures struct {
	Set        string  `json:"set"`
	Series     int     `json:"series"`
	Events     int     `json:"events"`
	Weeks      float64 `json:"series_weeks"`
	F1         float64 `json:"event_f1"`
	MacroF1    float64 `json:"event_f1_macro"`    // mean over the series with events
	MacroSE    float64 `json:"event_f1_macro_se"` // its standard error over series
	Precision  float64 `json:"precision"`
	Recall     float64 `json:"recall"`
	LateRecall float64 `json:"recall_with_late"`
	Alarms     float64 `json:"false_alarms_per_series_week"`
	Median     float64 `json:"false_alarms_per_week_median_series"`
	Mean       float64 `json:"false_alarms_per_week_mean_series"`
	Delay      float64 `json:"median_delay_s"`
	DelayF1    float64 `json:"dlpa_f1"`
	// At the best global threshold, which is chosen on the labels, or at a bounded price, or without any threshold.
	BestF1      float64 `json:"best_event_f1"`
	RecallHalf  float64 `json:"recall_at_half_false_alarm_per_week"`
	RecallOne   float64 `json:"recall_at_1_false_alarm_per_week"`
	RecallThree float64 `json:"recall_at_3_false_alarms_per_week"`
	ThresholdAt float64 `json:"threshold_at_1_false_alarm_per_week"`
	BestDelayF1 float64 `json:"best_dlpa_f1"`
	VUSPR       float64 `json:"vus_pr"`
	Families    []line  `json:"families,omitempty"`
	PerSeries   []line  `json:"per_series,omitempty"`
	Kinds       []kind  `json:"kinds,omitempty"`
	tracks      []*track
	decisions   []tally // by series
}

// A threshold that flags more than this share of the rows is no operating point.
const mostFlagged = 0.05

// judge gives the figures of a set's series.
func judge(set string, tracks []*track) *figures {
	f := &figures{Set: set, Series: len(tracks), tracks: tracks, decisions: make([]tally, len(tracks))}
	vus := make([]float64, len(tracks))
	parallel(len(tracks), func(i int) {
		f.decisions[i] = tracks[i].decided()
		vus[i] = tracks[i].vusPR()
	})
	f.decide(vus)
	f.sweep(newSweep(thresholdGrid(tracks), tracks))
	return f
}

func (f *figures) decide(vus []float64) {
	var all tally
	var each, rates, volumes []float64
	for i := range f.tracks {
		d := f.decisions[i]
		all.add(d)
		rates = append(rates, d.alarmRate())
		if d.events > 0 {
			each = append(each, d.f1())
			volumes = append(volumes, vus[i])
		}
	}
	f.Events, f.Weeks = all.events, all.weeks
	f.F1, f.Precision, f.Recall = all.f1(), all.precision(), all.recall()
	f.LateRecall = ratio(all.found+all.late, all.events)
	f.Alarms, f.DelayF1 = all.alarmRate(), all.delayF1()
	f.MacroF1, f.MacroSE = meanSE(each)
	f.VUSPR, _ = meanSE(volumes)
	f.Mean, _ = meanSE(rates)
	slices.Sort(rates)
	f.Median = rates[len(rates)/2]
	if len(all.delays) > 0 {
		slices.Sort(all.delays)
		f.Delay = float64(all.delays[len(all.delays)/2])
	}
}

func (f *figures) sweep(s *sweep) {
	rows := 0
	for _, t := range f.tracks {
		rows += len(t.time)
	}
	best := -1.0
	for k := range s.at {
		c := &s.at[k]
		f.BestDelayF1 = max(f.BestDelayF1, c.delayF1())
		if float64(c.flagged) > mostFlagged*float64(rows) {
			continue
		}
		f.BestF1 = max(f.BestF1, c.f1())
		rate, recall := c.alarmRate(), c.recall()
		if rate <= 0.5 {
			f.RecallHalf = max(f.RecallHalf, recall)
		}
		if rate <= 1 && recall > best {
			best = recall
			f.RecallOne, f.ThresholdAt = recall, s.grid[k]
		}
		if rate <= 3 {
			f.RecallThree = max(f.RecallThree, recall)
		}
	}
}

// meanSE returns the mean and its standard error over the values.
func meanSE(x []float64) (mean, se float64) {
	if len(x) == 0 {
		return 0, 0
	}
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		se += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(se) / float64(len(x))
}
