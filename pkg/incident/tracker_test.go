package incident_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
)

// anomaly makes one of a signal, named like its service.
func anomaly(id, signal, service string, start int64) incident.Anomaly {
	return incident.Anomaly{ID: id, Signal: signal, Service: service, Layer: series.Application, Severity: "warning", StartsAt: start * minute, Peak: 2}
}

// story runs a tracker over what is open at each minute, and lists what it says.
func story(t *testing.T, ties *incident.Ties, minutes int64, open func(m int64) []incident.Anomaly) (tr *incident.Tracker, said []string) {
	t.Helper()
	tr = &incident.Tracker{}
	for m := range minutes {
		for _, c := range tr.Step(m*minute, open(m), ties) {
			verb := "grows"
			switch {
			case c.Began:
				verb = "begins"
			case c.Ended && c.Incident.Merged != "":
				verb = "merges"
			case c.Ended:
				verb = "ends"
			}
			said = append(said, fmt.Sprintf("%d %s with %d", m, verb, len(c.Incident.Members)))
		}
		b, err := json.Marshal(tr) // a restart between any two ticks
		if err != nil {
			t.Fatal(err)
		}
		again := &incident.Tracker{}
		if err := json.Unmarshal(b, again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tr, again) && len(tr.Open) > 0 {
			t.Fatalf("minute %d: %+v became %+v", m, tr.Open[0], again.Open[0])
		}
		tr = again
	}
	return tr, said
}

