package web

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// text is what a person reads on the page; see is called with every element.
func text(t *testing.T, body io.Reader, see func(html.Token)) string {
	t.Helper()
	var out strings.Builder
	z := html.NewTokenizer(body)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(strings.Fields(out.String()), " ")
		case html.TextToken:
			out.WriteString(string(z.Text()) + " ")
		case html.StartTagToken, html.SelfClosingTagToken:
			see(z.Token())
		}
	}
}

func page(t *testing.T, h http.Handler, target string, code int) string {
	t.Helper()
	w := get(t, h, target)
	if w.Code != code || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s: %d %s, want %d", target, w.Code, w.Header().Get("Content-Type"), code)
	}
	return text(t, w.Body, func(tag html.Token) {
		for _, a := range tag.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "javascript:") {
				t.Errorf("%s: <%s %s=%q> is refused by our own policy", target, tag.Data, a.Key, a.Val)
			}
			if tag.Data == "script" && a.Key == "src" && !strings.HasPrefix(a.Val, "static/") {
				t.Errorf("%s: foreign script %q", target, a.Val)
			}
		}
		if tag.Data == "style" || tag.Data == "script" && len(tag.Attr) == 0 {
			t.Errorf("%s: inline %s: %v", target, tag.Data, tag)
		}
	})
}

func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, s := range want {
		if !strings.Contains(text, s) {
			t.Errorf("the page does not say %q:\n%s", s, text)
		}
	}
}

func TestOverview(t *testing.T) {
	h := newTestHandler(t, options(t))
	got := page(t, h, "/", http.StatusOK)
	contains(t, got,
		"(1) Overview · baseliner", "1 firing", "1 missing", "1 learning", "1 ok", "last tick 14:00:00, 30 s ago", "1 of 2 targets cannot be scraped", "connection refused",
		"CheckoutSlow", "since 13:48 (12 min)", "seen 1.84 s", "normal 0.31–0.52 s",
		"310–520 ms", "normal for Mon 14:00 Europe/Berlin, 6 weeks seen", "learning: need 2 days of history, have 5h", "missing: no data",
		"Recently resolved", "orders 1/s", "route a\"b\\c </script><script>alert(1)</script>{{.}}")
	if strings.Index(got, "business") > strings.Index(got, "application") {
		t.Error("the business comes first")
	}

	got = page(t, h, "/?q=ORDERS+business", http.StatusOK)
	contains(t, got, "missing: no data")
	if strings.Contains(got, "6 weeks seen") {
		t.Error("the search shows what it should hide")
	}
	contains(t, page(t, h, "/?q=firing", http.StatusOK), "6 weeks seen")
	contains(t, page(t, h, "/?q=%3Cscript%3E", http.StatusOK), "have 5h")
	contains(t, page(t, h, "/?q=%3Cnothing%3E", http.StatusOK), "No signal matches “<nothing>”")
}

func TestOverviewOfNothing(t *testing.T) {
	o := options(t)
	o.Views = &fakeViews{status: StatusView{Warnings: []string{"outbox is full"}}}
	o.Ready = func() error { return fmt.Errorf("loading history") }
	got := page(t, newTestHandler(t, o), "/", http.StatusOK)
	contains(t, got, "Nothing is watched yet", "baseliner check FILE", "No target is scraped yet", "Not ready: loading history", "outbox is full", "no tick yet")

	o.Views = &fakeViews{
		status:  StatusView{LastTick: testNow.Add(-5 * time.Minute), Interval: 60},
		signals: []SignalView{{Name: "new"}, {Name: "broken", Error: "query failed"}},
	}
	got = page(t, newTestHandler(t, o), "/", http.StatusOK)
	contains(t, got, "Nothing is out of the ordinary", "no series yet", "query failed", "No tick for 5 min", "0 firing")
}

func TestOverviewIsBounded(t *testing.T) {
	o := options(t)
	views := &fakeViews{}
	for i := range 1000 {
		s := SignalView{Name: fmt.Sprintf("signal_%d", i), Layer: "application"}
		for j := range 50 {
			s.Series = append(s.Series, SeriesView{Labels: map[string]string{"i": fmt.Sprint(j)}, State: StateOK})
		}
		views.signals = append(views.signals, s)
		views.anomalies = append(views.anomalies, AnomalyView{Signal: s.Name, Alertname: s.Name, State: "firing", StartsAt: testNow})
	}
	o.Views = views
	w := get(t, newTestHandler(t, o), "/")
	if w.Body.Len() > 1<<20 {
		t.Errorf("the page is %d bytes", w.Body.Len())
	}
	contains(t, w.Body.String(), "and 988 more open anomalies", "600 more signals are not shown", "49 more of signal_0")
}

