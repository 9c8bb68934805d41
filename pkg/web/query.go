package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// maxPoints is Prometheus' limit of a range query: a week at one minute.
const maxPoints = 11_000

// query is GET and POST /api/v1/query.
func (h *handler) query(r *http.Request) (answer, error) {
	at, err := timeParam(r, "time", h.Now())
	if err != nil {
		return answer{}, err
	}
	return h.evaluate(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return h.Engine.NewInstantQuery(ctx, h.Storage, opts, expr, at)
	})
}

// queryRange is GET and POST /api/v1/query_range.
func (h *handler) queryRange(r *http.Request) (answer, error) {
	start, err := timeParam(r, "start", time.Time{})
	if err != nil {
		return answer{}, err
	}
	end, err := timeParam(r, "end", time.Time{})
	if err != nil {
		return answer{}, err
	}
	if end.Before(start) {
		return answer{}, badParameter("end", errors.New("end timestamp must not be before start time"))
	}
	step, err := durationParam(r, "step", 0)
	if err != nil {
		return answer{}, err
	}
	if step <= 0 {
		return answer{}, badParameter("step", errors.New("zero or negative query resolution step widths are not accepted. Try a positive integer"))
	}
	if end.Sub(start)/step > maxPoints {
		return answer{}, &apiError{typ: errBadData, err: errors.New("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")}
	}
	return h.evaluate(r, func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error) {
		return h.Engine.NewRangeQuery(ctx, h.Storage, opts, expr, start, end, step)
	})
}

type prepare func(ctx context.Context, opts promql.QueryOpts, expr string) (promql.Query, error)

// evaluate runs a query to its encoded result. The engine reuses the memory of a result once the query is closed, so
// encoding happens before that.
func (h *handler) evaluate(r *http.Request, prepare prepare) (answer, error) {
	limit, err := limitParam(r, "limit")
	if err != nil {
		return answer{}, err
	}
	timeout, err := durationParam(r, "timeout", h.QueryTimeout)
	if err != nil {
		return answer{}, err
	}
	var lookback time.Duration
	if r.FormValue("lookback_delta") != "" {
		if lookback, err = durationParam(r, "lookback_delta", 0); err != nil {
			return answer{}, err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(timeout, h.QueryTimeout))
	defer cancel()

	expr := r.FormValue("query")
	q, err := prepare(ctx, promql.NewPrometheusQueryOpts(false, lookback), expr)
	if err != nil {
		return answer{}, badParameter("query", err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return answer{}, queryError(res.Err)
	}
	warnings := truncate(res, limit)
	data, err := encodeResult(res.Value)
	if err != nil {
		return answer{}, err
	}
	return answer{data: data, query: expr, warnings: warnings}, nil
}

// truncate keeps the first limit series and returns the warnings of the result, with one more if it had to cut.
func truncate(res *promql.Result, limit int) annotations.Annotations {
	warnings := res.Warnings
	if limit == 0 {
		return warnings
	}
	switch v := res.Value.(type) {
	case promql.Matrix:
		if len(v) > limit {
			res.Value = v[:limit]
			warnings.Add(errTruncated)
		}
	case promql.Vector:
		if len(v) > limit {
			res.Value = v[:limit]
			warnings.Add(errTruncated)
		}
	}
	return warnings
}
