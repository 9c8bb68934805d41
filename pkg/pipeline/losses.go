package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/cost"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	// lossLevel is the probability that the interval of a loss holds the truth.
	lossLevel = 0.9
	// lossHistory is how far back is read to see how wrong the baseline usually is.
	lossHistory = 28 * 24 * time.Hour
	// maxLosses bounds what is summed up at one tick, and lossesOfAlerts what of that single alerts take: each reads four
	// weeks of a series, and the alerts of the tick wait for it. What finds no room is told without its cost.
	maxLosses      = 20
	lossesOfAlerts = 10
)

// Loss is what a deviation of a series took, in units of the signal.
type Loss struct {
	cost.Loss
	Unit    string        // what is counted; empty when the signal does not say
	More    bool          // bad news is more, not less: what is lost is what came too much
	Bounded bool          // the interval is known
	Money   *signal.Money // what one unit is worth; nil when nobody said
}

// costly tells whether a signal's deviations are counted: it is the business's, or somebody said what a unit is worth.
func costly(d *signal.Definition) bool {
	_, _, ok := d.Amount()
	return ok && (d.Layer == series.Business || d.ValuePerUnit != nil)
}

// lossNow is loss as long as fewer than most were summed up at this tick.
func (in *Instance) lossNow(ctx context.Context, s *Signal, sr *Series, from, to int64, most int) (l Loss, ok bool) {
	if sr == nil || !costly(&s.Def) || in.summed >= most {
		return l, false
	}
	in.summed++
	return in.loss(ctx, s, sr, from, to)
}

// loss sums up what a series lost in [from, to], from what was recorded. What is recorded later changes nothing.
func (in *Instance) loss(ctx context.Context, s *Signal, sr *Series, from, to int64) (l Loss, ok bool) {
	if sr == nil || !costly(&s.Def) || to < from {
		return l, false
	}
	weight, unit, _ := s.Def.Amount()
	history, window, err := in.amounts(ctx, s, sr, from, to, weight)
	if err != nil {
		in.o.Logger.Warn("cost is not known: what was recorded cannot be read", "signal", s.Def.Name, "err", err)
		return l, false
	}
	l = Loss{Unit: unit, More: s.Def.Direction == series.Up, Money: s.Def.ValuePerUnit}
	l.Loss, err = cost.Estimate(history, window, lossLevel)
	l.Bounded = !errors.Is(err, cost.ErrHistory) && !math.IsInf(l.High, 0) && !math.IsInf(l.Low, 0)
	if l.More {
		l.Lost, l.Low, l.High = -l.Lost, -l.High, -l.Low
	}
	return l, l.Rows > 0
}

// amounts reads what was expected and what came, at every tick of a series: of the incident, and of the weeks before.
func (in *Instance) amounts(ctx context.Context, s *Signal, sr *Series, from, to int64, weight float64) (history, window []cost.Row, err error) {
	step := s.Def.Interval.Milliseconds()
	from, to = (from+step-1)/step*step, to/step*step
	first := max(from-lossHistory.Milliseconds(), 0) / step * step
	rows := make([]cost.Row, (to-first)/step+1)
	for i := range rows {
		rows[i] = cost.Row{Expected: math.NaN(), Actual: math.NaN()}
	}
	put := func(expected, actual, denominator []tsdb.Sample) {
		each := func(samples []tsdb.Sample, f func(row int, v float64)) {
			for _, x := range samples {
				if i := (x.T - first) / step; x.T%step == 0 && i >= 0 && i < int64(len(rows)) {
					f(int(i), x.V)
				}
			}
		}
		each(expected, func(i int, v float64) { rows[i].Expected = weight * v })
		each(actual, func(i int, v float64) { rows[i].Actual = weight * v })
		if s.Def.Ratio == nil {
			return
		}
		den := map[int]float64{}
		each(denominator, func(i int, v float64) { den[i] = v })
		each(actual, func(i int, _ float64) {
			d, ok := den[i]
			if !ok { // as in history of before denominators were kept
				d = math.NaN()
			}
			rows[i].Expected *= d
			rows[i].Actual *= d
		})
	}
	oldest, ok := in.o.Live.Oldest()
	if !ok {
		return nil, nil, fmt.Errorf("nothing is recorded")
	}
	if in.o.History != nil && first < oldest {
		expected, actual, denominator, err := in.remembered(ctx, s, sr, first, min(oldest, from)-1, step)
		if err != nil {
			return nil, nil, err
		}
		put(expected, actual, denominator)
	}
	var live [3][]tsdb.Sample
	for i, metric := range [...]string{metricExpected, metricValue, metricDenominator} {
		if live[i], err = in.read(ctx, in.o.Live, s, sr, metric, max(first, oldest), to); err != nil {
			return nil, nil, err
		}
	}
	put(live[0], live[1], live[2])
	at := (from - first) / step
	return rows[:at], rows[at:], nil
}