// during returns anomalies that are open from their start up to a minute.
func during(m int64, all map[*incident.Anomaly]int64) (open []incident.Anomaly) {
	for a, end := range all {
		if a.StartsAt <= m*minute && m < end {
			open = append(open, *a)
		}
	}
	slices.SortFunc(open, func(a, b incident.Anomaly) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return open
}

func TestAnomaliesOfOneServiceAreOneIncident(t *testing.T) {
	a, b, c := anomaly("a", "latency", "shop", 2), anomaly("b", "errors", "shop", 4), anomaly("c", "latency", "mail", 4)
	all := map[*incident.Anomaly]int64{&a: 10, &b: 8, &c: 20}
	_, said := story(t, &incident.Ties{}, 30, func(m int64) []incident.Anomaly { return during(m, all) })
	if want := []string{"4 begins with 2", "15 ends with 2"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// TestWhatFindsNoRoomIsNotAskedAgain: four hundred strangers at once, of which two hundred are followed; a tick that changes nothing asks
// nothing. When it is over everything is forgotten, and the next one is followed.
func TestWhatFindsNoRoomIsNotAskedAgain(t *testing.T) {
	var all []incident.Anomaly
	for i := range 400 {
		all = append(all, anomaly(fmt.Sprintf("%03d", i), fmt.Sprint("signal", i), "", 0))
	}
	asked := 0
	ties := &incident.Ties{Learned: func(string, string) bool { asked++; return false }}
	tr := &incident.Tracker{}
	tr.Step(0, all, ties)
	if len(tr.Open) != 200 || len(tr.Beyond) != 200 || asked == 0 {
		t.Fatalf("%d are followed, %d are not, %d were asked", len(tr.Open), len(tr.Beyond), asked)
	}
	b, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	tr = &incident.Tracker{}
	if err := json.Unmarshal(b, tr); err != nil {
		t.Fatal(err)
	}
	asked = 0
	tr.Step(30*minute, all, ties) // too late for strangers to be asked whether they moved together
	if asked > 0 {
		t.Errorf("a tick with nothing new asked %d times", asked)
	}
	again := all[399]
	again.StartsAt = 40 * minute
	tr.Step(40*minute, []incident.Anomaly{again}, ties)
	if len(tr.Beyond) > 1 {
		t.Errorf("%d are remembered though they are over", len(tr.Beyond))
	}
	tr.Step(60*minute, nil, ties)
	tr.Step(61*minute, []incident.Anomaly{anomaly("x", "x", "", 61)}, ties)
	if len(tr.Open) != 1 || len(tr.Beyond) != 0 {
		t.Errorf("%d are followed, %d are not", len(tr.Open), len(tr.Beyond))
	}
}

func TestTopologyJoinsAndStrangersStayApart(t *testing.T) {
	a, b, c, d := anomaly("a", "latency", "db", 1), anomaly("b", "latency", "shop", 3), anomaly("c", "errors", "search", 3), anomaly("d", "cpu", "db", 3)
	all := map[*incident.Anomaly]int64{&a: 20, &b: 20, &c: 20, &d: 20}
	g := incident.NewGraph([][2]string{{"shop", "checkout"}, {"checkout", "db"}, {"front", "shop"}, {"front", "search"}})
	tr, _ := story(t, &incident.Ties{Graph: g}, 10, func(m int64) []incident.Anomaly { return during(m, all) })
	if len(tr.Open) != 2 || len(tr.Open[0].Members) != 3 || tr.Open[1].Members[0].ID != "c" || tr.Open[1].Told() {
		t.Fatalf("incidents %+v", tr.Open)
	}
	why := map[string]string{"a": "", "b": "shop calls db", "d": "of db too"}
	for _, m := range tr.Open[0].Members {
		if m.Why != why[m.ID] {
			t.Errorf("%s is a member because %q, want %q", m.ID, m.Why, why[m.ID])
		}
	}
}

func TestWhatConnectsTwoStoriesMakesThemOne(t *testing.T) {
	a, b := anomaly("a", "latency", "db", 1), anomaly("b", "cpu", "db", 1)
	c, d := anomaly("c", "orders", "shop", 2), anomaly("d", "latency", "shop", 2)
	between := anomaly("e", "errors", "checkout", 5)
	all := map[*incident.Anomaly]int64{&a: 20, &b: 20, &c: 20, &d: 20, &between: 20}
	g := incident.NewGraph([][2]string{{"x", "shop"}, {"x", "checkout"}})
	ties := &incident.Ties{Graph: g, Learned: func(a, b string) bool { return a == "errors" && (b == "cpu" || b == "orders") }}
	tr, said := story(t, ties, 40, func(m int64) []incident.Anomaly { return during(m, all) })
	want := []string{"1 begins with 2", "2 begins with 2", "5 grows with 5", "5 merges with 2", "25 ends with 5"}
	if !slices.Equal(said, want) || len(tr.Open) != 0 {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestAnIncidentWaitsForWhatGoesOn(t *testing.T) {
	a, b := anomaly("a", "latency", "shop", 1), anomaly("b", "errors", "shop", 1)
	again := anomaly("a", "latency", "shop", 8)
	all := map[*incident.Anomaly]int64{&a: 4, &b: 5, &again: 12}
	_, said := story(t, &incident.Ties{}, 30, func(m int64) []incident.Anomaly { return during(m, all) })
	if want := []string{"1 begins with 2", "8 grows with 3", "17 ends with 3"}; !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}

// TestAYoungAnomalyIsAskedAgain: what shows with later points that it belongs to an older one joins it then.
func TestAYoungAnomalyIsAskedAgain(t *testing.T) {
	a, b := anomaly("a", "latency", "shop", 1), anomaly("b", "orders", "", 3)
	all := map[*incident.Anomaly]int64{&a: 20, &b: 20}
	now := int64(0)
	ties := &incident.Ties{Together: func(_, _ *incident.Anomaly) bool { return now >= 6 }}
	tr, said := story(t, ties, 40, func(m int64) []incident.Anomaly {
		now = m
		return during(m, all)
	})
	if want := []string{"6 begins with 2", "25 ends with 2"}; !slices.Equal(said, want) || len(tr.Open) != 0 {
		t.Errorf("said %q, want %q", said, want)
	}
}

// TestWhatHasNoServiceJoinsByLabelsOrCourse: it may be about any service, but not about another region.
func TestWhatHasNoServiceJoinsByLabelsOrCourse(t *testing.T) {
	moved := true
	ties := &incident.Ties{Together: func(_, _ *incident.Anomaly) bool { return moved }}
	check := func(name string, want bool, a, b incident.Anomaly) {
		t.Helper()
		if _, got := ties.Related(&a, &b); got != want {
			t.Errorf("%s: related %t, want %t", name, got, want)
		}
	}
	with := func(a incident.Anomaly, labels ...string) incident.Anomaly {
		a.Labels = series.FromStrings(labels...)
		return a
	}
	orders, latency := anomaly("a", "orders", "", 10), anomaly("b", "latency", "shop", 4)
	check("moved together", true, orders, latency)
	check("twenty minutes apart", false, anomaly("a", "orders", "", 24), latency)
	check("of other regions", false, with(orders, "region", "eu"), with(latency, "region", "us"))
	check("of two services", false, anomaly("a", "orders", "mail", 10), latency)
	moved = false
	check("moved otherwise", false, orders, latency)
	check("of one region", false, with(orders, "region", "eu"), with(latency, "region", "eu"))
	check("of one route", true, with(orders, "route", "/pay"), with(latency, "route", "/pay"))
}

func TestOutcomeAndBroken(t *testing.T) {
	at := func(a incident.Anomaly, l series.Layer, peak float64) incident.Anomaly {
		a.Layer, a.Peak = l, peak
		return a
	}
	g := incident.NewGraph([][2]string{{"front", "checkout"}, {"checkout", "db"}})
	in := &incident.Incident{Members: []incident.Anomaly{
		at(anomaly("a", "disk", "db", 1), series.Infrastructure, 9),
		at(anomaly("b", "latency", "checkout", 2), series.Application, 8),
		at(anomaly("c", "latency", "front", 3), series.Application, 2),
	}}
	if got := in.Outcome(g); got != 2 {
		t.Errorf("outcome is member %d, want the one that calls the others", got)
	}
	first := in.Earliest(g, minute)
	if len(first) != 1 || first[0].Signal != "disk" {
		t.Errorf("first %+v", first)
	}
	if b := in.Broken(g, &in.Members[2], first); b == nil || b.Service != "front" {
		t.Errorf("broken %+v", b)
	}
	if b := in.Broken(nil, &in.Members[2], first); b == nil || b.Service != "checkout" {
		t.Errorf("without a graph, broken is %+v, want who is furthest from normal", b)
	}
	in.Members = append(in.Members, at(anomaly("d", "orders", "", 4), series.Business, 1))
	if got := in.Outcome(g); got != 3 || len(in.Impact()) != 1 {
		t.Errorf("outcome is member %d, impact %v", got, in.Impact())
	}
}

func TestCourse(t *testing.T) {
	var c incident.Course
	if d := c.At(5); d == d {
		t.Errorf("an empty course says %v", d)
	}
	values := []float64{0, 0.01, -0.01, 0.5, -1, 3, -40, 900}
	for i, v := range values {
		c.Put(int64(1000+i), v)
	}
	for i, v := range values {
		if got := c.At(int64(1000 + i)); max(got-v, v-got) > 0.006+0.05*max(v, -v) {
			t.Errorf("%v became %v", v, got)
		}
	}
	c.Put(1010, 1)
	if d := c.At(1009); d == d {
		t.Errorf("a slot that was passed over says %v", d)
	}
	c.Put(1003, 7) // late
	if d := c.At(1003); d > 1 {
		t.Errorf("what came late was taken: %v", d)
	}
	c.Put(1003+incident.CourseSlots, 2)
	if d := c.At(1003); d == d {
		t.Errorf("a slot that was forgotten says %v", d)
	}
	c.Put(1e6, 2)
	if d := c.At(1010); d == d || c.At(1e6) < 1.9 {
		t.Error("a long hole leaves something")
	}
}
