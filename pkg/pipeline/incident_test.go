package pipeline

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.etcd.io/bbolt"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

// A shop in three layers: a database, a checkout that waits for it, orders that are not placed when checkout is slow, and a search
// and a mail service that have nothing to do with it. Everything is a function of the seed and of time.
type cascade struct {
	*plant
	r        *rand.Rand
	noise    map[string]float64
	counters map[string]float64
	from, to int64   // the database is slow in [from, to)
	lost     float64 // orders that were not placed because of that
}

const cascadeStep = int64(120_000)

// cascades are how many shops are simulated; the long tests have more.
var cascades = 1

func cascadeSignals() []signal.Definition {
	def := func(name string, layer series.Layer, expr, unit string, dir series.Direction) signal.Definition {
		return signal.Definition{
			Name: name, Alert: name, Layer: layer, Expr: expr, Unit: unit, Direction: dir, Zone: "UTC", Kind: "auto", Interval: 2 * time.Minute, Severity: "warning",
		}
	}
	orders := def("orders", series.Business, `sum(increase(orders_total[6m]))`, "orders", series.Down)
	orders.Window, orders.ValuePerUnit = 6*time.Minute, &signal.Money{Amount: 42, Currency: "EUR"}
	conversion := def("conversion", series.Business, "", "ratio", series.Down)
	conversion.Window, conversion.Ratio = 6*time.Minute, &signal.Ratio{Numerator: `sum(increase(orders_total[6m]))`, Denominator: `sum(increase(visits_total[6m]))`}
	return []signal.Definition{
		def("db_latency", series.Infrastructure, `avg by (service) (db_latency_seconds)`, "seconds", series.Up),
		def("latency", series.Application, `avg by (service) (latency_seconds)`, "seconds", series.Up),
		def("cpu", series.Infrastructure, `avg by (service) (cpu_ratio)`, "ratio", series.Up),
		orders, conversion,
	}
}

func newCascade(t *testing.T, seed uint64, ties Ties) *cascade {
	t.Helper()
	c := &cascade{
		plant: &plant{t: t, dir: t.TempDir(), told: newWitness(), load: usual, silent: map[int]bool{}, ties: ties, scraped: 2 * time.Minute},
		r:     rand.New(rand.NewPCG(seed, 77)), noise: map[string]float64{}, counters: map[string]float64{},
	}
	c.open(cascadeSignals()...)
	t.Cleanup(func() { c.close(t) })
	return c
}

// swing is an AR(1) noise of its own, standard deviation 1.
func (c *cascade) swing(name string) float64 {
	c.noise[name] = 0.6*c.noise[name] + 0.8*c.r.NormFloat64()
	return c.noise[name]
}

// moment is what the shop does at one step.
type moment struct {
	values         map[[2]string]float64 // by metric and service
	orders, visits float64
}

// at makes the next step.
func (c *cascade) at(t int64) (m moment) {
	day := 1 + 0.5*math.Sin(2*math.Pi*float64(t%dayMillis)/float64(dayMillis))
	slow, slowCheckout, lose := 0.0, 0.0, 0.0
	if t >= c.from && t < c.to {
		slow = 1.5 + 0.5*math.Sin(float64(t/cascadeStep))
	}
	if t >= c.from+3*cascadeStep && t < c.to+cascadeStep {
		slowCheckout = 1.5 + 0.5*math.Sin(float64(t/cascadeStep-3))
	}
	if t >= c.from+5*cascadeStep && t < c.to+2*cascadeStep {
		lose = 0.4
	}
	m.values = map[[2]string]float64{
		{"db_latency_seconds", "db"}:    0.010 * (1 + 0.1*day + 0.05*c.swing("db")) * (1 + 3*slow),
		{"latency_seconds", "checkout"}: 0.200*(1+0.1*day+0.05*c.swing("checkout")) + 0.3*slowCheckout,
		{"latency_seconds", "search"}:   0.100 * (1 + 0.1*day + 0.05*c.swing("search")),
		{"latency_seconds", "mail"}:     0.300 * (1 + 0.1*day + 0.05*c.swing("mail")),
		{"cpu_ratio", "db"}:             0.3 * (day + 0.05*c.swing("cpu db")),
		{"cpu_ratio", "checkout"}:       0.4 * (day + 0.05*c.swing("cpu checkout")),
		{"cpu_ratio", "search"}:         0.2 * (day + 0.05*c.swing("cpu search")),
	}
	m.visits = distuv.Poisson{Lambda: 4000 * day, Src: c.r}.Rand()
	wanted := distuv.Binomial{N: m.visits, P: 0.1, Src: c.r}.Rand()
	gone := 0.0
	if lose > 0 && wanted > 0 {
		gone = distuv.Binomial{N: wanted, P: lose, Src: c.r}.Rand()
	}
	c.lost += gone
	m.orders = wanted - gone
	return m
}