// remembered reads the history store: every value, and between two of the hourly expectations what a line says.
func (in *Instance) remembered(ctx context.Context, s *Signal, sr *Series, from, to, step int64) (expected, actual, denominator []tsdb.Sample, err error) {
	if actual, err = in.read(ctx, in.o.History, s, sr, metricValue, from, to); err != nil {
		return nil, nil, nil, err
	}
	if s.Def.Ratio != nil {
		if denominator, err = in.read(ctx, in.o.History, s, sr, metricDenominator, from, to); err != nil {
			return nil, nil, nil, err
		}
	}
	hourly, err := in.read(ctx, in.o.History, s, sr, metricExpected, from, to)
	for i := 1; i < len(hourly); i++ {
		a, b := hourly[i-1], hourly[i]
		if b.T-a.T > hourMillis {
			continue // an hour is missing between them
		}
		for t := (a.T + step - 1) / step * step; t < b.T; t += step {
			expected = append(expected, tsdb.Sample{T: t, V: a.V + (b.V-a.V)*float64(t-a.T)/float64(b.T-a.T)})
		}
	}
	return expected, actual, denominator, err
}

func (in *Instance) read(ctx context.Context, store storage.Queryable, s *Signal, sr *Series, metric string, from, to int64) ([]tsdb.Sample, error) {
	if to < from {
		return nil, nil
	}
	ls := tsdb.ToPrometheus(sr.Labels, model.MetricNameLabel, metric, "signal", s.Def.Name, "layer", s.Def.Layer.String())
	return tsdb.Read(ctx, store, from, to, ls)
}

// String tells a loss as people do: how many fewer than expected, from how many to how many, and what that is worth.
func (l Loss) String() string {
	what := "fewer"
	lost, low, high := l.Lost, l.Low, l.High
	switch {
	case l.More && lost >= 0, !l.More && lost < 0:
		what = "more"
		if !l.More {
			lost, low, high = -lost, -high, -low
		}
	case l.More:
		lost, low, high = -lost, -high, -low
	}
	count := func(v float64) string { return signal.Format(math.Round(v), l.Unit) }
	text := fmt.Sprintf("about %s %s than expected", count(lost), what)
	if l.Unit == "seconds" || l.Unit == "bytes" {
		text = fmt.Sprintf("about %s %s than expected", signal.Format(lost, l.Unit), what)
	}
	if l.Bounded {
		text += fmt.Sprintf(" (%s to %s, 90 %%)", signal.Format(math.Round(low), ""), signal.Format(math.Round(high), ""))
	}
	if l.Money != nil {
		worth := func(v float64) string { return signal.Format(math.Round(v*l.Money.Amount), "") }
		text += fmt.Sprintf(", worth %s %s", worth(lost), l.Money.Currency)
		if l.Bounded {
			text += fmt.Sprintf(" (%s to %s)", worth(low), worth(high))
		}
	}
	return text
}
