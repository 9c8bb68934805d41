package web

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"testing"
)

func TestOwnSignals(t *testing.T) {
	h := newTestHandler(t, options(t))
	got := envelopeOf[[]signalSummary](t, h, "/api/baseliner/v1/signals?series_limit=2")
	if len(got) != 2 || got[0].SeriesTotal != 3 || len(got[0].Series) != 2 {
		t.Fatalf("signals %+v", got)
	}
	if s := got[0].Series; s[0].State != StateFiring || s[1].State != StateLearning {
		t.Errorf("what needs attention comes first, got %s and %s", s[0].State, s[1].State)
	}
	if u := got[0].Series[1].Upper; !math.IsInf(float64(u), 1) {
		t.Errorf("infinite bound came back as %v", u)
	}
	if n := got[0].States[StateFiring]; n != 1 {
		t.Errorf("%d firing", n)
	}
	check := func(query string, want int) {
		t.Helper()
		if got := envelopeOf[[]signalSummary](t, h, "/api/baseliner/v1/signals?"+query); len(got) != want {
			t.Errorf("signals?%s: %d", query, len(got))
		}
	}
	check("layer=business", 1)
	check("layer=nowhere", 0)
	check("name=orders", 1)
	if w := get(t, h, "/api/baseliner/v1/signals?name=unknown"); w.Code != http.StatusNotFound {
		t.Errorf("unknown signal: %d", w.Code)
	}
}

func TestOwnBaseline(t *testing.T) {
	h := newTestHandler(t, options(t))
	check := func(query url.Values, code, want int) {
		t.Helper()
		target := "/api/baseliner/v1/baseline?" + query.Encode()
		w := get(t, h, target)
		if w.Code != code {
			t.Errorf("%s: %d %s, want %d", target, w.Code, w.Body, code)
		}
		if code == http.StatusOK {
			if got := envelopeOf[[]BaselineView](t, h, target); len(got) != want {
				t.Errorf("%s: %d baselines, want %d", target, len(got), want)
			}
		}
	}
	check(url.Values{"signal": {"checkout_latency_p95"}}, 200, 1)
	check(url.Values{"signal": {"checkout_latency_p95"}, "match": {`{route="/checkout"}`}}, 200, 1)
	check(url.Values{"signal": {"checkout_latency_p95"}, "match": {`{route=~"/c.*"}`}}, 200, 1)
	check(url.Values{"signal": {"checkout_latency_p95"}, "match": {`{route="/other"}`}}, 200, 0)
	check(url.Values{"signal": {"orders"}}, 200, 0)
	check(url.Values{"signal": {"unknown"}}, 404, 0)
	check(url.Values{"signal": {"orders"}, "match": {`{`}}, 400, 0)
	check(url.Values{}, 400, 0)
	b := envelopeOf[[]BaselineView](t, h, "/api/baseliner/v1/baseline?signal=checkout_latency_p95")[0]
	if len(b.Hours) != 168 || !math.IsNaN(float64(b.Hours[3].Expected)) || !math.IsInf(float64(b.Hours[3].Lower), -1) || math.Abs(float64(b.Hours[4].Expected)-0.34) > 1e-9 {
		t.Errorf("hours %+v", b.Hours[3:5])
	}
}

func TestOwnAnomalies(t *testing.T) {
	h := newTestHandler(t, options(t))
	check := func(query url.Values, want int) {
		t.Helper()
		if got := envelopeOf[[]AnomalyView](t, h, "/api/baseliner/v1/anomalies?"+query.Encode()); len(got) != want {
			t.Errorf("anomalies?%s: %d, want %d", query.Encode(), len(got), want)
		}
	}
	check(nil, 2)
	check(url.Values{"state": {"firing"}}, 1)
	check(url.Values{"signal": {"orders"}}, 1)
	check(url.Values{"match": {`{route="/checkout"}`}}, 1)
	check(url.Values{"match": {`{}`}}, 2)
}

func TestOwnStatus(t *testing.T) {
	h := newTestHandler(t, options(t))
	got := envelopeOf[struct {
		Version string
		Ready   bool
		States  map[SeriesState]int
	}](t, h, "/api/baseliner/v1/status")
	if got.Version != "1.2.3" || !got.Ready || got.States[StateMissing] != 1 {
		t.Errorf("status %+v", got)
	}
}

func TestWhatIsNotThereYetSaysSo(t *testing.T) {
	h := newTestHandler(t, options(t))
	for _, path := range []string{"incidents", "incidents/7", "explain?signal=x&at=0", "reports/weekly", "annotations", "unlearn", "business"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			w := do(t, h, method, "/api/baseliner/v1/"+path, nil)
			if w.Code != http.StatusNotImplemented || w.Body.String() != `{"status":"error","errorType":"unavailable","error":"not available yet"}` {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
}

func TestFloatSurvivesJSON(t *testing.T) {
	check := func(v float64, want string) {
		t.Helper()
		b, err := json.Marshal(Float(v))
		if err != nil || string(b) != want {
			t.Errorf("%v: %s %v, want %s", v, b, err, want)
		}
		var back Float
		if err := json.Unmarshal(b, &back); err != nil || float64(back) != v && !math.IsNaN(v) {
			t.Errorf("%s came back as %v, %v", b, back, err)
		}
	}
	check(1.5, `1.5`)
	check(0, `0`)
	check(-1e-9, `-1e-09`)
	check(1e21, `1e+21`)
	check(math.NaN(), `"NaN"`)
	check(math.Inf(1), `"+Inf"`)
	check(math.Inf(-1), `"-Inf"`)
	var f Float
	if err := json.Unmarshal([]byte(`"soon"`), &f); err == nil {
		t.Error("text is no number")
	}
}
