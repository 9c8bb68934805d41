package web

import (
	"errors"
	"io"
	"math"
	"net/http"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// parseResults reads the page as Prometheus does when it scrapes it.
func parseResults(t *testing.T, body []byte, contentType string) map[string]float64 {
	t.Helper()
	p, err := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for {
		e, err := p.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatalf("parse results: %v\n%s", err, body)
		}
		if e != textparse.EntrySeries {
			continue
		}
		var ls labels.Labels
		p.Labels(&ls)
		_, _, v := p.Series()
		if _, twice := got[ls.String()]; twice {
			t.Errorf("%s appears twice", ls)
		}
		got[ls.String()] = v
	}
}

func TestResultsAreScrapable(t *testing.T) {
	o := options(t)
	views := shop()
	views.signals[0].Series = append(views.signals[0].Series,
		views.signals[0].Series[0], // a duplicate
		SeriesView{Labels: map[string]string{"bytes": "\xff\xfe", "__meta": "x", "dotted.name": "y"}, Value: 7, Expected: nan, Lower: nan, Upper: nan, Score: nan})
	o.Views = views
	h := newTestHandler(t, o)
	for _, accept := range []string{"", "application/openmetrics-text;version=1.0.0", "text/plain;version=1.0.0;escaping=allow-utf-8"} {
		w := do(t, h, http.MethodGet, "/metrics/results", nil, "Accept", accept)
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		got := parseResults(t, w.Body.Bytes(), w.Header().Get("Content-Type"))
		check := func(want float64, ls ...string) {
			t.Helper()
			key := labels.FromStrings(ls...).String()
			if v, ok := got[key]; !ok || v != want {
				t.Errorf("%s = %v (present: %v), want %v", key, v, ok, want)
			}
		}
		check(1.84, "__name__", "baseliner_value", "signal", "checkout_latency_p95", "layer", "application", "route", "/checkout")
		check(0.52, "__name__", "baseliner_upper", "signal", "checkout_latency_p95", "layer", "application", "route", "/checkout")
		check(6.2, "__name__", "baseliner_score", "signal", "checkout_latency_p95", "layer", "application", "route", "/checkout")
		check(math.Inf(1), "__name__", "baseliner_upper", "signal", "checkout_latency_p95", "layer", "application", "route", hostile, "exported_signal", "theirs")
		check(math.Inf(-1), "__name__", "baseliner_lower", "signal", "checkout_latency_p95", "layer", "application", "route", hostile, "exported_signal", "theirs")
		check(4, "__name__", "baseliner_expected", "signal", "orders", "layer", "business")
		dotted := "dotted_name"
		if accept != "" && accept[0] == 't' {
			dotted = "dotted.name"
		}
		check(7, "__name__", "baseliner_value", "signal", "checkout_latency_p95", "layer", "application", "bytes", "\uFFFD", dotted, "y")
		absent := func(ls ...string) {
			t.Helper()
			if _, ok := got[labels.FromStrings(ls...).String()]; ok {
				t.Errorf("%v is exposed although it is not known", ls)
			}
		}
		absent("__name__", "baseliner_value", "signal", "orders", "layer", "business")
		absent("__name__", "baseliner_score", "signal", "orders", "layer", "business")
		absent("__name__", "baseliner_expected", "signal", "checkout_latency_p95", "layer", "application", "route", hostile, "exported_signal", "theirs")
		if len(got) != 18 {
			t.Errorf("%d samples: %v", len(got), got)
		}
	}
	w := get(t, h, "/metrics/results")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil || len(families) != 5 {
		t.Errorf("%d families, %v", len(families), err)
	}
}

func TestResultLabelsNeverCollide(t *testing.T) {
	check := func(own map[string]string, want string) {
		t.Helper()
		if got := resultLabels("s", "l", own).String(); got != want {
			t.Errorf("%v: %s, want %s", own, got, want)
		}
	}
	check(nil, `{layer="l", signal="s"}`)
	check(map[string]string{"layer": "x"}, `{exported_layer="x", layer="l", signal="s"}`)
	check(map[string]string{"signal": "x", "exported_signal": "y"}, `{exported_exported_signal="x", exported_signal="y", layer="l", signal="s"}`)
	check(map[string]string{"__name__": "x", "": "y", "signal": ""}, `{layer="l", signal="s"}`)
}

func TestMetricsCountRequestsByRoute(t *testing.T) {
	h := newTestHandler(t, options(t))
	get(t, h, "/api/v1/label/i/values")
	get(t, h, "/api/v1/label/other/values")
	get(t, h, "/api/v1/query?query=%7B")
	w := get(t, h, "/metrics")
	got := parseResults(t, w.Body.Bytes(), w.Header().Get("Content-Type"))
	for key, want := range map[string]float64{
		`{__name__="baseliner_http_requests_total", code="200", handler="/api/v1/label/{name}/values"}`: 2,
		`{__name__="baseliner_http_requests_total", code="400", handler="/api/v1/query"}`:               1,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}
