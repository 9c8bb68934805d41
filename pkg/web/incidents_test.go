package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// fakeIncidents answers from a list, or fails.
type fakeIncidents struct {
	all  []IncidentView
	err  error
	read int
}

func (f *fakeIncidents) Each(before time.Time, take func(*IncidentView) bool) error {
	for i := range f.all {
		if before.IsZero() || f.all[i].StartsAt.Before(before) {
			f.read++
			if !take(&f.all[i]) {
				break
			}
		}
	}
	return f.err
}

func (f *fakeIncidents) Open() (open []IncidentView, err error) {
	for i := range f.all {
		if f.all[i].State == "open" {
			open = append(open, f.all[i])
		}
	}
	return open, f.err
}

func (f *fakeIncidents) Find(id string) (*IncidentView, error) {
	for i := range f.all {
		if f.all[i].ID == id {
			return &f.all[i], f.err
		}
	}
	return nil, f.err
}

func number(x float64) *float64 { return &x } //nolint:modernize // reads better where it is used

func cascade() *fakeIncidents {
	at := func(minutes int) time.Time { return testNow.Add(time.Duration(minutes) * time.Minute) }
	db := SuspectView{
		Signal: "db_latency", Layer: "infrastructure", Service: "db", Labels: map[string]string{"service": "db"}, Label: "strong", Score: 0.8, Shift: 9.1,
		CoMovement: -0.93, Since: at(-30), Anomalous: true,
	}
	latency := SuspectView{Signal: "checkout_latency_p95", Layer: "application", Service: "checkout", Labels: map[string]string{"route": hostile}, Since: at(-27), Anomalous: true}
	return &fakeIncidents{all: []IncidentView{
		{
			ID: "open1", State: "open", StartsAt: at(-30), ToldAt: at(-27), UpdatedAt: at(0), Severity: "critical", Layer: "business",
			Summary:     "Incident: orders, since 13:30; began with db latency & " + hostile,
			FirstMovers: []SuspectView{db}, Broken: &latency, Explained: true, Causes: []SuspectView{db, {Signal: "cpu", Label: "same_time", Shift: -3.5}},
			Impact: []ImpactView{{
				SuspectView: SuspectView{Signal: "orders", Layer: "business"}, Lost: number(312), Low: number(250), High: number(370), Level: 0.9, Unit: "orders",
				Cost: &MoneyView{Amount: 13104, Low: number(10500), High: number(15540), Currency: "EUR"},
			}},
			Events:       []EventView{{ID: "d1", Type: "deploy", Text: "checkout v42 " + hostile, At: at(-34)}},
			Contributors: []ContributorView{{Signal: "orders", Name: "region", Value: "eu", Share: 0.92, Usual: 0.35}},
			Members: []MemberView{
				{Signal: "db_latency", Layer: "infrastructure", Service: "db", Labels: map[string]string{"service": "db"}, Type: "anomaly", Direction: "up", Severity: "warning", StartsAt: at(-30), EndsAt: at(-4), Peak: 8},
				{Signal: "checkout_latency_p95", Layer: "application", Labels: map[string]string{"route": hostile}, Type: "anomaly", Direction: "up", Severity: "critical", StartsAt: at(-27), Peak: 4, Why: "checkout calls db"},
				{Signal: "orders", Layer: "business", Type: "anomaly", Direction: "down", Severity: "warning", StartsAt: at(-25), Peak: -1.4, Why: "moved with checkout_latency_p95"},
			},
			Annotations: map[string]string{"impact": "orders: about 312 orders fewer than expected"},
		},
		{
			ID: "past1", State: "resolved", StartsAt: at(-300), EndsAt: at(-250), Summary: "Incident around search is over after 50 min", Severity: "warning",
			FirstMovers: []SuspectView{db, latency}, Simultaneous: true,
			Members: []MemberView{{Signal: "search", Layer: "application", Type: "absent", StartsAt: at(-300), EndsAt: at(-250)}},
		},
		{ID: "part1", State: "merged", MergedInto: "open1", StartsAt: at(-29), EndsAt: at(-28), Summary: "Incident around cpu turned out to be part of incident open1"},
	}}
}

