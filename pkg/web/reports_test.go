package web

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

type fakeReporter struct{}

func (fakeReporter) Report(_ context.Context, kind, format string, params url.Values) ([]byte, error) {
	switch {
	case kind != "correlation":
		return nil, &InvalidError{errors.New("no such report")}
	case format == "json":
		return []byte(`{"outcome":"` + params.Get("outcome") + `"}`), nil
	}
	return []byte("<p>" + params.Get("outcome")), nil
}

func TestReports(t *testing.T) {
	o := options(t)
	o.Reporter = fakeReporter{}
	h := newTestHandler(t, o)
	check := func(path string, status int, contentType, want string) *httptest.ResponseRecorder {
		t.Helper()
		w := get(t, h, "/api/baseliner/v1/reports/"+path)
		if w.Code != status || !strings.HasPrefix(w.Header().Get("Content-Type"), contentType) || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, %s, %s", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		return w
	}
	check("correlation?outcome=orders", 200, "application/json", `"status":"success","data":{"outcome":"orders"}`)
	check("correlation?outcome=orders&format=csv", 200, "text/csv", "orders")
	check("correlation?format=pdf", 400, "application/json", `is not one of json, md, html, csv`)
	check("impacts", 400, "application/json", "no such report")
	page := check("correlation?outcome=orders&format=html", 200, "text/html", "<p>orders")
	if policy := page.Header().Get("Content-Security-Policy"); strings.Contains(policy, "script-src") || !strings.Contains(policy, "style-src 'unsafe-inline'") {
		t.Errorf("content policy %q", policy)
	}
}