// warm lets the models learn weeks, without the stores: points are what the expressions would give.
func (c *cascade) warm(start, end int64) {
	var before moment
	for t := start; t < end; t += cascadeStep {
		m := c.at(t)
		orders, visits := 1.5*(m.orders+before.orders), 1.5*(m.visits+before.visits) // of six minutes, as increase() has it
		of := map[string][]Observation{
			"orders":     {{Point: series.Point{Value: orders}}},
			"conversion": {{Point: series.Point{Value: orders / visits, Denominator: visits}}},
		}
		for metric, name := range map[string]string{"db_latency_seconds": "db_latency", "latency_seconds": "latency", "cpu_ratio": "cpu"} {
			for _, service := range []string{"checkout", "db", "mail", "search"} {
				if v, ok := m.values[[2]string{metric, service}]; ok {
					of[name] = append(of[name], Observation{Labels: series.FromStrings("service", service), Point: series.Point{Value: v}})
				}
			}
		}
		var in []Input
		for _, s := range c.in.core.signals {
			in = append(in, Input{Signal: s, Observations: of[s.Def.Name], Otherwise: series.NoData})
		}
		c.in.core.Step(t, in)
		before = m
	}
}

// run feeds and ticks, up to and including end.
func (c *cascade) run(start, end int64) {
	c.t.Helper()
	for t := start; t <= end; t += cascadeStep {
		m := c.at(t)
		c.counters["orders_total"] += m.orders
		c.counters["visits_total"] += m.visits
		app := c.live.Appender(context.Background())
		put := func(name, service string, v float64) {
			if _, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, name, "service", service, "job", "shop"), t, v); err != nil {
				c.t.Fatal(err)
			}
		}
		for k, v := range m.values {
			put(k[0], k[1], v)
		}
		for name, v := range c.counters {
			put(name, "checkout", v)
		}
		if err := app.Commit(); err != nil {
			c.t.Fatal(err)
		}
		if err := c.in.Tick(context.Background(), t); err != nil {
			c.t.Fatal(err)
		}
	}
}

// shopGraph is what the configuration says of it.
func shopGraph(int64) *incident.Graph {
	return incident.NewGraph([][2]string{{"checkout", "db"}, {"shop", "checkout"}, {"shop", "search"}})
}

