package promql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/baseliner/baseliner/pkg/series"
)

// RemoteOptions configure a Remote. URL and Client are required.
type RemoteOptions struct {
	URL      string        // below which /api/v1/query lies; it may hold a password, which no error shows
	Client   *http.Client  // with authentication and TLS
	Interval time.Duration // at which targets are scraped there, where the samples do not show it; 0 is one minute
	Lookback time.Duration // how far an instant selector looks back; 0 is five minutes
	Timeout  time.Duration // of one attempt; 0 is one minute
	Parallel int           // queries at once; 0 is 4
	Attempts int           // of a query; 0 is 3
	Pause    time.Duration // before the second attempt, doubled for each after it; 0 is half a second
}

// Remote evaluates signals on a server that speaks Prometheus' query API: Prometheus, VictoriaMetrics, Thanos, Mimir. It
// is gentle with it: a bounded number of queries at once, with growing pauses after a failure. Its methods are safe for
// concurrent use.
type Remote struct {
	o      RemoteOptions
	api    promapi.API
	parser parser.Parser
	turns  chan struct{}

	mtx     sync.Mutex
	queries map[remoteKey]*remoteQuery
}

type remoteKey struct {
	expr     string
	lookback time.Duration
}

// NewRemote returns an engine. Nothing is asked yet.
func NewRemote(o RemoteOptions) (*Remote, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" {
		return nil, errors.New("remote engine: its URL is not one")
	}
	if o.Interval == 0 {
		o.Interval = time.Minute
	}
	if o.Lookback == 0 {
		o.Lookback = 5 * time.Minute
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	if o.Pause == 0 {
		o.Pause = 500 * time.Millisecond
	}
	c, err := api.NewClient(api.Config{Address: o.URL, Client: o.Client})
	if err != nil {
		return nil, fmt.Errorf("remote engine: %w", err)
	}
	return &Remote{
		o: o, api: promapi.NewAPI(c), parser: parser.NewParser(parser.Options{}),
		turns: make(chan struct{}, o.Parallel), queries: map[remoteKey]*remoteQuery{},
	}, nil
}

// Ping asks for nothing in particular, to tell early that the server cannot be reached or does not let us in.
func (r *Remote) Ping(ctx context.Context) error {
	_, err := r.number(ctx, "vector(1)", time.Now().UnixMilli())
	return err
}

// Parallel is how many queries it does at once.
func (r *Remote) Parallel() int { return r.o.Parallel }

// Metrics returns the names of all metrics that the server has samples of since then.
func (r *Remote) Metrics(ctx context.Context, since time.Time) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	names, _, err := r.api.LabelValues(ctx, model.MetricNameLabel, nil, since, time.Now())
	if err != nil {
		return nil, fmt.Errorf("read names of metrics: %w", bare(err))
	}
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		seen[string(n)] = true
	}
	return seen, nil
}

// Evaluate gives the values of an expression at from, from+step, … up to to, as Engine.Range does, together with how far
// back its most distant selector looks. Each time is judged by the samples that the server shows for the selectors.
func (r *Remote) Evaluate(ctx context.Context, expr string, lookback time.Duration, from, to, step int64) ([]Result, time.Duration, error) {
	if lookback == 0 {
		lookback = r.o.Lookback
	}
	q, err := r.query(expr, lookback)
	if err != nil {
		return nil, 0, err
	}
	matrix, err := r.matrix(ctx, expr, lookback, from, to, step)
	if err != nil {
		return nil, q.offset, err
	}
	results := make([]Result, 0, len(matrix))
	for _, s := range matrix {
		if len(s.Histograms) > 0 {
			return nil, q.offset, fmt.Errorf("query %q: gives a native histogram: wrap it in histogram_quantile(), histogram_avg() or histogram_count()", expr)
		}
		points := make([]series.Point, len(s.Values))
		for i, v := range s.Values {
			points[i] = series.Point{T: int64(v.Timestamp), Value: float64(v.Value)}
		}
		results = append(results, Result{fromModel(s.Metric), points})
	}
	missing, err := q.judge(ctx, r, lookback, from, to, step)
	if err != nil {
		return nil, q.offset, err
	}
	if err := q.count(ctx, r, lookback, results, from, to, step); err != nil {
		return nil, q.offset, err
	}
	for _, res := range results {
		for i := range res.Points {
			p := &res.Points[i]
			p.Missing = missing(p.T)
			if p.Missing == series.Observed && (math.IsNaN(p.Value) || math.IsInf(p.Value, 0)) {
				p.Missing = series.NotANumber
			}
			if p.Missing != series.Observed {
				p.Value = math.NaN()
			}
		}
	}
	return results, q.offset, nil
}

