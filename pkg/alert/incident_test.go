package alert

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
)

// routeOf sends everything to main, and what matches a team there too.
func incidentRoute(groupBy ...model.LabelName) *dispatch.Route {
	by := map[model.LabelName]struct{}{}
	for _, n := range groupBy {
		by[n] = struct{}{}
	}
	return &dispatch.Route{RouteOpts: dispatch.RouteOpts{
		Receiver: "main", GroupBy: by, GroupWait: 30 * time.Second, GroupInterval: 5 * time.Minute, RepeatInterval: time.Hour,
	}}
}

func part(signal, severity, incident string, firing bool) Transition {
	return Transition{
		Firing: firing, StartsAt: 1, EndsAt: map[bool]int64{false: 400_000}[firing], Incident: incident,
		Labels: map[string]string{"alertname": signal, "signal": signal, "severity": severity}, Annotations: map[string]string{},
	}
}

func whole(id, severity string, firing bool) Transition {
	return Transition{
		Firing: firing, StartsAt: 1, EndsAt: map[bool]int64{false: 700_000}[firing],
		Labels: map[string]string{"alertname": "Incident", "type": "incident", "incident": id, "severity": severity}, Annotations: map[string]string{},
	}
}

func namesOf(ns []Notification) (out []string) {
	for i := range ns {
		for _, e := range ns[i].Alerts {
			state := "+"
			if !e.Firing {
				state = "-"
			}
			out = append(out, state+e.Labels["alertname"])
		}
	}
	slices.Sort(out)
	return out
}

