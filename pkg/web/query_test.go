package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// The bodies are those that Prometheus gives for the same data, byte for byte.
func TestQueryAnswersAsPrometheusDoes(t *testing.T) {
	h := newTestHandler(t, options(t))
	check := func(path string, form url.Values, want string) {
		t.Helper()
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			target, body := path, url.Values(nil)
			if method == http.MethodGet {
				target += "?" + form.Encode()
			} else {
				body = form
			}
			w := do(t, h, method, target, body)
			if w.Code != http.StatusOK || w.Body.String() != want {
				t.Errorf("%s %s %v: %d\n got %s\nwant %s", method, path, form, w.Code, w.Body, want)
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/json" {
				t.Errorf("content type %q", ct)
			}
		}
	}
	instant := func(query, want string) {
		t.Helper()
		check("/api/v1/query", url.Values{"query": {query}, "time": {"1795438800.5"}}, want)
	}
	instant(`x`, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"x","i":"0"},"value":[1795438800.500,"60"]},{"metric":{"__name__":"x","i":"1"},"value":[1795438800.500,"600"]}]}}`)
	instant(`nothing`, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	instant(`1.5`, `{"status":"success","data":{"resultType":"scalar","result":[1795438800.5,"1.5"]}}`)
	instant(`"text"`, `{"status":"success","data":{"resultType":"string","result":[1795438800.5,"text"]}}`)
	instant(`x{i="0"}[2m]`, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x","i":"0"},"values":[[1795438740,"59"],[1795438800,"60"]]}]}}`)
	instant(`baseliner_upper`, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"baseliner_upper","signal":"new"},"value":[1795438800.500,"+Inf"]}]}}`)
	instant(`0/0`, `{"status":"success","data":{"resultType":"scalar","result":[1795438800.5,"NaN"]}}`)
	instant(`vector(1e-9)`, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1795438800.500,"1e-09"]}]}}`)

	check("/api/v1/query_range", url.Values{"query": {`sum(x)`}, "start": {"1795438680"}, "end": {"2026-11-23T13:00:00Z"}, "step": {"1m"}},
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1795438680,"638"],[1795438740,"649"],[1795438800,"660"]]}]}}`)
	check("/api/v1/query_range", url.Values{"query": {`nothing`}, "start": {"0"}, "end": {"60"}, "step": {"15"}},
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	check("/api/v1/query_range", url.Values{"query": {`x`}, "start": {"1795438800"}, "end": {"1795438800"}, "step": {"15"}, "limit": {"1"}},
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x","i":"0"},"values":[[1795438800,"60"]]}]},"warnings":["results truncated due to limit"]}`)
}

func TestQueryEscapesLabels(t *testing.T) {
	h := newTestHandler(t, options(t))
	w := get(t, h, "/api/v1/query?query=evil")
	var got struct {
		Data struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Data.Result) != 1 || got.Data.Result[0].Metric["route"] != hostile {
		t.Errorf("got %s", w.Body)
	}
}

func TestQueryAnnotations(t *testing.T) {
	h := newTestHandler(t, options(t))
	w := get(t, h, "/api/v1/query?query=rate(x[5m])")
	var got struct{ Warnings, Infos []string }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Warnings) != 0 || len(got.Infos) != 1 {
		t.Errorf("want one info that x may not be a counter, got %s", w.Body)
	}
}