func (r *Remote) query(expr string, lookback time.Duration) (*remoteQuery, error) {
	r.mtx.Lock()
	defer r.mtx.Unlock()
	key := remoteKey{expr, lookback}
	if q := r.queries[key]; q != nil {
		return q, nil
	}
	ast, err := r.parser.ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("parse %q: %w", expr, err)
	}
	q := newRemoteQuery(ast, r.o.Interval)
	r.queries[key] = q
	return q, nil
}

// matrix asks for a range; a scalar is a series without labels. One instant is a range, too.
func (r *Remote) matrix(ctx context.Context, expr string, lookback time.Duration, from, to, step int64) (model.Matrix, error) {
	span := promapi.Range{Start: time.UnixMilli(from).UTC(), End: time.UnixMilli(to).UTC(), Step: time.Duration(step) * time.Millisecond}
	v, err := r.ask(ctx, expr, func(ctx context.Context) (model.Value, error) {
		v, _, err := r.api.QueryRange(ctx, expr, span, promapi.WithLookbackDelta(lookback))
		return v, err
	})
	if err != nil {
		return nil, err
	}
	m, ok := v.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("query %q: the server answers with a %s, want a matrix", expr, v.Type())
	}
	return m, nil
}

// number asks for one number at t, 0 when there is none.
func (r *Remote) number(ctx context.Context, expr string, t int64) (float64, error) {
	v, err := r.ask(ctx, expr, func(ctx context.Context) (model.Value, error) {
		v, _, err := r.api.Query(ctx, expr, time.UnixMilli(t).UTC())
		return v, err
	})
	if err != nil {
		return 0, err
	}
	vector, ok := v.(model.Vector)
	if !ok || len(vector) == 0 {
		return 0, nil
	}
	return float64(vector[0].Value), nil
}

// ask does a query when it is its turn, and again if the server or the way to it failed.
func (r *Remote) ask(ctx context.Context, expr string, do func(context.Context) (model.Value, error)) (model.Value, error) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	pause := r.o.Pause
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, r.o.Timeout)
		v, err := do(limited)
		cancel()
		if err == nil {
			return v, nil
		}
		err = fmt.Errorf("query %q: %w", expr, bare(err))
		if ctx.Err() != nil || attempt == r.o.Attempts || permanent(err) {
			return nil, err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return nil, err
		}
	}
}

// permanent reports whether the server understood the query and does not like it.
func permanent(err error) bool {
	e, ok := errors.AsType[*promapi.Error](err)
	if !ok {
		return false
	}
	tooMany := e.Type == promapi.ErrClient && strings.HasSuffix(e.Msg, strconv.Itoa(http.StatusTooManyRequests))
	return e.Type == promapi.ErrBadData || e.Type == promapi.ErrExec || e.Type == promapi.ErrClient && !tooMany
}

// bare leaves out the URL, which may hold a password; the caller says which server it is.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func fromModel(m model.Metric) series.Labels {
	out := map[string]string{}
	for name, value := range m {
		if name != model.MetricNameLabel {
			out[string(name)] = string(value)
		}
	}
	return series.FromMap(out)
}
