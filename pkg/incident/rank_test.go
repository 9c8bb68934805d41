package incident_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
)

const minute = int64(60_000)

// scene makes a case of n rows of noise around 100, one column for each name, with the last rows as the incident.
func scene(seed uint64, n, incidentRows int, names ...string) *incident.Case {
	r := rand.New(rand.NewPCG(seed, 1))
	c := &incident.Case{}
	for i := range n {
		c.Times = append(c.Times, int64(i)*minute)
	}
	c.From, c.Until = int64(n-incidentRows)*minute, int64(n-1)*minute
	for i, name := range names {
		values := make([]float64, n)
		for k := range values {
			values[k] = 100 + r.NormFloat64()
		}
		s := incident.Named(name, values)
		s.Outcome = i == 0
		c.Series = append(c.Series, s)
	}
	return c
}

// push adds to a series from a row on, shaped like a wave so that what is pushed alike moves together.
func push(c *incident.Case, name string, from int, by float64) {
	for i := range c.Series {
		if c.Series[i].Name == name {
			for k := from; k < len(c.Times); k++ {
				c.Series[i].Values[k] += by * (1.5 + math.Sin(float64(k)))
			}
		}
	}
}

func rank(t *testing.T, c *incident.Case) *incident.Ranking {
	t.Helper()
	r, err := incident.Rank(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(causes []incident.Cause) (out []string) {
	for _, c := range causes {
		out = append(out, c.Series.Name)
	}
	return out
}

// TestTheCauseStandsFirst: what moved with the outcome stands before what had moved as far already, and before what did not.
func TestTheCauseStandsFirst(t *testing.T) {
	for seed := range uint64(20) {
		c := scene(seed, 100, 10, "shop|latency|p95", "db|latency|p95", "db|cpu", "mail|latency|p95", "mail|cpu", "search|latency|p95")
		push(c, "shop|latency|p95", 91, 20)
		push(c, "db|latency|p95", 90, 20)
		for k := 55; k < 100; k++ { // as far, but all the time
			c.Series[3].Values[k] += 30
		}
		r := rank(t, c)
		if got := r.Causes[0]; got.Series.Name != "db|latency|p95" || got.Label != incident.Strong || got.Onset != 90*minute {
			t.Errorf("seed %d: first is %s, %q since %d", seed, got.Series.Name, got.Label, got.Onset/minute)
		}
		for _, c := range r.Causes {
			if s := c.Series.Service; s == "search" && c.Label != "" {
				t.Errorf("seed %d: %s, which did nothing, is labelled %q", seed, c.Series.Name, c.Label)
			}
		}
		if !slices.Equal(names(r.First), []string{"db|latency|p95"}) {
			t.Errorf("seed %d: first movers %v", seed, names(r.First))
		}
	}
}

// TestNothingExplainsIt: an outcome that moves alone has no labelled cause.
func TestNothingExplainsIt(t *testing.T) {
	explained := 0
	for seed := range uint64(50) {
		c := scene(seed, 100, 10, "shop|orders", "db|cpu", "db|latency", "web|cpu", "web|latency")
		push(c, "shop|orders", 90, -20)
		r := rank(t, c)
		if r.Explained() || len(r.First) > 0 {
			explained++
		}
		if len(r.Causes) != 4 || r.Outcome.Shift > -3 {
			t.Fatalf("seed %d: %d causes, outcome moved %v", seed, len(r.Causes), r.Outcome.Shift)
		}
	}
	if explained > 0 {
		t.Errorf("%d of 50 quiet systems explain something", explained)
	}
}

// TestTheBlameGoesToTheCallee: a chain of services that are slow alike begins at its end, once it is known.
func TestTheBlameGoesToTheCallee(t *testing.T) {
	chain := []string{"shop|latency", "gateway|latency", "orders|latency", "db|latency"}
	for seed := range uint64(20) {
		c := scene(seed, 100, 10, chain...)
		for _, name := range chain {
			push(c, name, 90, 30)
		}
		c.Graph = incident.NewGraph([][2]string{{"shop", "gateway"}, {"gateway", "orders"}, {"orders", "db"}, {"db", "db"}})
		r := rank(t, c)
		if got := r.Causes[0].Series.Service; got != "db" {
			t.Errorf("seed %d: %s is blamed", seed, got)
		}
		if !slices.Equal(names(r.First), []string{"db|latency"}) {
			t.Errorf("seed %d: first movers with a graph: %v", seed, names(r.First))
		}
		c.Graph = nil
		if r = rank(t, c); len(r.First) != 3 {
			t.Errorf("seed %d: first movers without a graph: %v", seed, names(r.First))
		}
	}
}

// TestRankingHasNoUnitsAndNoOrder: scaling a column, or sorting the columns otherwise, changes no score.
func TestRankingHasNoUnitsAndNoOrder(t *testing.T) {
	c := scene(5, 100, 10, "shop|latency", "a|latency", "b|latency", "a|cpu", "b|cpu")
	push(c, "shop|latency", 90, 10)
	push(c, "a|latency", 90, 10)
	push(c, "b|cpu", 90, 5)
	before := rank(t, c)
	c.Series = slices.Clone(c.Series)
	for i := range c.Series {
		c.Series[i].Values = slices.Clone(c.Series[i].Values)
		for k := range c.Series[i].Values {
			c.Series[i].Values[k] *= math.Pow(1000, float64(i-2))
		}
	}
	slices.Reverse(c.Series)
	after := rank(t, c)
	if !slices.Equal(names(before.Causes), names(after.Causes)) {
		t.Errorf("%v became %v", names(before.Causes), names(after.Causes))
	}
	for i := range before.Causes {
		if a, b := before.Causes[i], after.Causes[i]; math.Abs(a.Score-b.Score) > 1e-9 || a.Label != b.Label {
			t.Errorf("%s: score %v became %v", a.Series.Name, a.Score, b.Score)
		}
	}
}

// TestPoorColumnsDoNoHarm: constant, empty and holed columns neither win nor break the ranking.
func TestPoorColumnsDoNoHarm(t *testing.T) {
	c := scene(7, 100, 10, "shop|latency", "db|latency", "still|latency", "empty|latency", "holes|latency", "woken|latency", "one|latency")
	push(c, "shop|latency", 90, 30)
	push(c, "db|latency", 90, 30)
	push(c, "holes|latency", 90, 10)
	for k := range c.Times {
		c.Series[2].Values[k] = 0
		c.Series[3].Values[k] = math.NaN()
		if k%3 > 0 {
			c.Series[4].Values[k] = math.NaN()
		}
		c.Series[5].Values[k] = 0
		if k > 0 {
			c.Series[6].Values[k] = math.NaN()
		}
	}
	c.Series[5].Values[97] = 1e9 // it never moved before
	r := rank(t, c)
	if r.Causes[0].Series.Name != "db|latency" {
		t.Errorf("first is %s", r.Causes[0].Series.Name)
	}
	for _, x := range r.Causes {
		if math.IsNaN(x.Score) || math.IsInf(x.Score, 0) || math.IsNaN(x.Shift) || math.IsNaN(x.CoMovement) {
			t.Errorf("%s: score %v, shift %v, r %v", x.Series.Name, x.Score, x.Shift, x.CoMovement)
		}
		if s := x.Series.Service; s == "empty" || s == "one" || s == "still" && x.Label != "" {
			t.Errorf("%s is a cause, labelled %q", s, x.Label)
		}
	}
}

// TestSeasonIsNoCause: at the hour at which everything rises every day, what rose more than usual is found, and what rises
// every day is not.
func TestSeasonIsNoCause(t *testing.T) {
	c := scene(9, 0, 0, nil...)
	r := rand.New(rand.NewPCG(9, 9))
	const perHour, days = 12, 22
	n := days * 24 * perHour
	cols := map[string][]float64{}
	order := []string{"shop|latency", "db|cpu", "web|cpu", "mail|cpu"}
	for i := range n {
		c.Times = append(c.Times, int64(i)*5*minute)
		day := 100 * (1 + math.Sin(2*math.Pi*float64(i)/(24*perHour)))
		for _, name := range order {
			cols[name] = append(cols[name], 200+day+3*r.NormFloat64())
		}
	}
	from := n - 18*perHour // six in the morning: everything is at its highest
	c.From, c.Until = c.Times[from], c.Times[from+11]
	for k := from; k < from+12; k++ {
		w := 1.5 + math.Sin(float64(k))
		cols["shop|latency"][k] += 25 * w
		cols["db|cpu"][k] += 25 * w
	}
	for _, name := range order {
		s := incident.Named(name, cols[name])
		s.Outcome = name == order[0]
		c.Series = append(c.Series, s)
	}
	rk := rank(t, c.Deseason())
	if got := rk.Causes[0]; got.Series.Name != "db|cpu" || got.Label != incident.Strong {
		t.Errorf("first is %s, labelled %q", got.Series.Name, got.Label)
	}
	for _, x := range rk.Causes[1:] {
		if x.Label != "" {
			t.Errorf("%s rises every day and is labelled %q (shift %.1f, r %.2f)", x.Series.Name, x.Label, x.Shift, x.CoMovement)
		}
	}
	if rank(t, c).Causes[0].Label == incident.Strong {
		t.Error("the season hides nothing: the test does not test")
	}
}

func TestCasesThatCannotBeRanked(t *testing.T) {
	check := func(want string, change func(*incident.Case)) {
		t.Helper()
		c := scene(1, 20, 5, "shop|latency", "db|latency")
		change(c)
		if _, err := incident.Rank(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	check("no series is the outcome", func(c *incident.Case) { c.Series[0].Outcome = false })
	check("no row lies in the incident", func(c *incident.Case) { c.From, c.Until = 1e12, 2e12 })
	check("ends before it begins", func(c *incident.Case) { c.From, c.Until = c.Until, c.From })
	check("only 0 rows lie outside", func(c *incident.Case) { c.From = 0 })
	check("19 values at 20 times", func(c *incident.Case) { c.Series[1].Values = c.Series[1].Values[1:] })
	check("the outcome has no values", func(c *incident.Case) {
		for i := range c.Times[:15] {
			c.Series[0].Values[i] = math.NaN()
		}
	})
}

func TestFirstMovers(t *testing.T) {
	g := incident.NewGraph([][2]string{{"shop", "orders"}, {"orders", "db"}, {"a", "b"}, {"b", "a"}})
	check := func(g *incident.Graph, want []int, movers ...incident.Mover) {
		t.Helper()
		if got := incident.FirstMovers(movers, g); !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", movers, got, want)
		}
	}
	check(nil, nil)
	check(nil, []int{0}, incident.Mover{Service: "shop", Row: 7})
	check(nil, []int{1}, incident.Mover{Service: "shop", Row: 7}, incident.Mover{Service: "db", Row: 4})    // three samples: an order
	check(nil, []int{0, 1}, incident.Mover{Service: "shop", Row: 7}, incident.Mover{Service: "db", Row: 5}) // two: none
	check(g, []int{1}, incident.Mover{Service: "shop", Row: 5}, incident.Mover{Service: "db", Row: 7})      // the graph knows, over one between
	check(g, []int{0}, incident.Mover{Service: "shop", Row: 4}, incident.Mover{Service: "db", Row: 7})      // too late to have been the cause
	check(g, []int{0, 1}, incident.Mover{Service: "shop", Row: 5}, incident.Mover{Service: "mail", Row: 5}) // strangers
	check(g, []int{0, 1}, incident.Mover{Service: "a", Row: 5}, incident.Mover{Service: "b", Row: 6})       // who call each other
	check(nil, []int{0}, incident.Mover{Service: "db", Row: 6}, incident.Mover{Service: "db", Row: 5})      // one of a service
	check(g, []int{1}, incident.Mover{Service: "shop", Row: 5}, incident.Mover{Service: "db", Row: 5}, incident.Mover{Service: "orders", Row: 5})
	infra, app := series.Infrastructure, series.Application
	check(nil, []int{1}, incident.Mover{Service: "x", Row: 5, Layer: app}, incident.Mover{Service: "y", Row: 6, Layer: infra})   // what x runs on
	check(nil, []int{0}, incident.Mover{Service: "x", Row: 5, Layer: app}, incident.Mover{Service: "y", Row: 8, Layer: infra})   // too late
	check(g, []int{0}, incident.Mover{Service: "db", Row: 5, Layer: app}, incident.Mover{Service: "shop", Row: 5, Layer: infra}) // the graph knows better
}

func TestGraph(t *testing.T) {
	g := incident.NewGraph([][2]string{{"a", "b"}, {"b", "c"}, {"c", "a"}, {"a", "b"}, {"d", "d"}, {"a", "a"}})
	if got := g.Callees("a"); !slices.Equal(got, []string{"b"}) {
		t.Errorf("a calls %v", got)
	}
	if !g.Calls("a", "c") || g.Calls("c", "d") || g.Calls("d", "d") || g.Calls("a", "a") {
		t.Error("reached wrongly")
	}
	if got := g.Edges(); len(got) != 3 || got[0] != [2]string{"a", "b"} {
		t.Errorf("edges %v", got)
	}
	var none *incident.Graph
	if none.Calls("a", "b") || none.Callees("a") != nil || none.Edges() != nil {
		t.Error("nobody knows somebody")
	}
}
