// Package promql evaluates signals: an instant or a span of ticks, each result with the evidence of how fresh its
// inputs were. It hides Prometheus' engine behind two calls.
package promql

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/series"
)

// Options of an engine.
type Options struct {
	Lookback   time.Duration // how far an instant selector looks back; 0 is five minutes
	Timeout    time.Duration // of one query; 0 is one minute
	MaxSamples int           // in memory for one query; 0 is five million
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Engine evaluates PromQL over a storage. It is safe for concurrent use.
type Engine struct {
	engine   *promql.Engine
	parser   parser.Parser
	lookback time.Duration
}

// New returns an engine.
func New(o Options) *Engine {
	if o.Lookback == 0 {
		o.Lookback = 5 * time.Minute
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.MaxSamples == 0 {
		o.MaxSamples = 5_000_000
	}
	p := parser.NewParser(parser.Options{})
	return &Engine{
		parser:   p,
		lookback: o.Lookback,
		engine: promql.NewEngine(promql.EngineOpts{
			Logger: o.Logger, Reg: o.Registerer, MaxSamples: o.MaxSamples, Timeout: o.Timeout,
			LookbackDelta: o.Lookback, EnableAtModifier: true, EnableNegativeOffset: true, Parser: p,
			NoStepSubqueryIntervalFn: func(int64) int64 { return defaultSubqueryStep.Milliseconds() },
		}),
	}
}

// Result is one series of an evaluation. Points holds the ticks at which the expression gave a value, observed or not
// fresh enough to count, in the order of time.
type Result struct {
	Labels series.Labels // without the metric's name
	Points []series.Point
}

// Query is a parsed expression with the shape of its selectors.
type Query struct {
	text     string
	need     requirement
	lookback time.Duration
	offset   time.Duration
}

// Offset is how far the query's most distant selector looks into the past, ranges apart.
func (q *Query) Offset() time.Duration { return q.offset }

func longestOffset(ast parser.Expr) (longest time.Duration) {
	parser.Inspect(ast, func(n parser.Node, path []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			sum := s.OriginalOffset
			for _, p := range path {
				if sub, ok := p.(*parser.SubqueryExpr); ok {
					sum += sub.OriginalOffset
				}
			}
			longest = max(longest, sum)
		}
		return nil
	})
	return longest
}

func (q *Query) options() promql.QueryOpts { return promql.NewPrometheusQueryOpts(false, q.lookback) }

// Parse prepares an expression. lookback is how far its instant selectors look back; 0 is the engine's default.
func (e *Engine) Parse(expr string, lookback time.Duration) (*Query, error) {
	ast, err := e.parser.ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("parse %q: %w", expr, err)
	}
	return &Query{text: expr, need: requirements(ast), lookback: lookback, offset: longestOffset(ast)}, nil
}

// Instant evaluates the query at t (unix milliseconds). intervals tells how often a job is scraped; 0 is not known.
func (e *Engine) Instant(ctx context.Context, store storage.Queryable, q *Query, t int64, intervals Intervals) ([]Result, error) {
	w := &witness{Queryable: store}
	query, err := e.engine.NewInstantQuery(ctx, w, q.options(), q.text, time.UnixMilli(t).UTC())
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", q.text, err)
	}
	defer query.Close()
	r := query.Exec(ctx)
	if r.Err != nil {
		return nil, fmt.Errorf("query %q: %w", q.text, r.Err)
	}
	var results []Result
	add := func(ls labels.Labels, v float64) {
		results = append(results, Result{fromMetric(ls), []series.Point{{T: t, Value: v}}})
	}
	switch v := r.Value.(type) {
	case promql.Vector:
		results = make([]Result, 0, len(v))
		for _, s := range v {
			if s.H != nil {
				return nil, fmt.Errorf("query %q: gives a native histogram: wrap it in histogram_quantile(), histogram_avg() or histogram_count()", q.text)
			}
			add(s.Metric, s.F)
		}
	case promql.Scalar:
		add(labels.EmptyLabels(), v.V)
	default:
		return nil, fmt.Errorf("query %q: gives a %s, want a vector", q.text, r.Value.Type())
	}
	w.judge(q.need, results, t, t, intervals)
	return results, nil
}

// Range evaluates the query at from, from+step, … up to to: the same points that Instant gives one by one, at a
// fraction of the price. Keep the span to a few hours: all its inputs are held in memory.
func (e *Engine) Range(ctx context.Context, store storage.Queryable, q *Query, from, to, step int64, intervals Intervals) ([]Result, error) {
	w := &witness{Queryable: store}
	query, err := e.engine.NewRangeQuery(ctx, w, q.options(), q.text, time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC(), time.Duration(step)*time.Millisecond)
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", q.text, err)
	}
	defer query.Close()
	r := query.Exec(ctx)
	m, err := r.Matrix()
	if err != nil {
		return nil, fmt.Errorf("query %q: %w", q.text, err)
	}
	results := make([]Result, 0, len(m))
	for _, s := range m {
		if len(s.Histograms) > 0 {
			return nil, fmt.Errorf("query %q: gives a native histogram: wrap it in histogram_quantile(), histogram_avg() or histogram_count()", q.text)
		}
		points := make([]series.Point, len(s.Floats))
		for i, f := range s.Floats {
			points[i] = series.Point{T: f.T, Value: f.F}
		}
		results = append(results, Result{fromMetric(s.Metric), points})
	}
	w.judge(q.need, results, from, to, intervals)
	return results, nil
}

// Raw gives Prometheus' engine to those who serve its API.
func (e *Engine) Raw() *promql.Engine { return e.engine }

func fromMetric(ls labels.Labels) series.Labels {
	out := make(series.Labels, 0, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			out = append(out, series.Label{Name: l.Name, Value: l.Value})
		}
	})
	return out
}