func TestIncidents(t *testing.T) {
	o := options(t)
	o.Incidents = cascade()
	h := newTestHandler(t, o)
	check := func(query string, want ...string) {
		t.Helper()
		got := envelopeOf[[]struct {
			ID    string `json:"id"`
			State string `json:"state"`
		}](t, h, "/api/baseliner/v1/incidents"+query)
		if len(got) != len(want) {
			t.Fatalf("%s: %+v, want %v", query, got, want)
		}
		for i := range got {
			if got[i].ID != want[i] {
				t.Errorf("%s: %d is %+v, want %s", query, i, got[i], want[i])
			}
		}
	}
	check("", "open1", "past1", "part1")
	check("?state=open", "open1")
	check("?limit=2", "open1", "past1")
	check("?before="+url.QueryEscape(testNow.Add(-30*time.Minute).Format(time.RFC3339)), "past1") // the next page
	check("?state=open&before=" + url.QueryEscape(testNow.Add(-30*time.Minute).Format(time.RFC3339)))
	if w := get(t, h, "/api/baseliner/v1/incidents?before=yesterday"); w.Code != http.StatusBadRequest {
		t.Errorf("before yesterday: %d %s", w.Code, w.Body)
	}
	if w := get(t, h, "/api/baseliner/v1/incidents?state=firing"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "open, resolved, merged") {
		t.Errorf("an unknown state: %d %s", w.Code, w.Body)
	}
	one := envelopeOf[IncidentView](t, h, "/api/baseliner/v1/incidents/open1")
	if one.FirstMovers[0].Signal != "db_latency" || *one.Impact[0].Lost != 312 || one.Impact[0].Signal != "orders" || one.Members[1].Why == "" {
		t.Errorf("incident %+v", one)
	}
	if w := get(t, h, "/api/baseliner/v1/incidents/none"); w.Code != http.StatusNotFound {
		t.Errorf("an unknown one: %d %s", w.Code, w.Body)
	}
}

func TestIncidentPage(t *testing.T) {
	o := options(t)
	o.Incidents = cascade()
	h := newTestHandler(t, o)
	contains(t, page(t, h, "/incident?id=open1", http.StatusOK),
		"First mover", "db_latency", "9.1 sd above normal", "Broken service", "checkout_latency_p95", "Impact", "312 orders fewer than expected", "250 to 370, 90 %", "13.1k EUR (10.5k to 15.5k)",
		"deploy checkout v42", "4 min before", "strong", "moved at the same time", "region=eu carries 92 % of the deviation of orders, where 35 % would be usual", "checkout calls db")
	contains(t, page(t, h, "/incident?id=past1", http.StatusOK), "which of them was first is not known", "No business signal left its usual range", "Nothing that is watched explains it", "no data")
	contains(t, page(t, h, "/incident?id=part1", http.StatusOK), "turned out to be part of another incident")
	contains(t, page(t, h, "/incident?id=none", http.StatusNotFound), "There is no incident")
	contains(t, page(t, h, "/", http.StatusOK), "Incident: orders, since 13:30", "Impact: orders: about 312", "Recent incidents", "Incident around search")

	o.Incidents = &fakeIncidents{err: errors.New("ledger is gone")}
	h = newTestHandler(t, o)
	contains(t, page(t, h, "/", http.StatusOK), "checkout_latency_p95") // the rest of the page stands
}

// TestAViewReadsFewIncidents: of a thousand that are kept, pages and the API read what they show.
func TestAViewReadsFewIncidents(t *testing.T) {
	o := options(t)
	many := &fakeIncidents{}
	for i := range 1000 {
		at := testNow.Add(-time.Duration(i) * time.Hour)
		many.all = append(many.all, IncidentView{ID: fmt.Sprint(i), State: "resolved", StartsAt: at.Add(-time.Minute), EndsAt: at, Summary: "over"})
	}
	o.Incidents = many
	h := newTestHandler(t, o)
	for path, most := range map[string]int{"/": maxEndedCards, "/incident?id=999": 0, "/api/baseliner/v1/incidents?limit=10": 11, "/api/baseliner/v1/incidents/999": 0, "/api/baseliner/v1/incidents?state=open": 0} {
		many.read = 0
		if w := get(t, h, path); w.Code != http.StatusOK || many.read > most {
			t.Errorf("%s: %d, %d incidents were read, want at most %d", path, w.Code, many.read, most)
		}
	}
}