// TestACascadeIsOneIncident: a slow database, the checkout that waits for it and the orders that are not placed are one incident,
// which begins with the database and costs what was lost.
func TestACascadeIsOneIncident(t *testing.T) {
	covered, told := 0, 0
	for seed := range uint64(cascades) {
		c := newCascade(t, seed, Ties{Topology: shopGraph})
		start := plantStart
		c.from = start + 28*dayMillis + 14*hourMillis
		c.to = c.from + 30*cascadeStep
		c.warm(start, c.from-3*dayMillis)
		c.run(c.from-3*dayMillis, c.from+110*cascadeStep)

		all, err := c.in.IncidentsOf(math.MinInt64, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		var found []IncidentRecord
		for _, r := range all {
			if r.StartsAt < c.to && (r.EndsAt == 0 || r.EndsAt > c.from) {
				found = append(found, r)
			}
		}
		if len(found) != 1 {
			t.Fatalf("seed %d: %d incidents of one cascade: %v", seed, len(found), summaries(found))
		}
		got := found[0]
		t.Logf("seed %d: %s; %s; %s", seed, got.Summary, got.Annotations["description"], got.Annotations["likely_causes"])
		if first := got.Story.First; len(first) != 1 || first[0].Signal != "db_latency" {
			t.Errorf("seed %d: first movers %+v", seed, first)
		}
		if b := got.Story.Broken; b == nil || b.Service != "checkout" {
			t.Errorf("seed %d: broken is %+v", seed, b)
		}
		impact := []string{}
		for _, x := range got.Story.Impact {
			impact = append(impact, x.Signal)
		}
		if slices.Sort(impact); !slices.Equal(impact, []string{"conversion", "orders"}) || got.Story.Outcome.Layer != series.Business {
			t.Errorf("seed %d: impact %v, outcome %+v", seed, impact, got.Story.Outcome)
		}
		if len(got.Story.Causes) == 0 || got.Story.Causes[0].Label != incident.Strong {
			t.Errorf("seed %d: causes %+v", seed, got.Story.Causes)
		}
		for _, x := range got.Story.Causes {
			if x.Service == "search" || x.Service == "mail" {
				t.Errorf("seed %d: %s of %s has nothing to do with it, and is a cause: %+v", seed, x.Signal, x.Service, x)
			}
		}
		if got.EndsAt == 0 || len(got.Losses) != 2 {
			t.Fatalf("seed %d: ends at %d, losses %+v", seed, got.EndsAt, got.Losses)
		}
		for _, l := range got.Losses { // the same orders, counted and as a share of the visits
			if l.Low == nil {
				t.Fatalf("seed %d: loss %+v", seed, l)
			}
			if (l.Signal == "orders") != (l.Currency == "EUR" && l.PerUnit == 42) {
				t.Errorf("seed %d: worth of %s: %+v", seed, l.Signal, l)
			}
			t.Logf("seed %d: lost %.0f, %s tells %.0f (%.0f to %.0f)", seed, c.lost, l.Signal, l.Lost, *l.Low, *l.High)
			told++
			if *l.Low <= c.lost && c.lost <= *l.High {
				covered++
			}
			if math.Abs(l.Lost-c.lost) > 0.15*c.lost {
				t.Errorf("seed %d: lost %.0f, %s tells %.0f", seed, c.lost, l.Signal, l.Lost)
			}
		}
		if text := c.impact("orders"); !strings.Contains(text, "orders fewer than expected (") || !strings.Contains(text, " EUR (") {
			t.Errorf("seed %d: the alert's impact is %q", seed, text)
		}
		// The alert of the incident was told to begin and to end; its parts carry its id.
		if one := c.told.stories[got.ID]; one.Firing || one.StartsAt != got.StartsAt || one.Labels["alertname"] != "Incident" || one.Labels["severity"] != "warning" || !strings.Contains(one.Annotations["impact"], "EUR") {
			t.Errorf("seed %d: told %+v", seed, one)
		}
		parts := 0
		for _, id := range c.told.parts {
			if id == got.ID {
				parts++
			}
		}
		if parts != len(got.Members) {
			t.Errorf("seed %d: %d of %d members carry the id", seed, parts, len(got.Members))
		}
		// Who was told of the database before there was an incident is told its end; then there is one word for all.
		if heard, want := c.notifications(), []string{"+db_latency", "+Incident", "-db_latency", "-Incident"}; !slices.Equal(heard, want) {
			t.Errorf("seed %d: told %q, want %q", seed, heard, want)
		}
	}
	t.Logf("the interval of the cost holds the truth in %d of %d", covered, told)
	if 4*covered < 3*told { // nine of ten on average
		t.Errorf("the interval of the cost holds the truth in %d of %d", covered, told)
	}
}

// impact is what the end of a signal's alert told of its cost.
func (c *cascade) impact(name string) (text string) {
	for _, h := range c.told.all {
		for _, tr := range h.ts {
			if tr.Labels["signal"] == name && !tr.Firing {
				text = tr.Annotations["impact"]
			}
		}
	}
	return text
}

// notifications are what a receiver hears that groups by alertname, waits half a minute for a group and five minutes for more.
func (c *cascade) notifications() (told []string) {
	m := alert.NewMachine(&dispatch.Route{RouteOpts: dispatch.RouteOpts{
		Receiver: "oncall", GroupBy: map[model.LabelName]struct{}{"alertname": {}}, GroupWait: 30 * time.Second, GroupInterval: 5 * time.Minute, RepeatInterval: 12 * time.Hour,
	}})
	was := map[string]bool{}
	advance := func(now int64, ts []alert.Transition) {
		ns, _ := m.Advance(now, ts)
		for _, n := range ns {
			for _, e := range n.Alerts {
				state := "-"
				if e.Firing {
					state = "+"
				}
				if once := state + e.Key(); !was[once] {
					was[once] = true
					told = append(told, state+e.Labels["alertname"])
				}
			}
		}
	}
	k, last := 0, c.told.all[len(c.told.all)-1].now+hourMillis
	for now := c.told.all[0].now; now <= last; now += 30_000 {
		var ts []alert.Transition
		for ; k < len(c.told.all) && c.told.all[k].now <= now; k++ {
			ts = append(ts, convert(c.told.all[k].ts)...)
		}
		advance(now, ts)
	}
	return told
}

// TestAnIncidentThatNobodyFollowsIsOver: what is kept as open ends with the start that does not know it.
func TestAnIncidentThatNobodyFollowsIsOver(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.run(plantStart + hourMillis)
	text := `{"id":"lost","startsAt":1,"toldAt":2,"members":[],"story":{"outcome":{"signal":"load"}},"summary":"an incident","annotations":{}}`
	err := p.ledger.Update(func(tx *bbolt.Tx) error {
		return state.PutIncident(tx, &state.Incident{ID: "lost", Start: 1, Text: []byte(text)})
	})
	if err != nil {
		t.Fatal(err)
	}
	p.restart(loadSignal())
	all, err := p.in.IncidentsOf(math.MinInt64, math.MaxInt64)
	if err != nil || len(all) != 1 || all[0].EndsAt != p.in.LastTick() || all[0].Summary != "an incident" {
		t.Errorf("kept %+v (%v)", all, err)
	}
}

func summaries(all []IncidentRecord) (out []string) {
	for _, r := range all {
		out = append(out, r.Summary+fmt.Sprint(" ", len(r.Members)))
	}
	return out
}
