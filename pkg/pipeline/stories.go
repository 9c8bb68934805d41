package pipeline

import (
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
)

// ServiceLabels are the labels that name the service a series belongs to, unless the configuration says otherwise; the
// first one that is there counts.
var ServiceLabels = []string{"service", "service_name", "app", "application", "component", "workload", "deployment"}

// Ties is what an instance knows of its services. Each function has to answer for an instant as it did then, whenever it is
// asked: recovery asks once more.
type Ties struct {
	ServiceLabels []string                        // ServiceLabels when empty
	Topology      func(t int64) *incident.Graph   // who called whom; nil knows nobody
	Learned       func(a, b string, t int64) bool // two signals are known to move together; nil knows of none
}

// stories are the incidents of a core, and what they are told by.
type stories struct {
	ties    Ties
	tracker incident.Tracker
	asked   int // rankings of single anomalies, this tick
}

const (
	// Incidents are ranked anew for so many ticks, while their course is young; then what is said of them stands.
	rankTicks = 20
	// maxAsked bounds the rankings of single anomalies in a tick: a storm is told by its incident.
	maxAsked = 5
	// maxRanked bounds those of incidents: where more are young, they take turns.
	maxRanked = 10
	// recount is how often the cost of an incident is summed up anew.
	recount = 5 * time.Minute
	// toldCauses are kept of a ranking.
	toldCauses = 10
	// toldFirst movers are kept where several began at the same time.
	toldFirst = 5
	// recentDeploys is how long before an incident a deploy may have caused it.
	recentDeploys = 30 * time.Minute
	// sigma is a standard deviation of a course, whose unit is the edge of what is usual, some four of them away.
	sigma = 0.25
	// movedAtLeast is the part of the way to that edge below which a series cannot be a labelled cause.
	movedAtLeast = 0.5
)

// StoryChange is what a tick did to an incident.
type StoryChange struct {
	incident.Change
	Retold bool // what people are told of it is another than before
	Grown  bool // it was told to wake nobody, and is worth that by now
	Graver bool // a member is graver than it was told to be
}

// TellStories makes a core follow incidents.
func (c *Core) TellStories(ties Ties) {
	if len(ties.ServiceLabels) == 0 {
		ties.ServiceLabels = ServiceLabels
	}
	c.stories = &stories{ties: ties}
}

// service names what a series belongs to; "" when nobody knows. A nil series asks for the signal as a whole.
func (c *Core) service(s *Signal, sr *Series) string {
	for _, name := range c.stories.ties.ServiceLabels {
		if sr != nil {
			if v := sr.Labels.Get(name); v != "" {
				return v
			}
		}
		if v := s.Def.Labels[name]; v != "" {
			return v
		}
	}
	return ""
}

// remembers keeps where a series was.
func (sr *Series) remembers(v *baseline.Verdict, s *Signal) {
	if n, ok := s.point(v.T); ok {
		sr.course.Put(n, deviation(v))
	}
}

// point is the number of the point at an instant, in the course of a series; ok is false where the signal has none. A point of a daily
// signal is at the midnight that ends the day, in its zone.
func (s *Signal) point(t int64) (n int64, ok bool) {
	if s.daily() {
		return s.day(t), due(s, t)
	}
	interval := s.Def.Interval.Milliseconds()
	if interval <= 0 {
		return 0, false
	}
	return t / interval, t%interval == 0
}

// deviation is how far a point is from its expectation, in units of how far that would be anomalous in its context; NaN when
// nobody can say.
func deviation(v *baseline.Verdict) float64 {
	if v.Missing != series.Observed || !v.Known {
		return math.NaN()
	}
	if !v.Counted {
		g := v.Gates[baseline.Context]
		if g.Limit <= 0 {
			return math.NaN()
		}
		return g.Seen / g.Limit
	}
	room := v.Upper - v.Center
	if v.Value < v.Center {
		room = v.Center - v.Lower
	}
	if !(room > 0) || math.IsInf(room, 0) {
		return math.NaN()
	}
	return (v.Value - v.Center) / room
}

// anomalyID is that of what fires, the same whenever it does.
func anomalyID(s *Signal, sr *Series, absent bool) string {
	kind := "anomaly"
	if absent {
		kind = "absent"
	}
	if sr == nil {
		return s.identity + "/" + kind
	}
	return hex.EncodeToString(sr.ID[:]) + "/" + kind
}

// firing lists what fires at t, signal by signal. What is silenced, or under maintenance, is nobody's story.
func (c *Core) firing(t int64) (open []incident.Anomaly) {
	for _, s := range c.signals {
		add := func(sr *Series, absent bool, a incident.Anomaly) {
			if c.silenced != nil && c.silenced(s.labelsOf(sr), t) != "" {
				return
			}
			a.ID, a.Signal, a.Layer, a.Service, a.Absent = anomalyID(s, sr, absent), s.Def.Name, s.Def.Layer, c.service(s, sr), absent
			a.Severity, a.Team = s.Def.Severity, s.Def.Team
			if sr != nil {
				a.Labels = sr.Labels
			}
			open = append(open, a)
		}
		if s.absence.Firing {
			add(nil, true, incident.Anomaly{StartsAt: s.absence.StartAt})
		}
		for _, sr := range s.series {
			if sr.anomaly.Phase == detect.Firing {
				add(sr, false, incident.Anomaly{StartsAt: sr.anomaly.StartsAt, Direction: sr.anomaly.Dir, Peak: sr.anomaly.Peak, Quiet: sr.quiet})
			}
			if sr.absence.Firing {
				add(sr, true, incident.Anomaly{StartsAt: sr.absence.StartAt})
			}
		}
	}
	return open
}

