package web

import (
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

// board is a store of annotations in memory.
type board struct{ list []AnnotationView }

func (b *board) List() []AnnotationView { return b.list }

func (b *board) Put(a AnnotationView) (bool, error) {
	if a.Text == "disk full" {
		return false, errors.New("disk full")
	}
	for i := range b.list {
		if b.list[i].ID == a.ID {
			b.list[i] = a
			return false, nil
		}
	}
	b.list = append(b.list, a)
	slices.SortFunc(b.list, func(x, y AnnotationView) int { return x.Start.Compare(y.Start) })
	return true, nil
}

func (b *board) Delete(id string) (bool, error) {
	n := len(b.list)
	b.list = slices.DeleteFunc(b.list, func(a AnnotationView) bool { return a.ID == id })
	return len(b.list) < n, nil
}

func allow(token string) AnnotationAccess {
	return func() (bool, string, error) { return true, token, nil }
}

// say sends a body, as curl -d does: as if it were a form.
func say(t *testing.T, h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/baseliner/v1/annotations"+path, strings.NewReader(body))
	r.Host = "localhost:9780"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnnotationsArePostedReadAndDeleted(t *testing.T) {
	o, b := options(t), &board{}
	o.Annotations, o.AnnotationAccess = b, allow("")
	h := newTestHandler(t, o)
	post := func(body string, code int) (a AnnotationView) {
		t.Helper()
		w := say(t, h, http.MethodPost, "", body)
		if w.Code != code {
			t.Fatalf("%s: %d %s, want %d", body, w.Code, w.Body, code)
		}
		var e struct{ Data AnnotationView }
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		return e.Data
	}
	at := testNow.Unix()
	seconds := func(d time.Duration) string { b, _ := json.Marshal(at + int64(d/time.Second)); return string(b) }
	deploy := post(`{"type":"deploy","time":`+seconds(-time.Hour)+`.5,"text":" v2.3 ","tags":["ci","ci","a"],"labels":{"route":"/checkout"}}`, 201)
	if deploy.ID == "" || deploy.Text != "v2.3" || !slices.Equal(deploy.Tags, []string{"a", "ci"}) || !deploy.End.Equal(deploy.Start) || deploy.Start.UnixMilli() != (at-3600)*1000+500 {
		t.Errorf("deploy %+v", deploy)
	}
	incident := `{"id":"inc-1","type":"incident","start":"` + testNow.Add(-30*time.Minute).Format(time.RFC3339) + `"`
	if a := post(incident+"}", 201); !a.End.IsZero() {
		t.Errorf("it ended: %+v", a)
	}
	post(incident+"}", 200) // once more is no other
	ended := post(incident+`,"end":`+seconds(-20*time.Minute)+"}", 200)
	if ended.End.Unix() != at-20*60 {
		t.Errorf("it did not end: %+v", ended)
	}
	post(`{"id":"sale","type":"event","start":`+seconds(0)+`,"end":`+seconds(48*time.Hour)+`,"labels":{"layer":"business"}}`, 201)

	check := func(query string, want ...string) {
		t.Helper()
		var got []string
		for _, a := range envelopeOf[[]AnnotationView](t, h, "/api/baseliner/v1/annotations?"+query) {
			got = append(got, a.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	check("", deploy.ID, "inc-1", "sale")
	check("type=deploy,event", deploy.ID, "sale")
	check("type=deploy&type=incident", deploy.ID, "inc-1")
	check("tags=ci", deploy.ID)
	check("tags=ci,b")
	check("from="+seconds(-25*time.Minute), "inc-1", "sale")
	check("to="+seconds(-40*time.Minute), deploy.ID)
	check("from="+seconds(24*time.Hour)+"&to="+seconds(25*time.Hour), "sale")
	check("limit=1", "sale")
	check("signal=checkout_latency_p95", "inc-1")
	check("signal=checkout_latency_p95&match="+url.QueryEscape(`{route="/checkout"}`), deploy.ID, "inc-1")
	check("signal=orders", "inc-1", "sale")
	check("match="+url.QueryEscape(`{layer="business"}`), "inc-1", "sale")

	bad := func(query string, code int) {
		t.Helper()
		if w := get(t, h, "/api/baseliner/v1/annotations"+query); w.Code != code {
			t.Errorf("%s: %d %s, want %d", query, w.Code, w.Body, code)
		}
	}
	bad("?from=soon", 400)
	bad("?type=party", 400)
	bad("?limit=-1", 400)
	bad("?signal=unknown", 404)
	bad("?match={", 400)
	bad("?match="+url.QueryEscape(`{route=~"/.*"}`), 400)
	bad("/inc-1", 200)
	bad("/inc-2", 404)

	if w := say(t, h, http.MethodDelete, "/inc-1", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"deleted":true`) {
		t.Errorf("delete: %d %s", w.Code, w.Body)
	}
	if w := say(t, h, http.MethodDelete, "/inc-1", ""); w.Code != 404 {
		t.Errorf("delete once more: %d %s", w.Code, w.Body)
	}
	check("", deploy.ID, "sale")
	if w := say(t, h, http.MethodPost, "", `{"type":"event","time":1,"text":"disk full"}`); w.Code != 400 {
		t.Errorf("1970: %d", w.Code)
	}
	if w := say(t, h, http.MethodPost, "", `{"type":"event","time":`+seconds(0)+`,"text":"disk full"}`); w.Code != 500 {
		t.Errorf("disk full: %d", w.Code)
	}
}

func TestBadAnnotationsSayWhatIsWrong(t *testing.T) {
	check := func(body string, wants ...string) {
		t.Helper()
		a, err := parseAnnotation([]byte(body), testNow)
		if err == nil {
			t.Errorf("%s: taken as %+v", body, a)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", body, err, want)
			}
		}
	}
	at := testNow.Format(time.RFC3339)
	check(``, "body is empty", `{"type": "deploy"`)
	check(`type=deploy`, "not JSON")
	check(`{"type":"deploy","time":"`+at+`"}{}`, "more than one")
	check(`{"type":"deploy","tme":1}`, `unknown field "tme"`)
	check(`{"time":"`+at+`"}`, "type is missing", "deploy, event, incident, ignore")
	check(`{"type":"party","time":"`+at+`"}`, `"party" is not one of`)
	check(`{"type":"deploy"}`, "time is missing")
	check(`{"type":"deploy","time":"soon"}`, `"soon"`, "unix seconds")
	check(`{"type":"deploy","time":1795600000000}`, "seconds here, not in milliseconds")
	check(`{"type":"deploy","time":99}`, "before 2000")
	check(`{"type":"deploy","time":"`+at+`","end":"`+at+`"}`, "time beside start or end")
	check(`{"type":"incident","time":"`+at+`"}`, "incident is a window")
	check(`{"type":"ignore","start":"`+at+`"}`, "end is missing")
	check(`{"type":"ignore","start":"`+at+`","end":"`+at+`"}`, "end is not after start")
	check(`{"type":"event","start":"2020-01-01T00:00:00Z","end":"2022-01-01T00:00:00Z"}`, "longer than a year")
	check(`{"type":"deploy","time":"`+at+`","id":"a/b"}`, `id "a/b"`)
	check(`{"type":"deploy","time":"`+at+`","tags":["a,b"]}`, `tag "a,b"`)
	check(`{"type":"deploy","time":"`+at+`","labels":{"a-b":"c"}}`, `label "a-b"`)
	check(`{"type":"deploy","time":"`+at+`","labels":{"a":""}}`, `label "a"`)
	check(`{"type":"deploy","time":"`+at+`","text":"`+strings.Repeat("x", 5000)+`"}`, "text is longer")
	check(`{"type":"deploy","time":"`+at+`","tags":[`+strings.Repeat(`"x",`, 32)+`"x"]}`, "33 tags")
}

func TestWhoMayAnnotate(t *testing.T) {
	o, b := options(t), &board{}
	o.Annotations = b
	body := `{"id":"x","type":"deploy","time":"` + testNow.Format(time.RFC3339) + `"}`
	check := func(want int, text string, header ...string) {
		t.Helper()
		h := newTestHandler(t, o)
		for _, f := range []func() *httptest.ResponseRecorder{
			func() *httptest.ResponseRecorder { return say(t, h, http.MethodPost, "", body, header...) },
			func() *httptest.ResponseRecorder { return say(t, h, http.MethodDelete, "/x", "", header...) },
		} {
			w := f()
			if w.Code/100 != want/100 || w.Code >= 400 && w.Code != want || !strings.Contains(w.Body.String(), text) {
				t.Errorf("%v: %d %s, want %d %q", header, w.Code, w.Body, want, text)
			}
		}
		if w := get(t, h, "/api/baseliner/v1/annotations"); w.Code != 200 {
			t.Errorf("reading: %d", w.Code)
		}
	}
	check(403, "ingest.annotations.enabled")
	o.AnnotationAccess = func() (bool, string, error) { return false, "", nil }
	check(403, "ingest.annotations.enabled")
	o.AnnotationAccess = func() (bool, string, error) { return true, "", errors.New("open /etc/secret: no such file") }
	check(500, "the log says why")
	o.AnnotationAccess = allow("s3cret")
	check(401, "Bearer")
	check(401, "Bearer", "Authorization", "Bearer wrong")
	check(401, "Bearer", "Authorization", "Bearer")
	check(401, "Bearer", "Authorization", "s3cret")
	if len(b.list) != 0 {
		t.Fatalf("kept %v", b.list)
	}
	check(200, "success", "Authorization", "Bearer s3cret")
	o.AnnotationAccess = allow("")
	check(200, "success")
	check(403, "cross-origin", "Origin", "https://evil.example")
	check(403, "cross-origin", "Sec-Fetch-Site", "cross-site")
	check(403, "unknown Host", "Host", "evil.example")
	if w := say(t, newTestHandler(t, o), http.MethodPost, "", `{"text":"`+strings.Repeat("x", maxAnnotationBytes)+`"}`); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d %s", w.Code, w.Body)
	}
	if w := say(t, newTestHandler(t, o), http.MethodPost, "", body, "Authorization", "Bearer needless"); w.Code != 201 {
		t.Errorf("a needless token: %d %s", w.Code, w.Body)
	}
}

func FuzzAnnotation(f *testing.F) {
	f.Add([]byte(`{"id":"a","type":"deploy","time":1795600000.5,"text":"v2","tags":["ci"],"labels":{"service":"cart"}}`))
	f.Add([]byte(`{"type":"ignore","start":"2026-11-27T09:00:00+01:00","end":"2026-11-27T10:00:00Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAnnotation(b, testNow)
		if err != nil {
			return
		}
		if a.Start.Before(earliest) || !a.End.IsZero() && a.End.Before(a.Start) || !slices.Contains(annotationTypes, a.Type) || len(a.Text) > maxAnnotationText {
			t.Fatalf("%s: taken as %+v", b, a)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Fatal(err)
		}
	})
}
