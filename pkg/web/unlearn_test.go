package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// windows is an Unlearner that folds nothing.
type windows struct{ kept []UnlearnedView }

func (w *windows) List() []UnlearnedView { return w.kept }

func (w *windows) Unlearn(_ context.Context, one UnlearnedView) (UnlearnedView, error) {
	if strings.Contains(one.Match, "bad") {
		return one, &InvalidError{errors.New("selector bad")}
	}
	one.ID, one.Series = "a", 3
	w.kept = append(w.kept, one)
	return one, nil
}

func (w *windows) Undo(_ context.Context, id string) (one UnlearnedView, found bool, err error) {
	i := slices.IndexFunc(w.kept, func(u UnlearnedView) bool { return u.ID == id })
	if i < 0 {
		return one, false, nil
	}
	one = w.kept[i]
	w.kept = slices.Delete(w.kept, i, i+1)
	return one, true, nil
}

func TestUnlearn(t *testing.T) {
	const path = "/api/baseliner/v1/unlearn"
	o, w := options(t), &windows{}
	o.Unlearner = w
	if r := do(t, newTestHandler(t, o), http.MethodPost, path+"?from=1&to=2", nil); r.Code != http.StatusForbidden || len(w.kept) != 0 {
		t.Errorf("without the admin API: %d %s", r.Code, r.Body)
	}
	o.EnableAdminAPI = true
	h := newTestHandler(t, o)
	post := func(body, contentType string, want int, text string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "localhost:9780"
		r.Header.Set("Content-Type", contentType)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != want || !strings.Contains(rec.Body.String(), text) {
			t.Errorf("POST %s as %s: %d %s, want %d %s", body, contentType, rec.Code, rec.Body, want, text)
		}
	}
	const form = "application/x-www-form-urlencoded"
	whole := `{"from": "2026-11-24T10:00:00+01:00", "to": 1795600000.5, "match": " {route=\"/x\"} ", "reason": "load test"}`
	for _, contentType := range []string{"application/json", form, ""} {
		w.kept = nil
		post(whole, contentType, 200, `"series":3`)
		want := UnlearnedView{
			ID: "a", From: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), To: time.UnixMilli(1795600000500).UTC(),
			Match: `{route="/x"}`, Reason: "load test", Created: testNow.UTC().Truncate(time.Millisecond), Series: 3,
		}
		if len(w.kept) != 1 || w.kept[0] != want {
			t.Errorf("as %q: kept %+v, want %+v", contentType, w.kept, want)
		}
	}
	w.kept = nil
	post(url.Values{"from": {"1795500000"}, "to": {"2026-11-24T10:00:00Z"}, "match": {"x"}}.Encode(), form, 200, `"match":"x"`)
	post("", form, 400, "from or to is missing")
	post(`{"from": 1}`, form, 400, "from or to is missing")
	post(`{"from": 1, "to": 2, "why": "x"}`, form, 400, `unknown field`)
	post(`{"from": "yesterday", "to": 2}`, form, 400, "yesterday")
	post(`{"from": 1, "to": 2, "match": "bad"}`, form, 400, "selector bad")
	post("from=x&to=2", form, 400, "from: cannot parse")
	post(`{"from": 1, "to": 2, "reason": "`+strings.Repeat("x", maxUnlearnBytes)+`"}`, form, 400, "larger than")

	if got := envelopeOf[[]UnlearnedView](t, h, path); len(got) != 1 || got[0].Match != "x" {
		t.Errorf("listed %+v", got)
	}
	if r := do(t, h, http.MethodDelete, path+"/b", nil); r.Code != http.StatusNotFound {
		t.Errorf("undo of none: %d %s", r.Code, r.Body)
	}
	if r := do(t, h, http.MethodDelete, path+"/a", nil, "Origin", "https://evil.example"); r.Code != http.StatusForbidden {
		t.Errorf("undo by a foreign page: %d", r.Code)
	}
	if r := do(t, h, http.MethodDelete, path+"/a", nil); r.Code != http.StatusOK || len(w.kept) != 0 {
		t.Errorf("undo: %d %s, kept %v", r.Code, r.Body, w.kept)
	}
	if got := envelopeOf[[]UnlearnedView](t, h, path); got == nil || len(got) != 0 {
		t.Errorf("an empty list is %v", got)
	}
}

// explainer answers with what it was asked.
type explainer struct{}

func (explainer) Explain(_ context.Context, signal, match string, at time.Time) (json.RawMessage, error) {
	if signal == "none" {
		return nil, &InvalidError{errors.New("no such signal: none")}
	}
	return json.Marshal([]string{signal, match, at.UTC().Format(time.RFC3339)})
}

func TestExplain(t *testing.T) {
	o := options(t)
	o.Explainer = explainer{}
	h := newTestHandler(t, o)
	const path = "/api/baseliner/v1/explain"
	if got := envelopeOf[[]string](t, h, path+"?signal=orders&match=x&at=1795500000"); !slices.Equal(got, []string{"orders", "x", "2026-11-24T06:00:00Z"}) {
		t.Errorf("asked %q", got)
	}
	if got := envelopeOf[[]string](t, h, path+"?signal=orders"); got[2] != testNow.UTC().Format(time.RFC3339) {
		t.Errorf("asked %q", got)
	}
	for _, bad := range []string{"", "?signal=none", "?signal=orders&at=noon"} {
		if w := get(t, h, path+bad); w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", bad, w.Code, w.Body)
		}
	}
}