// tell follows the incidents through the tick t, and says of which one each event is part.
func (c *Core) tell(t int64, out *Output) {
	st := c.stories
	if st == nil {
		return
	}
	open := c.firing(t)
	if len(open) == 0 && len(st.tracker.Open) == 0 {
		return
	}
	st.asked = 0
	g := c.graph(t)
	ties := &incident.Ties{Graph: g, Together: func(a, b *incident.Anomaly) bool { return c.together(t, a, b) }}
	if learned := st.ties.Learned; learned != nil {
		ties.Learned = func(a, b string) bool { return learned(a, b, t) }
	}
	changes := st.tracker.Step(t, open, ties)
	told := map[string]*incident.Incident{} // anomaly → incident
	changed := map[*incident.Incident]bool{}
	for i := range changes {
		changed[changes[i].Incident] = true
	}
	young := func(in *incident.Incident) bool { return changed[in] || t-in.ToldAt <= rankTicks*c.pace() }
	n := 0
	for _, in := range st.tracker.Open {
		if in.Told() && young(in) {
			n++
		}
	}
	turns := int64(n+maxRanked-1) / maxRanked
	turn := t / c.pace()
	var retold []StoryChange
	grown, graver := map[*incident.Incident]bool{}, map[*incident.Incident]bool{}
	for _, in := range st.tracker.Open {
		if !in.Told() {
			continue
		}
		for i := range in.Members {
			if in.Members[i].Open() || in.Members[i].EndsAt == t {
				told[in.Members[i].ID] = in
			}
		}
		if grown[in] = in.Quiet && in.Wakes(); grown[in] {
			in.Quiet = false
		}
		graver[in] = in.Worsen()
		again := grown[in] || graver[in] || (t-in.ToldAt)%recount.Milliseconds() == 0 && len(in.Story.Impact) > 0
		if young(in) {
			ranked := turn%turns == 0
			turn++
			again = (ranked || changed[in]) && c.narrate(t, in, g, ranked) || again
		}
		if again && !changed[in] {
			retold = append(retold, StoryChange{Change: incident.Change{Incident: in}, Retold: true, Grown: grown[in], Graver: graver[in]})
		}
	}
	for i := range changes {
		if changes[i].Began {
			c.christen(changes[i].Incident)
			changes[i].Incident.Quiet = !changes[i].Incident.Wakes()
		}
		out.Stories = append(out.Stories, StoryChange{Change: changes[i], Retold: true, Grown: grown[changes[i].Incident], Graver: graver[changes[i].Incident]})
	}
	out.Stories = append(out.Stories, retold...)
	c.attribute(t, out, told)
}

// attribute says of every event which incident it is part of, and why it may have happened where it is part of none; and names
// those that began before their incident did.
func (c *Core) attribute(t int64, out *Output, told map[string]*incident.Incident) {
	here := map[string]bool{}
	for i := range out.Events {
		o := &out.Events[i]
		if o.Coverage != nil {
			continue // lost reporters are no anomaly of what they report
		}
		id := anomalyID(o.Signal, o.Series, o.Absent)
		if in := told[id]; in != nil {
			o.part(in)
		} else if o.Event.Kind == detect.Begin && !o.Absent && c.stories.asked < maxAsked {
			c.stories.asked++
			story := c.rank(t, o.Signal, o.Series, o.Event.StartsAt, c.graph(t), nil)
			o.Ranked = story.RankedAt > 0 && len(c.signals) > 1
			o.Causes, o.Deploys = story.Causes, c.deploys(o.Event.StartsAt, o.Signal.Label(o.Series))
		}
		if o.Event.Kind == detect.Begin {
			here[id] = true
		}
	}
	for i := range out.Stories {
		in := out.Stories[i].Incident
		for _, k := range out.Stories[i].Joined {
			m := &in.Members[k]
			if here[m.ID] || !m.Open() {
				continue
			}
			if o, ok := c.occurrence(m); ok {
				o.part(in)
				out.Updates = append(out.Updates, o)
			}
		}
	}
}

// part makes an occurrence one of an incident. What explains the outcome is said of the outcome alone.
func (o *Occurrence) part(in *incident.Incident) {
	o.Incident = in.ID
	if s := &in.Story.Outcome; o.Series != nil && s.Signal == o.Signal.Def.Name && s.Labels.Equal(o.Series.Labels) {
		o.Ranked, o.Causes, o.Deploys = in.Story.RankedAt > 0, in.Story.Causes, in.Story.Events
	}
}

