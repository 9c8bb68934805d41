package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/pipeline"
)

// week is an instance over real stores that lives through simulated time; each of its lives ends by being killed.
type week struct {
	t       *testing.T
	cfg     *config.Config
	dir     string
	now     atomic.Int64
	slow    func(t time.Time) bool
	st      *stores
	in      *pipeline.Instance
	reports reporter
	kill    func()
}

const weekStep = 5 * time.Minute

var weekPage = &url.URL{Scheme: "http", Host: "baseliner.example:9780"}

// shows is what the shop shows at an instant: a slow database makes checkouts slow, which takes two of five orders.
func (w *week) shows(t time.Time) map[string]float64 {
	r := rand.New(rand.NewPCG(uint64(t.Unix()), 5))
	day := 1 + 0.4*math.Sin(2*math.Pi*float64(t.Unix()%86400)/86400)
	db, checkout, orders := 0.010*(1+0.1*r.NormFloat64()), 0.200*(1+0.05*r.NormFloat64()), math.Round(200*day+math.Sqrt(200*day)*r.NormFloat64())
	if w.slow(t) {
		db, checkout, orders = 4*db, 3*checkout, math.Round(0.6*orders)
	}
	return map[string]float64{"db_latency": db, "checkout_latency": checkout, "orders": orders}
}

// live begins a life: what the disk holds is recovered.
func (w *week) live() {
	w.t.Helper()
	logger := slog.New(slog.DiscardHandler)
	clock := func() time.Time { return time.UnixMilli(w.now.Load()) }
	var err error
	if w.st, err = openStores(w.dir, w.cfg, nil, logger); err != nil {
		w.t.Fatal(err)
	}
	w.st.deliverer = outbox.NewDeliverer(outbox.Options{DB: w.st.ledger.DB(), Now: clock})
	if w.st.announcer, err = pipeline.NewAnnouncer(w.st.ledger.DB(), w.st.deliverer, logger); err != nil {
		w.t.Fatal(err)
	}
	if w.in, err = w.st.open(w.t.Context(), w.cfg, weekPage, logger); err != nil {
		w.t.Fatal(err)
	}
	es, err := endpoints(w.cfg, weekPage.String())
	if err != nil {
		w.t.Fatal(err)
	}
	related, err := newRelations(w.cfg, w.st, w.in, logger)
	if err != nil {
		w.t.Fatal(err)
	}
	w.reports = reporter{related, w.st.notes, w.in.Status, w.in.IncidentsOf, w.st.announcer.PastAlerts, weekPage, clock}
	w.st.announcer.SetFacts(func(due int64) alert.Facts {
		f, err := w.reports.facts(due)
		if err != nil {
			w.t.Error(err)
		}
		return f
	})
	if err := w.st.announcer.Configure(w.now.Load(), routing(w.cfg), es, limits(w.cfg)); err != nil {
		w.t.Fatal(err)
	}
	w.kill = func() {
		if err := w.st.close(); err != nil {
			w.t.Error(err)
		}
	}
}

// delivers sends what waits until the life ends.
func (w *week) delivers() {
	ctx, cancel := context.WithCancel(context.Background())
	done, kill := make(chan error), w.kill
	go func() { done <- w.st.deliverer.Run(ctx) }()
	w.kill = func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Error(err)
		}
		kill()
	}
}