func TestQueryErrors(t *testing.T) {
	h := newTestHandler(t, options(t))
	check := func(target string, code int, kind string) {
		t.Helper()
		w := get(t, h, target)
		var got struct{ Status, ErrorType, Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v: %s", target, err, w.Body)
		}
		if w.Code != code || got.Status != "error" || got.ErrorType != kind || got.Error == "" {
			t.Errorf("%s: %d %+v, want %d %s", target, w.Code, got, code, kind)
		}
	}
	check("/api/v1/query?query=x%7B", 400, "bad_data")
	check("/api/v1/query", 400, "bad_data")
	check("/api/v1/query?query=x&time=yesterday", 400, "bad_data")
	check("/api/v1/query?query=x&time=NaN", 400, "bad_data")
	check("/api/v1/query?query=x&time=1e300", 400, "bad_data")
	check("/api/v1/query?query=x&timeout=soon", 400, "bad_data")
	check("/api/v1/query?query=x&limit=-1", 400, "bad_data")
	check("/api/v1/query?query=x&timeout=0.0000001", 503, "timeout")
	check("/api/v1/query?query=x%2Bon()x", 422, "execution")
	check("/api/v1/query_range?query=x&start=0&end=60", 400, "bad_data")
	check("/api/v1/query_range?query=x&start=0&end=60&step=0", 400, "bad_data")
	check("/api/v1/query_range?query=x&start=0&end=60&step=NaN", 400, "bad_data")
	check("/api/v1/query_range?query=x&start=60&end=0&step=1", 400, "bad_data")
	check("/api/v1/query_range?query=x&end=60&step=1", 400, "bad_data")
	check("/api/v1/query_range?query=x&start=0&end=11001&step=1", 400, "bad_data")
	check("/api/v1/query_range?query=x%5B5m%5D&start=0&end=60&step=1", 400, "bad_data")
	check("/api/v1/nothing", 404, "not_found")
	if w := get(t, h, "/api/v1/query_range?query=1&start=0&end=11000&step=1"); w.Code != http.StatusOK {
		t.Errorf("11,000 steps are allowed, got %d %s", w.Code, w.Body)
	}
}

// brokenStore opens and then fails to read.
type brokenStore struct{}

type brokenQuerier struct{ storage.Querier }

var errDisk = errors.New("read chunk: input/output error")

func (brokenStore) Querier(int64, int64) (storage.Querier, error) { return brokenQuerier{}, nil }
func (brokenQuerier) Close() error                                { return nil }

func (brokenQuerier) Select(context.Context, bool, *storage.SelectHints, ...*labels.Matcher) storage.SeriesSet {
	return storage.ErrSeriesSet(errDisk)
}

func (brokenQuerier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errDisk
}

func TestBrokenStorage(t *testing.T) {
	o := options(t)
	o.Storage = brokenStore{}
	h := newTestHandler(t, o)
	check := func(target string, code int, kind string) {
		t.Helper()
		w := get(t, h, target)
		if want := `"errorType":"` + kind + `"`; w.Code != code || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %d %s", target, w.Code, w.Body, code, kind)
		}
	}
	check("/api/v1/query?query=x", http.StatusUnprocessableEntity, "execution")
	check("/api/v1/labels", http.StatusUnprocessableEntity, "execution")
	check("/api/v1/series?match[]=x", http.StatusUnprocessableEntity, "execution")
}

func TestQueryErrorsAreClassified(t *testing.T) {
	check := func(err error, code int) {
		t.Helper()
		var ae *apiError
		if !errors.As(queryError(fmt.Errorf("wrapped: %w", err)), &ae) || ae.code() != code {
			t.Errorf("%v: %v, want %d", err, ae, code)
		}
	}
	check(promql.ErrStorage{Err: errDisk}, 500)
	check(promql.ErrQueryCanceled("gone"), 499)
	check(promql.ErrQueryTimeout("slow"), 503)
	check(promql.ErrTooManySamples("many"), 422)
	check(errDisk, 422)
}

// slowEngine waits for its context, as a query over too much data does.
type slowEngine struct{ promql.QueryEngine }

type slowQuery struct{ promql.Query }

func (slowEngine) NewInstantQuery(context.Context, storage.Queryable, promql.QueryOpts, string, time.Time) (promql.Query, error) {
	return slowQuery{}, nil
}

func (slowQuery) Exec(ctx context.Context) *promql.Result {
	<-ctx.Done()
	return &promql.Result{Err: promql.ErrQueryTimeout("query timed out")}
}
func (slowQuery) Close() {}

func TestQueryNeverTakesLongerThanTheServerAllows(t *testing.T) {
	o := options(t)
	o.Engine, o.QueryTimeout = slowEngine{}, time.Millisecond
	w := get(t, newTestHandler(t, o), "/api/v1/query?query=x&timeout=1h")
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
