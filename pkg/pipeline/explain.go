package pipeline

import (
	"context"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	// maxExplained bounds the series of one answer.
	maxExplained = 100
	// warmUp is how many points are stepped before the one that is explained: what came before them weighs 2^-55 in the
	// slowest average of the recent course. With fewer than enough of them the explanation is approximate.
	warmUp = 1100
	enough = 400
)

// Explain says what was decided on every series of a signal that the selector matches, at the last tick not after at
// (unix milliseconds): the models are folded from the history that was known then and stepped through the recorded
// points. It is safe to call at any time.
func (in *Instance) Explain(ctx context.Context, name, match string, at int64) ([]*detect.Explanation, error) {
	about, err := parseMatch(match)
	if err != nil {
		return nil, &InvalidError{err}
	}
	type asked struct {
		labels series.Labels
		id     state.SeriesID
		hours  int
	}
	in.mu.RLock()
	s := in.core.byName[name]
	var all []asked
	var budget, pooled detect.Budget
	if s != nil {
		budget, pooled = s.budget, s.team.budget
		for _, sr := range s.series {
			if about(s.Label(sr)) {
				all = append(all, asked{sr.Labels, sr.ID, sr.model.Hours()})
			}
		}
	}
	last, f, silenced := in.last, in.core.forgotten, in.core.silenced
	in.mu.RUnlock()
	switch {
	case s == nil:
		return nil, invalid("no such signal: %s", name)
	case len(all) == 0:
		return nil, invalid("no series of %s matches %s", name, match)
	case len(all) > maxExplained:
		return nil, invalid("%d series of %s match, at most %d are explained at once: narrow the selector", len(all), name, maxExplained)
	}
	at = min(at, last)
	out := make([]*detect.Explanation, 0, len(all))
	for _, a := range all {
		core := &Core{silenced: silenced, forgotten: f}
		// A signal of its own: what is shared with the living one never changes.
		alone := &Signal{Def: s.Def, Zone: s.Zone, core: core, identity: s.identity, rule: s.rule, byKey: map[string]*Series{}, shape: s.shape, lacks: map[int64]float64{}}
		alone.budget, alone.team = budget, &team{name: s.team.name, budget: pooled} // at the exponents of now
		r := &rebuild{in: in, core: core, signal: alone, series: alone.add(a.labels), at: at, hoursNow: a.hours}
		e, err := r.explain(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// rebuild brings one series to an instant of the past.
type rebuild struct {
	in       *Instance
	core     *Core
	signal   *Signal
	series   *Series
	at       int64
	hoursNow int // of history in the living model

	notes       []string
	approximate bool
}

func (r *rebuild) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *rebuild) explain(ctx context.Context) (*detect.Explanation, error) {
	points, err := r.points(ctx)
	if err != nil {
		return nil, fmt.Errorf("read recorded points of %s: %w", r.signal.Def.Name, err)
	}
	if len(points) == 0 {
		return nil, invalid("nothing is recorded of %s%s at or before %s", r.signal.Def.Name, r.series.Labels, clockText(r.at))
	}
	last := len(points) - 1
	r.core.forgotten = r.core.forgotten.before(points[last].T)
	if gap := r.at - points[last].T; gap > 2*r.signal.Def.Interval.Milliseconds() {
		r.note("no tick was recorded for %s before the instant asked for: the last one before is explained", span(gap))
	}
	history, err := r.history()
	if err != nil {
		return nil, err
	}
	begins := points[0].T
	since := r.restarts(begins)
	for i := range points {
		p := &points[i]
		for len(since) > 0 && p.T > since[0] { // its course began anew when something was unlearned
			r.series.model.Restart()
			since = since[1:]
		}
		hour := r.signal.modelTime(p.T) / hourMillis
		if i == 0 || hour != r.signal.modelTime(points[i-1].T)/hourMillis {
			// Hours are as history has them: they were judged with a longer memory than ours.
			r.series.model.Open = baseline.OpenHour{}
			for len(history) > 0 && int64(history[0].Hour) < hour {
				r.series.model.Fold(&history[0])
				history = history[1:]
			}
		}
		if i < last {
			r.signal.stepSeries(r.series, *p, &Output{})
		}
	}
	e := r.decide(points[last])
	if e.After.Phase != detect.Inactive.String() && e.After.StartsAt <= begins+2*r.signal.Def.Interval.Milliseconds() {
		r.note("the anomaly may have begun before %s, where the recording that was read begins", clockText(begins))
	}
	e.Approximate, e.Notes = r.approximate, r.notes
	return e, nil
}

// decide steps the point itself and notes everything.
func (r *rebuild) decide(p series.Point) *detect.Explanation {
	s, sr := r.signal, r.series
	before := sr.anomaly
	s.close(sr, p.T, &Output{}) // the limits are those of the hour that begins
	factors := sr.model.Factors(s.modelTime(p.T))
	s.stepSeries(sr, p, &Output{})
	v := &sr.verdict
	in := detect.Input{T: p.T, Missing: p.Missing, Known: v.Known, Value: p.Value, Expected: v.Center, Score: v.Score, Returning: v.Returning, Context: v.Gates[baseline.Context].Score(), Lack: sr.lack}
	exponent := max(s.budget.Exponent(), s.team.budget.Exponent())
	in.Tell = p.Missing == series.Observed && v.Known && s.budget.Worth(v.Score, v.Excess) && s.team.budget.Worth(v.Score, v.Excess)
	e := &detect.Explanation{
		Signal: s.Def.Name, Labels: sr.Labels.Map(), Unit: s.Def.Unit, At: p.T, Context: s.describe(p.T), Weeks: v.Weeks, Hours: v.Hours,
		Missing: p.Missing.String(), Value: detect.Number(p.Value), Expected: detect.Number(v.Center), Lower: detect.Number(v.Lower), Upper: detect.Number(v.Upper),
		Known: v.Known, Learning: s.reason(&v.Expectation), Youth: factors.Youth, Schedule: factors.Schedule, Power: factors.Power,
		Score: detect.Number(v.Score), Anomalous: math.Abs(v.Score) >= 1, Returning: v.Returning, Excess: v.Excess, Exponent: exponent, Lack: sr.lack,
		Rule: s.rule.Facts(), Before: before.Situation(), After: sr.anomaly.Situation(), Gate: sr.gate, Gates: s.rule.Ask(sr.anomaly, in),
	}
	if p.Missing != series.Observed {
		e.Value = detect.Number(math.NaN())
	} else {
		e.Withheld = sr.withheld
	}
	for _, view := range baseline.Views() {
		g, name := v.Gates[view], view.String()
		if v.Counted {
			if name = baseline.WindowName(int(view)); name == "" {
				continue
			}
		}
		youth := 1.0
		if view <= baseline.LongMean {
			youth = factors.Youth
		}
		e.Views = append(e.Views, detect.ViewGate{
			View: name, Seen: g.Seen, Limit: g.Limit, Score: g.Score(), Margin: math.Abs(g.Seen) - g.Limit,
			Threshold: factors.Thresholds[view], Scale: factors.Scales[view], Youth: youth,
		})
	}
	from, to := s.spanOf(s.realHour(int32(s.modelTime(p.T) / hourMillis)))
	for _, w := range r.in.forgets().overlapping(from, to) { // those of today: it may have been unlearned since
		if w.about(s.Label(sr)) {
			e.Forgotten = append(e.Forgotten, detect.Window{Kind: w.Kind, ID: w.ID, From: w.From, To: w.To, Reason: w.Reason})
		}
	}
	return e
}

// history is what the series had learnt from, and was to learn from, up to the instant.
func (r *rebuild) history() (kept []baseline.Summary, err error) {
	err = r.in.o.Ledger.View(func(tx *bbolt.Tx) error {
		_, kept, err = r.signal.recall(tx, r.core.forgotten, r.series.ID, r.signal.Label(r.series), int32(r.at/hourMillis)+1)
		if err != nil {
			return err
		}
		_, now, err := r.signal.recall(tx, r.in.forgets(), r.series.ID, r.signal.Label(r.series), wholeHistory)
		if missing := r.hoursNow - len(now); missing > 0 {
			r.approximate = true
			r.note("the living model remembers %d hours that are older than the history kept", missing)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", r.signal.Def.Name, err)
	}
	return kept, nil
}

// restarts are the last ticks before something was unlearned that concerns the series, from begin on.
func (r *rebuild) restarts(begin int64) (at []int64) {
	for _, w := range r.core.forgotten.of(r.signal.Label(r.series)) {
		if w.Kind == unlearnedKind && w.since >= begin && w.From <= w.since {
			at = append(at, w.since)
		}
	}
	slices.Sort(at)
	return at
}

// points are the ticks up to the instant, as they were judged; where the live store does not reach, as history has them.
func (r *rebuild) points(ctx context.Context) ([]series.Point, error) {
	step := r.signal.Def.Interval.Milliseconds()
	from := r.at - warmUp*step
	oldest, ok := r.in.o.Live.Oldest()
	if !ok {
		oldest = math.MaxInt64
	}
	live, first, err := r.recorded(ctx, max(from, oldest))
	if err != nil || from >= oldest || len(live) >= enough {
		return live, err
	}
	past, err := r.remembered(ctx, from, min(oldest, first))
	if len(past) > 0 {
		r.approximate = true
		r.note("made from history, whose values are rounded, where the recording does not reach")
	}
	return append(past, live...), err
}

// recorded reads the live store from an instant on. first is the time of the first marker of a tick.
func (r *rebuild) recorded(ctx context.Context, from int64) (points []series.Point, first int64, err error) {
	first = math.MaxInt64
	if from > r.at {
		return nil, first, nil
	}
	live := r.in.o.Live
	ticks, err := tsdb.Read(ctx, live, from, r.at, tsdb.ToPrometheus(nil, "__name__", metricTick))
	if err != nil {
		return nil, first, err
	}
	values, err := r.samples(ctx, live, metricValue, from)
	if err != nil {
		return nil, first, err
	}
	denominators, err := r.samples(ctx, live, metricDenominator, from)
	if err != nil {
		return nil, first, err
	}
	lacks, err := r.samples(ctx, live, metricLack, from)
	if err != nil {
		return nil, first, err
	}
	for _, l := range lacks {
		r.signal.lacks[l.T] = l.V
	}
	reasons, err := r.samples(ctx, live, metricMissing, 0) // told when they change only
	if err != nil {
		return nil, first, err
	}
	reason := series.NoData
	for _, tick := range ticks {
		if !due(r.signal, tick.T) {
			continue
		}
		first = min(first, tick.T)
		for len(reasons) > 0 && reasons[0].T <= tick.T {
			reason, reasons = series.Missing(reasons[0].V), reasons[1:]
		}
		p := series.Point{T: tick.T, Missing: reason}
		if v, ok := find(&values, tick.T); ok {
			p.Value, p.Missing = v, series.Observed
		}
		if v, ok := find(&denominators, tick.T); ok && p.Missing == series.Observed {
			p.Denominator = v
		}
		points = append(points, p)
	}
	return points, first, nil
}

// remembered reads the history store in [from, to).
func (r *rebuild) remembered(ctx context.Context, from, to int64) (points []series.Point, err error) {
	values, err := r.samples(ctx, r.in.o.History, metricValue, from)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	if r.signal.daily() {
		for _, v := range values {
			if v.T < to && v.T <= r.at {
				points = append(points, series.Point{T: v.T, Value: v.V})
			}
		}
		return points, nil
	}
	step := r.signal.Def.Interval.Milliseconds()
	for t := (values[0].T + step - 1) / step * step; t < to && t <= r.at; t += step {
		p := series.Point{T: t, Missing: series.NoData}
		if v, ok := find(&values, t); ok {
			p.Value, p.Missing = v, series.Observed
		}
		points = append(points, p)
	}
	return points, nil
}

func (r *rebuild) samples(ctx context.Context, store *tsdb.DB, metric string, from int64) ([]tsdb.Sample, error) {
	j := Judged{Signal: r.signal, Series: r.series}
	return tsdb.Read(ctx, store, max(from, 0), r.at, j.labels(metric))
}

// find takes the sample at t from the front of the samples, and what is older.
func find(samples *[]tsdb.Sample, t int64) (v float64, ok bool) {
	for len(*samples) > 0 && (*samples)[0].T < t {
		*samples = (*samples)[1:]
	}
	if len(*samples) == 0 || (*samples)[0].T != t {
		return 0, false
	}
	return (*samples)[0].V, true
}