// until ticks to an instant, inclusive.
func (w *week) until(end time.Time) {
	w.t.Helper()
	for at := time.UnixMilli(w.now.Load()).Add(weekStep); !at.After(end); at = at.Add(weekStep) {
		w.now.Store(at.UnixMilli())
		app := w.st.live.Appender(w.t.Context())
		for name, v := range w.shows(at) {
			if _, err := app.Append(0, labels.FromStrings("__name__", name, "job", "shop"), at.UnixMilli(), v); err != nil {
				w.t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			w.t.Fatal(err)
		}
		if err := w.in.Tick(w.t.Context(), at.UnixMilli()); err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.st.announcer.Advance(at.UnixMilli()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestTheWeekIsDelivered: an incident on a Wednesday, three kills, and on Monday at eight one message with the incident, what it took, and
// the way to it.
func TestTheWeekIsDelivered(t *testing.T) {
	t.Parallel()
	pager, office := newReceiver(t), newReceiver(t)
	dir := t.TempDir()
	cfgFile := write(t, dir, "baseliner.yml", fmt.Sprintf(`
global: {scrape_interval: 5m, evaluation_interval: 5m, timezone: Europe/Berlin}
packs: []
signals:
  - {name: db_latency, layer: infrastructure, unit: seconds, direction: up, expr: max(db_latency), labels: {service: checkout}}
  - {name: checkout_latency, layer: application, unit: seconds, direction: up, expr: max(checkout_latency), labels: {service: checkout}}
  - {name: orders, layer: business, kind: count, unit: orders, direction: down, expr: sum(orders), labels: {service: checkout}, value_per_unit: {amount: 42, currency: EUR}}
alerting:
  route: {receiver: pager, group_by: [alertname], group_wait: 1s}
  receivers: [{name: pager, webhook_configs: [{url: '%s'}]}, {name: office, webhook_configs: [{url: '%s'}]}]
  digest: {receiver: office, weekday: monday, at: '08:00', timezone: Europe/Berlin}
`, pager.url, office.url))
	now := time.Now().In(berlin)
	monday := time.Date(now.Year(), now.Month(), now.Day()-(int(now.Weekday())+6)%7, 8, 0, 0, 0, berlin)
	if monday.After(now) {
		monday = monday.AddDate(0, 0, -7)
	}
	begin := monday.AddDate(0, 0, -7).Add(time.Hour)
	broken := time.Date(monday.Year(), monday.Month(), monday.Day()-5, 10, 20, 0, 0, berlin) // Wednesday
	w := &week{t: t, dir: filepath.Join(dir, "data"), slow: func(at time.Time) bool { return !at.Before(broken) && at.Before(broken.Add(45*time.Minute)) }}

	var past strings.Builder
	past.WriteString("timestamp,db_latency,checkout_latency,orders\n")
	for at := begin.AddDate(0, 0, -28); !at.After(begin); at = at.Add(weekStep) {
		v := w.shows(at)
		fmt.Fprintf(&past, "%d,%g,%g,%g\n", at.Unix(), v["db_latency"], v["checkout_latency"], v["orders"])
	}
	must(t, "backfill", "--from="+write(t, dir, "past.csv", past.String()), "--config.file="+cfgFile, "--storage.path="+w.dir)
	var err error
	if w.cfg, err = loadConfig(cfgFile, config.Options{}, t.Output()); err != nil {
		t.Fatal(err)
	}

	w.now.Store(begin.UnixMilli())
	w.live()
	w.delivers()
	w.until(broken.Add(15 * time.Minute))
	w.kill() // while the incident runs
	w.live()
	w.delivers()
	w.until(monday.Add(-weekStep))
	if n := len(office.heard()); n > 0 {
		t.Fatalf("the digest came early: %+v", office.heard())
	}
	w.kill()
	w.live()
	w.until(monday)
	w.kill() // the digest is written, and not sent
	w.live()
	w.delivers()
	eventually(t, "the digest arrives", 20*time.Second, func() error { return heardMessages(office, 1) })
	w.until(monday.Add(2 * time.Hour))
	w.kill()
	w.live()
	w.delivers()
	w.until(monday.Add(3 * time.Hour))
	weekly, err := w.reports.week("")
	if err != nil {
		t.Fatal(err)
	}
	page, err := weekly.Text("md")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.reports.relations.Learn(t.Context(), w.now.Load()); err != nil {
		t.Fatal(err)
	}
	relations, err := w.reports.document("correlation", "orders")
	if err != nil {
		t.Fatal(err)
	}
	correlation, err := relations.Text("md")
	if err != nil {
		t.Fatal(err)
	}
	w.kill()

	heard := office.heard()
	if len(heard) != 1 || len(heard[0].Alerts) != 1 {
		t.Fatalf("the office heard %d messages: %+v", len(heard), heard)
	}
	digest := heard[0].Alerts[0]
	if digest.Labels["alertname"] != alert.DigestAlertname || digest.Status != "resolved" {
		t.Errorf("digest %+v", digest)
	}
	story := incidentOf(t, pager)
	link := weekPage.JoinPath("incident").String() + "?id=" + story.Labels["incident"]
	for name, wants := range map[string][]string{
		"summary":     {"1 incident, about ", " EUR (", "3 alerts of 3 signals"},
		"description": {"Incidents:\n- Wed 10:2", "Incident around orders", " EUR (", link, "Health of the baselines: none", "- orders: 1, 0 over within 10 minutes", "Notifications: pager "},
		"report":      {"# The week of ", "| Wed 10:2", " EUR | ", link, "## Noise of the alerts", "| orders | business | 1 | 0 | 0 | 1 |", "## Health of the baselines"},
	} {
		for _, want := range wants {
			if !strings.Contains(digest.Annotations[name], want) {
				t.Errorf("the %s does not say %q:\n%s", name, want, digest.Annotations[name])
			}
		}
	}
	if want := weekPage.JoinPath("api/baseliner/v1/reports/weekly").String() + "?format=html&to=" + url.QueryEscape(monday.UTC().Format(time.RFC3339)); digest.GeneratorURL != want {
		t.Errorf("it leads to %s, want %s", digest.GeneratorURL, want)
	}
	lost := 0.0
	for at := broken; w.slow(at); at = at.Add(weekStep) {
		v := w.shows(at)["orders"]
		lost += v/0.6 - v
	}
	var told, low, high float64
	cost := strings.NewReplacer(",", "").Replace(digest.Annotations["summary"][strings.Index(digest.Annotations["summary"], "about "):])
	if _, err := fmt.Sscanf(cost, "about %f EUR (%f–%f EUR)", &told, &low, &high); err != nil || lost*42 < low || lost*42 > high {
		t.Errorf("%.0f EUR were lost, told is %q (%v)", lost*42, cost, err)
	}
	if strings.Count(correlation, "| Incident around orders") != 1 || !strings.Contains(correlation, "| "+link+" |") {
		t.Errorf("the correlation report does not tell of the incident once:\n%s", correlation)
	}
	for _, want := range []string{"**One** incident, which took **about ", "Incident around orders", link} { // of the calendar's week
		if !strings.Contains(page, want) {
			t.Errorf("the report on request does not say %q:\n%s", want, page)
		}
	}
}

// incidentOf is the alert of the one incident that a receiver heard of.
func incidentOf(t *testing.T, r *receiver) (found template.Alert) {
	t.Helper()
	ids := map[string]bool{}
	for _, m := range r.heard() {
		for _, a := range m.Alerts {
			if a.Labels["alertname"] == alert.IncidentAlert {
				ids[a.Labels["incident"]], found = true, a
			}
		}
	}
	if len(ids) != 1 {
		t.Fatalf("incidents %v", ids)
	}
	return found
}
