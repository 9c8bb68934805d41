package pipeline

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/storage/promql"
)

// identityLabels are ours in alerts and results; a series' own of that name becomes exported_<name>.
var identityLabels = []string{"alertname", "direction", "layer", "severity", "signal", "type"}

// Evaluator gives the points of signals, from the samples of a storage or from a server that has them.
type Evaluator struct {
	Engine    *promql.Engine
	Store     storage.Queryable
	Intervals func() promql.Intervals
	Remote    *promql.Remote // instead of the three above, if not nil

	queries sync.Map // query → *promql.Query
}

type query struct {
	expr     string
	lookback time.Duration
}

// Evaluated is what one signal's expression gave at a tick, or why it gave nothing.
type Evaluated struct {
	Input
	Err        error
	Duplicates int           // series that differed in nothing but what a result drops
	Offset     time.Duration // how far back the expression looks
}

// At evaluates the signals at t, several at once.
func (e *Evaluator) At(ctx context.Context, t int64, signals []*Signal) []Evaluated {
	out := make([]Evaluated, len(signals))
	var intervals promql.Intervals
	if e.Remote == nil {
		intervals = e.Intervals()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(e.parallel(), len(signals)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(signals) {
					return
				}
				out[i] = e.one(ctx, t, signals[i], intervals)
			}
		})
	}
	wg.Wait()
	return out
}

// parallel is how many signals are evaluated at once.
func (e *Evaluator) parallel() int {
	if e.Remote != nil {
		return e.Remote.Parallel()
	}
	return runtime.GOMAXPROCS(0)
}

func (e *Evaluator) one(ctx context.Context, t int64, s *Signal, iv promql.Intervals) Evaluated {
	ev := Evaluated{Input: Input{Signal: s, Otherwise: series.NoData}}
	results, err := e.results(s, func(expr string) ([]promql.Result, error) {
		if e.Remote != nil {
			rs, offset, err := e.Remote.Evaluate(ctx, expr, s.Def.Lookback, t, t, s.Def.Interval.Milliseconds())
			ev.Offset = max(ev.Offset, offset)
			return rs, err
		}
		q, err := e.parse(expr, s)
		if err != nil {
			return nil, err
		}
		ev.Offset = max(ev.Offset, q.Offset())
		return e.Engine.Instant(ctx, e.Store, q, t, iv)
	})
	if err != nil {
		ev.Err = fmt.Errorf("signal %s: %w", s.Def.Name, err)
		ev.Otherwise = series.QueryFailed
		return ev
	}
	ev.Observations = make([]Observation, 0, len(results))
	for _, r := range results {
		ev.Observations = append(ev.Observations, Observation{r.Labels, r.Points[0]})
	}
	ev.Duplicates = dropDuplicates(&ev)
	return ev
}

// Labels evaluates an expression at t for the labels of what it gives; its values, and how fresh they are, do not matter.
func (e *Evaluator) Labels(ctx context.Context, expr string, t int64) (out []series.Labels, err error) {
	var results []promql.Result
	if e.Remote != nil {
		results, _, err = e.Remote.Evaluate(ctx, expr, 0, t, t, time.Minute.Milliseconds())
	} else {
		var q *promql.Query
		if q, err = e.Engine.Parse(expr, 0); err != nil {
			return nil, err
		}
		results, err = e.Engine.Instant(ctx, e.Store, q, t, e.Intervals())
	}
	for _, r := range results {
		out = append(out, r.Labels)
	}
	return out, err
}

// Span evaluates a signal at from, from+interval, … up to to, and returns its series with their points. A tick that a
// series does not mention is missing.
func (e *Evaluator) Span(ctx context.Context, from, to int64, s *Signal) ([]promql.Result, error) {
	step := s.Def.Interval.Milliseconds()
	return e.results(s, func(expr string) ([]promql.Result, error) {
		if e.Remote != nil {
			rs, _, err := e.Remote.Evaluate(ctx, expr, s.Def.Lookback, from, to, step)
			return rs, err
		}
		q, err := e.parse(expr, s)
		if err != nil {
			return nil, err
		}
		return e.Engine.Range(ctx, e.Store, q, from, to, step, e.Intervals())
	})
}

func (e *Evaluator) results(s *Signal, eval func(expr string) ([]promql.Result, error)) ([]promql.Result, error) {
	one := func(expr string) ([]promql.Result, error) {
		rs, err := eval(expr)
		for i := range rs {
			rs[i].Labels = renameIdentity(rs[i].Labels)
		}
		return rs, err
	}
	if s.Def.Ratio == nil {
		return one(s.Def.Expr)
	}
	num, err := one(s.Def.Ratio.Numerator)
	if err != nil {
		return nil, err
	}
	den, err := one(s.Def.Ratio.Denominator)
	if err != nil {
		return nil, err
	}
	return divide(num, den), nil
}

func (e *Evaluator) parse(expr string, s *Signal) (*promql.Query, error) {
	key := query{expr, s.Def.Lookback}
	if q, ok := e.queries.Load(key); ok {
		return q.(*promql.Query), nil
	}
	q, err := e.Engine.Parse(expr, s.Def.Lookback)
	if err != nil {
		return nil, err
	}
	e.queries.Store(key, q)
	return q, nil
}

// divide matches numerators and denominators by labels and time. A point needs both.
func divide(num, den []promql.Result) []promql.Result {
	byKey := make(map[string]promql.Result, len(num))
	for _, r := range num {
		byKey[r.Labels.Key()] = r
	}
	out := make([]promql.Result, 0, len(den))
	for _, d := range den {
		n, ok := byKey[d.Labels.Key()]
		if !ok {
			continue
		}
		r := promql.Result{Labels: d.Labels}
		for i, j := 0, 0; i < len(n.Points) && j < len(d.Points); {
			a, b := n.Points[i], d.Points[j]
			switch {
			case a.T < b.T:
				i++
			case a.T > b.T:
				j++
			default:
				r.Points = append(r.Points, quotient(a, b))
				i, j = i+1, j+1
			}
		}
		if len(r.Points) > 0 {
			out = append(out, r)
		}
	}
	return out
}

func quotient(n, d series.Point) series.Point {
	p := series.Point{T: d.T, Value: math.NaN(), Reporters: max(n.Reporters, d.Reporters)}
	switch {
	case n.Missing != series.Observed:
		p.Missing = n.Missing
	case d.Missing != series.Observed:
		p.Missing = d.Missing
	case d.Value == 0:
		p.Missing = series.ZeroDenominator
	default:
		p.Value, p.Denominator = n.Value/d.Value, d.Value
		if math.IsInf(p.Value, 0) {
			p.Value, p.Denominator, p.Missing = math.NaN(), 0, series.NotANumber
		}
	}
	return p
}

func renameIdentity(ls series.Labels) series.Labels {
	for _, name := range identityLabels {
		if v := ls.Get(name); v != "" {
			ls = ls.With(name, "").With("exported_"+name, v)
		}
	}
	return ls
}

// dropDuplicates keeps the first of several series with the same labels and counts the others.
func dropDuplicates(ev *Evaluated) int {
	seen := make(map[string]bool, len(ev.Observations))
	before := len(ev.Observations)
	ev.Observations = slices.DeleteFunc(ev.Observations, func(o Observation) bool {
		k := o.Labels.Key()
		if seen[k] {
			return true
		}
		seen[k] = true
		return false
	})
	return before - len(ev.Observations)
}
