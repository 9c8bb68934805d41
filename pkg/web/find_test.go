package web

import (
	"net/http"
	"net/url"
	"testing"
)

func TestFind(t *testing.T) {
	h := newTestHandler(t, options(t))
	check := func(target, want string) {
		t.Helper()
		if w := get(t, h, target); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d\n got %s\nwant %s", target, w.Code, w.Body, want)
		}
	}
	m := func(s ...string) string { return url.Values{"match[]": s}.Encode() }
	check("/api/v1/labels", `{"status":"success","data":["__name__","i","route","signal"]}`)
	check("/api/v1/labels?"+m("x", "evil"), `{"status":"success","data":["__name__","i","route"]}`)
	check("/api/v1/labels?limit=1", `{"status":"success","data":["__name__"],"warnings":["results truncated due to limit"]}`)
	check("/api/v1/labels?"+m("nothing"), `{"status":"success","data":[]}`)
	check("/api/v1/label/i/values", `{"status":"success","data":["0","1"]}`)
	check("/api/v1/label/i/values?"+m(`x{i="1"}`), `{"status":"success","data":["1"]}`)
	check("/api/v1/label/__name__/values", `{"status":"success","data":["baseliner_upper","evil","x"]}`)
	check("/api/v1/label/U__i/values", `{"status":"success","data":["0","1"]}`)
	check("/api/v1/label/a%2Fb/values", `{"status":"success","data":[]}`)
	check("/api/v1/label/i/values?start=0&end=60", `{"status":"success","data":[]}`)
	check("/api/v1/series?"+m("x"), `{"status":"success","data":[{"__name__":"x","i":"0"},{"__name__":"x","i":"1"}]}`)
	check("/api/v1/series?"+m("x", `{i="1"}`), `{"status":"success","data":[{"__name__":"x","i":"0"},{"__name__":"x","i":"1"}]}`)
	check("/api/v1/series?limit=1&"+m("x"), `{"status":"success","data":[{"__name__":"x","i":"0"}],"warnings":["results truncated due to limit"]}`)
	check("/api/v1/series?limit=2&"+m("x"), `{"status":"success","data":[{"__name__":"x","i":"0"},{"__name__":"x","i":"1"}]}`)
	check("/api/v1/series?"+m("nothing"), `{"status":"success","data":[]}`)
	if w := do(t, h, http.MethodPost, "/api/v1/series", url.Values{"match[]": {`{i="0"}`}}); w.Body.String() != `{"status":"success","data":[{"__name__":"x","i":"0"}]}` {
		t.Errorf("series by POST: %s", w.Body)
	}

	refused := func(target string) {
		t.Helper()
		if w := get(t, h, target); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", target, w.Code, w.Body)
		}
	}
	refused("/api/v1/series")
	refused("/api/v1/series?" + m(`{i=~".*"}`))
	refused("/api/v1/series?" + m(`x{`))
	refused("/api/v1/labels?start=soon")
	refused("/api/v1/label/%ff/values")
}
