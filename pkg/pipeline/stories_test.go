package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

// village is a core without stores: orders by region, latency by service, and cpu of which only a rise is bad news.
type village struct {
	*Core
	marks []state.Annotation
}

const (
	villageStep  = 5 * time.Minute
	villageStart = int64(1_767_571_200_000)
	villageWarm  = 5 * 288 // rows
)

func newVillage(t *testing.T) *village {
	t.Helper()
	def := func(name string, layer series.Layer, dir series.Direction, labels map[string]string) signal.Definition {
		return signal.Definition{
			Name: name, Alert: name, Layer: layer, Direction: dir, Interval: villageStep, Zone: "UTC", Severity: "warning", Labels: labels,
			Budget: signal.Budget{Signal: 100, Total: 300},
		}
	}
	c, err := NewCore([]signal.Definition{
		def("orders", series.Business, series.Down, map[string]string{"service": "shop"}),
		def("latency", series.Application, series.Up, nil),
		def("cpu", series.Infrastructure, series.Up, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	v := &village{Core: c}
	c.marks = func() *Marks { return NewMarks(v.marks) }
	c.TellStories(Ties{Topology: func(int64) *incident.Graph { return incident.NewGraph([][2]string{{"shop", "db"}}) }})
	return v
}

// row steps row k; push says by how many deviations of its noise each series is off, by signal and service or region.
func (v *village) row(k int, push map[string]float64) Output {
	t := villageStart + int64(k)*villageStep.Milliseconds()
	var in []Input
	for i, of := range []struct {
		label  string
		values []string
	}{{"region", []string{"eu", "us", "asia"}}, {"service", []string{"shop", "db", "mail"}}, {"service", []string{"shop", "db", "mail"}}} {
		s := v.signals[i]
		var obs []Observation
		for n, value := range of.values {
			x := 1000 + float64(noise(int64(k), i*10+n, 21)%1000)/50 + 12*push[s.Def.Name+" "+value]
			obs = append(obs, Observation{Labels: series.FromStrings(of.label, value), Point: series.Point{Value: x}})
		}
		in = append(in, Input{Signal: s, Observations: obs, Otherwise: series.NoData})
	}
	return v.Step(t, in)
}

// story pushes for some rows after the warm-up, and returns what came of it.
func (v *village) story(rows int, push func(k int) map[string]float64) (outs []Output) {
	for k := range villageWarm {
		v.row(k, nil)
	}
	for k := range rows {
		outs = append(outs, v.row(villageWarm+k, push(k)))
	}
	return outs
}

func begun(outs []Output, name string) (found []Occurrence, at int64) {
	for i := range outs {
		for _, o := range outs[i].Events {
			if o.Signal.Def.Name == name && o.Event.Kind == detect.Begin {
				found, at = append(found, o), outs[i].T
			}
		}
	}
	return found, at
}

// TestALoneAnomalySaysWhatMayExplainIt: a deploy before it, and what moved with it although nobody would call it an anomaly; or that
// there is nothing.
func TestALoneAnomalySaysWhatMayExplainIt(t *testing.T) {
	v := newVillage(t)
	deploy := villageStart + (villageWarm-1)*villageStep.Milliseconds() - 60_000
	v.marks = []state.Annotation{
		{ID: "1", Type: DeployMark, Start: deploy, End: deploy, Text: "shop v42", Labels: map[string]string{"service": "shop"}},
		{ID: "2", Type: DeployMark, Start: deploy, End: deploy, Text: "mail v7", Labels: map[string]string{"service": "mail"}},
		{ID: "3", Type: EventMark, Start: deploy - 2*hourMillis, End: deploy - 2*hourMillis, Text: "long ago"},
	}
	outs := v.story(6, func(int) map[string]float64 {
		return map[string]float64{"orders eu": -20, "cpu db": -20} // less load on the database is no alert
	})
	found, at := begun(outs, "orders")
	if len(found) != 1 || found[0].Incident != "" {
		t.Fatalf("orders began %+v", found)
	}
	w := Describe(&found[0], at, nil, nil)
	text := w.Annotations["likely_causes"]
	for _, want := range []string{"1. deploy “shop v42” 6 min before", "2. cpu (service=db) ", "below normal", "(strong)"} {
		if !strings.Contains(text, want) {
			t.Errorf("likely causes %q lack %q", text, want)
		}
	}
	for _, not := range []string{"mail", "long ago", "latency"} {
		if strings.Contains(text, not) {
			t.Errorf("likely causes %q tell of %q", text, not)
		}
	}

	v = newVillage(t)
	found, at = begun(v.story(6, func(int) map[string]float64 { return map[string]float64{"orders us": -20} }), "orders")
	if len(found) != 1 {
		t.Fatalf("orders began %d times", len(found))
	}
	w = Describe(&found[0], at, nil, nil)
	if text := w.Annotations["likely_causes"]; text != "nothing that is watched explains it" {
		t.Errorf("likely causes are %q", text)
	}
}

// slowDatabase is a cascade: the database, then what calls it, then the orders of one region.
func slowDatabase(k int) map[string]float64 {
	push := map[string]float64{}
	wave := 1.5 + math.Sin(float64(k))/2
	if k < 20 {
		push["latency db"], push["cpu db"] = 20*wave, 15*wave
	}
	if k >= 3 && k < 20 {
		push["latency shop"] = 20 * wave
	}
	if k >= 4 && k < 22 {
		push["orders eu"] = -20 * wave
	}
	return push
}

func TestAStoryNamesTheLabelThatCarriesIt(t *testing.T) {
	v := newVillage(t)
	v.story(12, slowDatabase)
	open := slices.DeleteFunc(slices.Clone(v.stories.tracker.Open), func(in *incident.Incident) bool { return !in.Told() })
	if len(open) != 1 {
		t.Fatalf("%d incidents", len(open))
	}
	in := open[0]
	if got := in.Story.Carriers; len(got) != 1 || got[0].Name != "region" || got[0].Value != "eu" || got[0].Share < 0.9 || math.Abs(got[0].Usual-1.0/3) > 0.05 {
		t.Errorf("carriers %+v", got)
	}
	if first := in.Story.First; len(first) != 1 || first[0].Service != "db" {
		t.Errorf("first movers %+v", first)
	}
	if b := in.Story.Broken; b == nil || b.Service != "shop" {
		t.Errorf("broken %+v", b)
	}
	if in.Labels["alertname"] != "Incident" || in.Labels["severity"] != "warning" || in.Labels["service"] != "db" && in.Labels["service"] != "" {
		t.Errorf("labels %v", in.Labels)
	}
	w := v.DescribeIncident(in, villageStart, nil, map[string]string{"cluster": "eu1"}, nil)
	for _, want := range []string{"moved first", "It shows in latency (service=shop)", "region=eu carries", "anomalies in this incident"} {
		if !strings.Contains(w.Annotations["description"], want) {
			t.Errorf("description %q lacks %q", w.Annotations["description"], want)
		}
	}
	if w.Labels["cluster"] != "eu1" || w.Labels["incident"] != in.ID {
		t.Errorf("labels %v", w.Labels)
	}
}

// TestWhatIsSilencedIsNobodysStory: two anomalies of which one is silenced are no incident, and its end is that of one.
func TestWhatIsSilencedIsNobodysStory(t *testing.T) {
	v := newVillage(t)
	v.SetSilenced(func(ls series.Labels, _ int64) string {
		if ls.Get("signal") == "latency" || ls.Get("signal") == "cpu" {
			return "silence"
		}
		return ""
	})
	for _, out := range v.story(30, slowDatabase) {
		if len(out.Stories) > 0 {
			t.Fatalf("told %+v", out.Stories[0].Incident)
		}
	}
}

// TestAQuietIncidentThatGrowsIsNews: two anomalies beyond the budget are an incident that wakes nobody; once one is certain, the
// incident is told anew, as one that does.
func TestAQuietIncidentThatGrowsIsNews(t *testing.T) {
	v := newVillage(t)
	for k := range villageWarm {
		v.row(k, nil)
	}
	v.teams[0].budget.Left = -1000
	var told []Transition
	for k := range 12 {
		by := 3.0
		if k > 6 {
			by = 30
		}
		out := v.row(villageWarm+k, map[string]float64{"latency db": by, "cpu db": by})
		in := &Instance{core: v.Core, metrics: newMetrics(nil), o: Options{Logger: discard()}}
		for i := range out.Stories {
			in.tellStory(t.Context(), &out.Stories[i], out.T)
		}
		told = append(told, in.transitions...)
	}
	if len(told) < 2 || told[0].Annotations[alert.PagingAnnotation] != "false" || told[0].Escalated {
		t.Fatalf("it began as %+v", told)
	}
	grown := 0
	for _, tr := range told[1:] {
		if tr.Escalated {
			grown++
			if !tr.Firing || tr.Updated != 0 || tr.Annotations[alert.PagingAnnotation] != "" {
				t.Errorf("it grew to %+v", tr)
			}
		}
	}
	if grown != 1 {
		t.Errorf("told %d times that it wakes people by now", grown)
	}
}

// TestAnIncidentGetsGraverOnce: a critical anomaly that joins a story of warnings is told as that story, which is critical from then on.
func TestAnIncidentGetsGraverOnce(t *testing.T) {
	v := newVillage(t)
	for k := range villageWarm {
		v.row(k, nil)
	}
	v.signals[0].Def.Severity = "critical" // orders
	var told []Transition
	for k := range 30 {
		out := v.row(villageWarm+k, slowDatabase(k))
		in := &Instance{core: v.Core, metrics: newMetrics(nil), o: Options{Logger: discard()}}
		for i := range out.Stories {
			in.tellStory(t.Context(), &out.Stories[i], out.T)
		}
		told = append(told, in.transitions...)
	}
	graver := 0
	for i, tr := range told {
		if tr.Labels["severity"] != "warning" || tr.Labels["incident"] != told[0].Labels["incident"] {
			t.Errorf("transition %d has the labels %v: it is another alert", i, tr.Labels)
		}
		if tr.Graver {
			graver++
		}
		if got := tr.Annotations[alert.SeverityAnnotation] == "critical"; got != (graver > 0) || tr.Graver && (tr.Updated != 0 || !tr.Firing) {
			t.Errorf("transition %d of %d: %+v", i, len(told), tr)
		}
	}
	if graver != 1 || told[len(told)-1].Firing {
		t.Errorf("told %d times that it is graver, and at last %+v", graver, told[len(told)-1])
	}
}

// TestAChangeOfTheFirstMoverIsTold: who was told first is named beside who is by now.
func TestAChangeOfTheFirstMoverIsTold(t *testing.T) {
	v := newVillage(t)
	v.story(8, slowDatabase)
	in := v.stories.tracker.Open[0]
	if !in.Told() || len(in.Story.Former) != 0 {
		t.Fatalf("%+v", in.Story)
	}
	now := v.signals[0].series[0].verdict.T
	if in.Story.First[0].Service != "db" {
		t.Errorf("first are %+v", in.Story.First)
	}
	told := in.Story
	for range 3 {
		told.First = []incident.Suspect{{Signal: "latency", Labels: series.FromStrings("service", "shop")}}
		in.Story = in.Settle(told, now, villageStep.Milliseconds())
	}
	d := v.DescribeIncident(in, now, nil, nil, nil).Annotations["description"]
	if want := "Latency (service=shop) moved first. First said to be "; !strings.HasPrefix(d, want) || !strings.Contains(d, "(service=db); since ") {
		t.Errorf("%q does not say %q", d, want)
	}
}

// TestAStormOfIncidentsTakesTurns: of thirty stories that began at once all are told at once, ten are ranked at each tick, and
// all of them soon.
func TestAStormOfIncidentsTakesTurns(t *testing.T) {
	const services = 3 * maxRanked
	v := newVillage(t)
	row := func(k int, push float64) Output {
		var in []Input
		for i, s := range v.signals[1:] {
			var obs []Observation
			for n := range services {
				x := 1000 + float64(noise(int64(k), i*services+n, 21)%1000)/50 + push
				obs = append(obs, Observation{Labels: series.FromStrings("service", fmt.Sprint(n)), Point: series.Point{Value: x}})
			}
			in = append(in, Input{Signal: s, Observations: obs, Otherwise: series.NoData})
		}
		return v.Step(villageStart+int64(k)*villageStep.Milliseconds(), in)
	}
	for k := range villageWarm {
		row(k, 0)
	}
	ranked := map[string]bool{}
	for k := range 6 {
		out := row(villageWarm+k, 400)
		now := 0
		for _, in := range v.stories.tracker.Open {
			if in.Story.Outcome.Signal == "" || len(in.Story.First) == 0 {
				t.Errorf("tick %d: incident %s has no story", k, in.ID)
			}
			if in.Story.RankedAt == out.T {
				now++
				ranked[in.ID] = true
			}
		}
		if now > maxRanked {
			t.Errorf("tick %d: %d incidents were ranked", k, now)
		}
		if k == 0 && len(out.Stories) != services {
			t.Errorf("%d incidents were told, want %d", len(out.Stories), services)
		}
	}
	if len(ranked) != services {
		t.Errorf("%d of %d incidents were ever ranked", len(ranked), services)
	}
}

// TestTheLabelsOfASignalAreMadeOnce: what is silenced is remembered by their address.
func TestTheLabelsOfASignalAreMadeOnce(t *testing.T) {
	s := newVillage(t).signals[0]
	if a, b := s.labelsOf(nil), s.labelsOf(nil); &a[0] != &b[0] {
		t.Error("the labels of a signal as a whole are made anew each time")
	}
}

// TestStoriesSurviveARestart: a core that is stored and read before every row of an incident tells the same story, bit by bit.
func TestStoriesSurviveARestart(t *testing.T) {
	whole, parts := newVillage(t), newVillage(t)
	for k := range villageWarm {
		whole.row(k, nil)
		parts.row(k, nil)
	}
	told := 0
	for k := range 40 {
		b, err := parts.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		parts = newVillage(t)
		if _, err := parts.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		a, z := whole.row(villageWarm+k, slowDatabase(k)), parts.row(villageWarm+k, slowDatabase(k))
		if x, y := tale(whole, &a), tale(parts, &z); x != y {
			t.Fatalf("row %d: %s\nbecame %s", k, x, y)
		}
		told += len(a.Stories)
	}
	a, errA := whole.AppendBinary(nil)
	z, errZ := parts.AppendBinary(nil)
	if errA != nil || errZ != nil || string(a) != string(z) {
		t.Errorf("states differ (%v, %v)", errA, errZ)
	}
	if told < 3 {
		t.Errorf("only %d changes were told", told)
	}
	for cut := len(a) - 5000; cut < len(a); cut += 97 {
		if _, err := newVillage(t).UnmarshalBinary(a[:cut]); err == nil {
			t.Fatalf("a snapshot cut at %d of %d is read", cut, len(a))
		}
	}
}

// tale is all that an output says of incidents.
func tale(v *village, out *Output) string {
	var b strings.Builder
	for i := range out.Stories {
		s := &out.Stories[i]
		fmt.Fprintln(&b, s.Began, s.Ended, s.Joined, s.Retold, v.DescribeIncident(s.Incident, out.T, nil, nil, nil))
	}
	for i := range out.Events {
		fmt.Fprintln(&b, Describe(&out.Events[i], out.T, nil, nil))
	}
	for i := range out.Updates {
		fmt.Fprintln(&b, "update", out.Updates[i].Incident, out.Updates[i].Event)
	}
	return b.String()
}