// find returns what an anomaly is of. The series is nil for a signal as a whole.
func (c *Core) find(a *incident.Anomaly) (s *Signal, sr *Series, ok bool) {
	s = c.byName[a.Signal]
	if s == nil {
		return nil, nil, false
	}
	if anomalyID(s, nil, a.Absent) == a.ID {
		return s, nil, true
	}
	sr = s.find(a.Labels)
	return s, sr, sr != nil && anomalyID(s, sr, a.Absent) == a.ID
}

// occurrence is the begin of an anomaly that began before this tick.
func (c *Core) occurrence(a *incident.Anomaly) (o Occurrence, ok bool) {
	s, sr, ok := c.find(a)
	if !ok {
		return o, false
	}
	o = Occurrence{Signal: s, Series: sr, Absent: a.Absent}
	o.Event = detect.Event{Kind: detect.Begin, Dir: a.Direction, StartsAt: a.StartsAt, Peak: a.Peak}
	if sr != nil {
		o.Verdict, o.Quiet = sr.verdict, !a.Absent && sr.quiet
		if sr.stepped == 0 { // recovered, and not due since
			o.Verdict = unseen(series.Point{T: sr.lastSeen, Missing: series.Downtime})
			o.Verdict.Expectation = sr.model.Expect(sr.lastSeen)
		}
	}
	return o, true
}

// pace is the shortest distance of two points, milliseconds.
func (c *Core) pace() int64 {
	shortest := int64(math.MaxInt64)
	for _, s := range c.signals {
		shortest = min(shortest, s.Def.Interval.Milliseconds())
	}
	return max(shortest, 1000)
}

func (c *Core) graph(t int64) *incident.Graph {
	if c.stories == nil || c.stories.ties.Topology == nil {
		return nil
	}
	return c.stories.ties.Topology(t)
}

// christen gives an incident the labels of its alert: what its members have in common.
func (c *Core) christen(in *incident.Incident) {
	var labels map[string]string
	for i := range in.Members {
		s, sr, ok := c.find(&in.Members[i])
		if !ok {
			continue
		}
		own := map[string]string{}
		maps.Copy(own, s.Def.Labels)
		if sr != nil {
			for _, l := range sr.Labels {
				own[l.Name] = l.Value
			}
		}
		if s.Def.Team != "" {
			own["team"] = s.Def.Team
		}
		if labels == nil {
			labels = own
			continue
		}
		for n, v := range labels {
			if own[n] != v {
				delete(labels, n)
			}
		}
	}
	if labels == nil {
		labels = map[string]string{}
	}
	labels["alertname"], labels["type"], labels["incident"] = alert.IncidentAlert, "incident", in.ID
	labels["severity"], labels["layer"] = in.Severity(), in.Story.Outcome.Layer.String()
	delete(labels, "signal")
	delete(labels, "direction")
	in.Labels = labels
}

// narrate makes the story of an incident anew; what was ranked before stands unless ranked asks for it once more. It returns
// whether people have to be told another one.
func (c *Core) narrate(t int64, in *incident.Incident, g *incident.Graph, ranked bool) bool {
	old := in.Story
	outcome := &in.Members[in.Outcome(g)]
	story := old
	switch s, sr, ok := c.find(outcome); {
	case ok && ranked && t-in.StartsAt <= incident.CourseSlots*3/5*c.pace():
		story = in.Settle(c.rank(t, s, sr, in.StartsAt, g, in), t, c.pace())
	case ok && story.Outcome.Signal == "":
		story.Outcome = c.suffered(s, sr)
	}
	if len(story.First) == 0 {
		story.First = in.Earliest(g, c.pace())
	}
	story.Broken, story.Impact = in.Broken(g, outcome, story.First), in.Impact()
	story.Events = c.deploys(in.StartsAt, func(string) string { return "" })
	for i := range in.Members {
		if s, sr, ok := c.find(&in.Members[i]); ok {
			for _, e := range c.deploys(in.StartsAt, s.Label(sr)) {
				if !slices.ContainsFunc(story.Events, func(x incident.Event) bool { return x.ID == e.ID }) {
					story.Events = append(story.Events, e)
				}
			}
		}
	}
	story.Carriers = nil
	for _, of := range []*incident.Suspect{&story.Outcome, story.Broken} {
		if of != nil && !slices.ContainsFunc(story.Carriers, func(x incident.Carrier) bool { return x.Signal == of.Signal }) {
			if s := c.byName[of.Signal]; s != nil {
				story.Carriers = append(story.Carriers, s.carriers()...)
			}
		}
	}
	in.Story = story
	return !story.Tells(&old)
}

// deploys are the deploys and events shortly before an instant that are about something with these labels.
func (c *Core) deploys(t int64, label Label) (out []incident.Event) {
	if c.marks == nil {
		return nil
	}
	for _, a := range c.marks().Happened(t-recentDeploys.Milliseconds(), t+2*c.pace(), label) {
		out = append(out, incident.Event{ID: a.ID, Type: a.Type, Text: a.Text, At: a.Start, Labels: a.Labels})
	}
	slices.Reverse(out)
	return out
}