// restarted is a machine that knows what the disk would.
func restarted(t *testing.T, m *Machine) *Machine {
	t.Helper()
	var all Stored
	for _, e := range m.episodes {
		all.Episodes = append(all.Episodes, e)
	}
	for _, g := range m.groups {
		all.Groups = append(all.Groups, g)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var read Stored
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	out := NewMachine(nil)
	out.Restore(read)
	return out
}

func TestAnIncidentIsToldInsteadOfItsParts(t *testing.T) {
	check := func(what string, ns []Notification, want ...string) {
		t.Helper()
		if got := namesOf(ns); !slices.Equal(got, want) {
			t.Errorf("%s: told %v, want %v", what, got, want)
		}
	}
	m := NewMachine(incidentRoute("alertname"))
	// The first part is told before there is an incident.
	m.Advance(0, []Transition{part("db", "warning", "", true)})
	ns, _ := m.Advance(30_000, nil)
	check("alone", ns, "+db")
	joined := part("db", "warning", "i1", true)
	joined.Updated = 60_000
	m.Advance(60_000, []Transition{joined, part("latency", "warning", "i1", true), whole("i1", "warning", true), part("disk", "critical", "i1", true)})
	ns, _ = m.Advance(90_000, nil)
	check("the story", ns, "+Incident", "+disk") // what is graver is told all the same
	ns, _ = m.Advance(400_000, []Transition{part("db", "warning", "i1", false), part("latency", "warning", "i1", false)})
	check("who was told to begin is told to end", ns, "-db")
	ns, _ = m.Advance(700_000, []Transition{whole("i1", "warning", false), part("disk", "critical", "i1", false)})
	check("the end", ns, "-Incident", "-disk")
	m.Advance(2_000_000, nil)
	m.Firing(func(e *Episode) { t.Errorf("%v fires still", e.Labels) })
	if len(m.episodes) != 0 || len(m.groups) != 0 {
		t.Errorf("%d episodes and %d groups are left", len(m.episodes), len(m.groups))
	}
}

// TestNobodyMissesAPart: a part is held back only from who hears of the incident, and only while somebody tells it.
func TestNobodyMissesAPart(t *testing.T) {
	m := NewMachine(incidentRoute("alertname"))
	m.Advance(0, []Transition{part("latency", "warning", "i2", true)})
	ns, _ := m.Advance(30_000, nil)
	if got := namesOf(ns); !slices.Equal(got, []string{"+latency"}) {
		t.Errorf("the incident is not known, and told is %v", got)
	}
	m = NewMachine(incidentRoute("alertname"))
	quiet := whole("i3", "warning", true)
	quiet.Annotations[PagingAnnotation] = "false"
	m.Advance(0, []Transition{part("latency", "warning", "i3", true), quiet})
	ns, _ = m.Advance(30_000, nil)
	if got := namesOf(ns); !slices.Equal(got, []string{"+Incident", "+latency"}) {
		t.Errorf("the incident wakes nobody, and told is %v", got)
	}
}

// TestAnIncidentThatWakesPeopleByNowIsNews: who was told of it as one that wakes nobody is told again, and of no part.
func TestAnIncidentThatWakesPeopleByNowIsNews(t *testing.T) {
	m := NewMachine(incidentRoute("alertname"))
	quiet := whole("i1", "warning", true)
	quiet.Annotations[PagingAnnotation] = "false"
	m.Advance(0, []Transition{quiet})
	if ns, _ := m.Advance(30_000, nil); len(ns) != 1 {
		t.Fatalf("told %v", namesOf(ns))
	}
	grown := whole("i1", "warning", true)
	grown.Escalated = true
	m.Advance(60_000, []Transition{part("latency", "warning", "i1", true), grown})
	ns, _ := m.Advance(330_000, nil)
	if got := namesOf(ns); !slices.Equal(got, []string{"+Incident"}) || ns[0].Alerts[0].Annotations[PagingAnnotation] != "" {
		t.Errorf("told %v", got)
	}
}

// TestAMutedIncidentHoldsNothingBack: a story that nobody is told stands for none of its parts, unless it was told before.
func TestAMutedIncidentHoldsNothingBack(t *testing.T) {
	silence := Silence{ID: "s", Matchers: []string{`alertname="Incident"`}, EndsAt: 10_000_000}
	if err := silence.Compile(); err != nil {
		t.Fatal(err)
	}
	m := NewMachine(incidentRoute("alertname"))
	m.SetQuiet(&Quiet{Silences: []Silence{silence}})
	m.Advance(0, []Transition{part("latency", "warning", "i1", true), whole("i1", "warning", true)})
	ns, _ := m.Advance(30_000, nil)
	if got := namesOf(ns); !slices.Equal(got, []string{"+latency"}) {
		t.Errorf("the incident is silenced, and told is %v", got)
	}
	m = NewMachine(incidentRoute("alertname"))
	m.Advance(0, []Transition{whole("i1", "warning", true)})
	m.Advance(30_000, nil)
	m.SetQuiet(&Quiet{Silences: []Silence{silence}})
	m.Advance(40_000, []Transition{part("latency", "warning", "i1", true)})
	if ns, _ := m.Advance(70_000, nil); len(ns) != 0 {
		t.Errorf("the incident was told before it was silenced, and told is %v", namesOf(ns))
	}
}

// TestAnIncidentTakesTheSeverityOfItsGravestPart: it is told again, as what it was, to whoever heard of it and to whom that severity is
// routed; the part is not.
func TestAnIncidentTakesTheSeverityOfItsGravestPart(t *testing.T) {
	route := incidentRoute("alertname")
	matcher, err := labels.NewMatcher(labels.MatchEqual, "severity", "critical")
	if err != nil {
		t.Fatal(err)
	}
	pager := incidentRoute("alertname")
	pager.RouteOpts.Receiver, pager.Matchers, pager.Continue = "pager", labels.Matchers{matcher}, false
	rest := incidentRoute("alertname")
	route.Routes = []*dispatch.Route{pager, rest}
	m := NewMachine(route)
	m.Advance(0, []Transition{part("db", "warning", "i1", true), whole("i1", "warning", true)})
	ns, _ := m.Advance(30_000, nil)
	if got := namesOf(ns); !slices.Equal(got, []string{"+Incident"}) || ns[0].Receiver != "main" {
		t.Fatalf("told %v", got)
	}
	graver := whole("i1", "warning", true)
	graver.Graver, graver.Annotations[SeverityAnnotation] = true, "critical"
	if first := whole("i1", "warning", true); graver.ID() == first.ID() || graver.Key() != first.Key() {
		t.Error("what is graver is another transition of the same episode")
	}
	m.Advance(60_000, []Transition{part("orders", "critical", "i1", true), graver})
	m = restarted(t, m)
	m.Rebuild(61_000, Routing{Route: route})
	heard := map[string][]string{}
	for now := int64(90_000); now <= 1_000_000; now += 30_000 {
		var ts []Transition
		switch now {
		case 360_000:
			ts = []Transition{part("db", "warning", "i1", false), part("orders", "critical", "i1", false)}
		case 690_000:
			end := whole("i1", "warning", false)
			end.Annotations[SeverityAnnotation] = "critical"
			ts = []Transition{end}
		}
		ns, _ := m.Advance(now, ts)
		for i := range ns {
			heard[ns[i].Receiver] = append(heard[ns[i].Receiver], namesOf(ns[i:i+1])...)
			for _, e := range ns[i].Alerts {
				if e.Shown()["severity"] != "critical" || e.Labels["severity"] != "warning" || e.Fingerprint != Fingerprint(e.Labels) {
					t.Errorf("%s is shown %v", ns[i].Receiver, e.Shown())
				}
			}
		}
	}
	for _, receiver := range []string{"pager", "main"} {
		if !slices.Equal(heard[receiver], []string{"+Incident", "-Incident"}) {
			t.Errorf("%s heard %v", receiver, heard[receiver])
		}
	}
}

// TestAPartThatIsOverIsOverWithItsIncident: its group may be flushed long after the incident is told to be over and forgotten, a restart
// between them.
func TestAPartThatIsOverIsOverWithItsIncident(t *testing.T) {
	route := incidentRoute("alertname")
	slow := incidentRoute("alertname")
	slow.RouteOpts.GroupWait = 20 * time.Minute
	matcher, err := labels.NewMatcher(labels.MatchEqual, "signal", "latency")
	if err != nil {
		t.Fatal(err)
	}
	slow.Matchers = labels.Matchers{matcher}
	route.Routes = []*dispatch.Route{slow}
	m := NewMachine(route)
	m.Advance(0, []Transition{part("latency", "warning", "i1", true), whole("i1", "warning", true)})
	var told []string
	for now := int64(30_000); now <= 3_000_000; now += 30_000 {
		var ts []Transition
		switch now {
		case 420_000:
			ts = []Transition{part("latency", "warning", "i1", false)}
		case 720_000:
			ts = []Transition{whole("i1", "warning", false)}
		case 1_050_000:
			if len(m.incidents()) > 0 {
				t.Fatal("the incident is not forgotten: this shows nothing")
			}
			m = restarted(t, m)
			m.Rebuild(now, Routing{Route: route})
		}
		ns, _ := m.Advance(now, ts)
		told = append(told, namesOf(ns)...)
	}
	if !slices.Equal(told, []string{"+Incident", "-Incident"}) {
		t.Errorf("told %v", told)
	}
	if len(m.episodes) != 0 || len(m.groups) != 0 {
		t.Errorf("%d episodes and %d groups are left", len(m.episodes), len(m.groups))
	}
}

func TestAnUpdateIsAnotherTransitionAndNoNews(t *testing.T) {
	a := whole("i1", "warning", true)
	b := a
	b.Updated = 90_000
	if a.ID() == b.ID() || a.Key() != b.Key() {
		t.Error("an update has to be kept, as the same episode")
	}
	m := NewMachine(incidentRoute("alertname"))
	m.Advance(0, []Transition{a})
	if ns, _ := m.Advance(30_000, nil); len(ns) != 1 {
		t.Fatalf("told %v", namesOf(ns))
	}
	b.Annotations = map[string]string{"summary": "more is known"}
	if ns, _ := m.Advance(330_000, []Transition{b}); len(ns) != 0 {
		t.Errorf("an update was told: %v", namesOf(ns))
	}
	ns, _ := m.Advance(30_000+3_600_000, nil)
	if len(ns) != 1 || ns[0].Alerts[0].Annotations["summary"] != "more is known" {
		t.Errorf("the repetition tells %v", ns)
	}
}