func TestSignalPage(t *testing.T) {
	h := newTestHandler(t, options(t))
	target := func(q url.Values) string { return "/signal?" + q.Encode() }
	got := page(t, h, target(url.Values{"name": {"checkout_latency_p95"}}), http.StatusOK)
	contains(t, got, "checkout_latency_p95 route /checkout", "1.84 s", "310–520 ms", "167 of 168 hours known", "Sun 03:00: nothing known yet",
		"Mon 14:00: 440 ms expected, normal 200–600 ms, 6 weeks seen", "CheckoutSlow, warning, after 2 min", "Series of this signal", "bad news up")
	b := BudgetView{PerWeek: 1, EpisodesPerWeek: 0.318, Exponent: 0.254, Coverage: 0.9987, CoverageLower: 0.998, CoverageUpper: 0.9991}
	contains(t, b.spent()+"; "+b.inside(), "1 alarm a week, realised 0.32", "raised (exponent +0.25)", "99.87 % of rows inside the band (95 % interval 99.8–99.91 %)")

	got = page(t, h, target(url.Values{"name": {"checkout_latency_p95"}, "match": {selector(resultLabels("x", "y", nil)[:0].With("route", hostile))}}), http.StatusOK)
	contains(t, got, "learning: need 2 days of history, have 5h", "unknown")

	contains(t, page(t, h, target(url.Values{"name": {"checkout_latency_p95"}, "match": {`{route="/gone"}`}}), http.StatusOK), "No series of this signal has these labels now")
	contains(t, page(t, h, target(url.Values{"name": {"<b>gone"}}), http.StatusNotFound), "There is no signal")
	contains(t, page(t, h, target(url.Values{"name": {"orders"}, "match": {"{"}}), http.StatusBadRequest), "parse error")

	window := func(q url.Values, want ...string) {
		t.Helper()
		q.Set("name", "orders")
		contains(t, get(t, h, target(q)).Body.String(), want...)
	}
	window(url.Values{}, `data-seconds="21600"`)
	window(url.Values{"range": {"7d"}}, `data-seconds="604800"`, `range=7d" aria-current="true"`)
	window(url.Values{"range": {"9y"}}, `data-seconds="21600"`)
	window(url.Values{"from": {"1795435200"}, "to": {"2026-11-23T13:00:00Z"}}, `data-seconds="3600"`, `data-from="1795435200"`, `data-to="1795438800"`)
	window(url.Values{"from": {"2"}, "to": {"1"}}, `data-seconds="21600"`)
}

// The links of anomalies open the page on the right window.
func TestAnomalyLinks(t *testing.T) {
	c := newClock(testNow, "Europe/Berlin")
	check := func(a AnomalyView, want string) {
		t.Helper()
		a.Signal = "s"
		if got := newCard(a, c).Link; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	check(AnomalyView{State: "firing", StartsAt: testNow.Add(-time.Hour)}, "signal?name=s")
	check(AnomalyView{State: "resolved", StartsAt: testNow.Add(-6 * time.Hour), EndsAt: testNow.Add(-5 * time.Hour)},
		"signal?from=2026-11-23T06%3A00%3A30Z&name=s&to=2026-11-23T09%3A00%3A30Z")
	check(AnomalyView{State: "firing", StartsAt: testNow.Add(-6 * time.Hour)},
		"signal?from=2026-11-23T01%3A00%3A30Z&name=s&to=2026-11-23T13%3A00%3A30Z")
	if got := newCard(AnomalyView{Annotations: map[string]string{"runbook_url": "javascript:alert(1)"}}, c).Runbook; got != "" {
		t.Errorf("a runbook at %q", got)
	}
}

func TestProfileShades(t *testing.T) {
	var b BaselineView
	for i := range b.Hours {
		b.Hours[i].Expected = Float(i)
	}
	p := newProfile(b, "", testNow)
	monday, sunday := p.Days[0], p.Days[6]
	if monday.Name != "Mon" || sunday.Hours[0].Shade != 0 || p.Days[5].Hours[23].Shade != shades-1 {
		t.Errorf("lightest %d, darkest %d", sunday.Hours[0].Shade, p.Days[5].Hours[23].Shade)
	}
	for i := range b.Hours {
		b.Hours[i].Expected = Float(math.NaN())
	}
	if got := newProfile(b, "", testNow); got.Min != "" || got.Days[0].Hours[0].Shade != -1 {
		t.Errorf("nothing known: %+v", got)
	}
}

func TestStaticFiles(t *testing.T) {
	h := newTestHandler(t, options(t))
	for path, kind := range map[string]string{
		"app.js": "text/javascript", "app.css": "text/css", "favicon.svg": "image/svg+xml", "vendor/uplot/uPlot.min.css": "text/css",
	} {
		w := get(t, h, "/static/"+path)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		if w := do(t, h, http.MethodGet, "/static/"+path, nil, "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, w.Code)
		}
	}
	for _, path := range []string{"", "vendor", "missing.js", "vendor/..%2f..%2fdoc.go"} {
		if w := get(t, h, "/static/"+path); w.Code != http.StatusNotFound {
			t.Errorf("%q: %d", path, w.Code)
		}
	}
}

// What the scripts and style sheets refer to must be ours: no page may reach out to another host.
func TestStaticFilesReachNowhere(t *testing.T) {
	foreign := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]{2,}`)
	for _, path := range []string{"static/app.js", "static/chart.js", "static/app.css", "static/vendor/uplot/uPlot.min.css", "static/vendor/uplot/uPlot.iife.min.js"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range foreign.FindAllString(string(b), -1) {
			if found != "http://www.w3.org" && found != "https://github.com" { // a namespace, and where uPlot comes from
				t.Errorf("%s refers to %s", path, found)
			}
		}
	}
}
