package pipeline

import (
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
)

// rank compares the recent course of a series with those of all others that are of its layer or below, and says what
// explains it. The members of in are told apart. Absences have no course: those of in may still have been first.
func (c *Core) rank(t int64, of *Signal, outcome *Series, from int64, g *incident.Graph, in *incident.Incident) (story incident.Story) {
	story.Outcome = c.suffered(of, outcome)
	if outcome == nil {
		return story
	}
	what := &incident.Case{From: from, Until: t, Graph: g, Floor: sigma}
	pace := c.pace()
	for k := int64(incident.CourseSlots) - 1; k >= 0; k-- {
		what.Times = append(what.Times, t-t%pace-k*pace)
	}
	column := func(s *Signal, sr *Series) incident.Series {
		return incident.Series{
			Name: s.Def.Name + sr.Labels.String(), Signal: s.Def.Name, Layer: s.Def.Layer, Service: c.place(s, sr),
			Outcome: sr == outcome, Values: sr.recently(s, what.Times),
		}
	}
	what.Series = []incident.Series{column(of, outcome)}
	if _, err := incident.Rank(what); err != nil { // too little is known of it yet: no need to collect the others
		return story
	}
	what.Series = what.Series[:0]
	type member struct {
		*Signal
		*Series
	}
	members := map[*float64]member{} // by the first of their values
	for _, s := range c.signals {
		if s.Def.Layer > of.Def.Layer {
			continue
		}
		for _, sr := range s.series {
			if sr != outcome && !sr.moved(s, from, t) {
				continue
			}
			one := column(s, sr)
			members[&one.Values[0]] = member{s, sr}
			what.Series = append(what.Series, one)
		}
	}
	ranking, err := incident.Rank(what)
	if err != nil {
		return story
	}
	suspect := func(cause *incident.Cause) incident.Suspect {
		m := members[&cause.Series.Values[0]]
		x := incident.Suspect{Signal: m.Def.Name, Layer: m.Def.Layer, Service: c.service(m.Signal, m.Series), Labels: m.Labels}
		x.Label, x.Score, x.Shift, x.CoMovement, x.Onset = cause.Label, cause.Score, cause.Shift, cause.CoMovement, cause.Onset
		x.Member = in != nil && slices.ContainsFunc(in.Members, func(m incident.Anomaly) bool { return m.Signal == x.Signal && m.Labels.Equal(x.Labels) })
		return x
	}
	story.RankedAt = t
	story.Outcome.Shift, story.Outcome.Onset = ranking.Outcome.Shift, ranking.Outcome.Onset
	for i := range ranking.Causes {
		if cause := &ranking.Causes[i]; cause.Label != "" && len(story.Causes) < toldCauses {
			story.Causes = append(story.Causes, suspect(cause))
		}
	}
	for i := range ranking.First[:min(len(ranking.First), toldFirst)] {
		story.First = append(story.First, suspect(&ranking.First[i]))
	}
	story.First = c.silentFirst(story.First, in, g)
	return story
}

// suffered is the outcome of a story before anything is ranked; a nil series is the signal as a whole.
func (c *Core) suffered(s *Signal, sr *Series) incident.Suspect {
	x := incident.Suspect{Signal: s.Def.Name, Layer: s.Def.Layer, Service: c.service(s, sr), Member: true}
	if sr != nil {
		x.Labels = sr.Labels
	}
	return x
}

// silentFirst puts members that went silent among the first movers, where they began as early.
func (c *Core) silentFirst(first []incident.Suspect, in *incident.Incident, g *incident.Graph) []incident.Suspect {
	all := slices.Clone(first)
	if in != nil {
		for i := range in.Members {
			if m := &in.Members[i]; m.Absent {
				all = append(all, incident.Suspect{Signal: m.Signal, Layer: m.Layer, Service: m.Service, Labels: m.Labels, Onset: m.StartsAt, Member: true})
			}
		}
	}
	if len(all) == len(first) {
		return first
	}
	movers := make([]incident.Mover, len(all))
	for i := range all {
		movers[i] = incident.Mover{Service: all[i].Service, Row: int(all[i].Onset / c.pace()), Layer: all[i].Layer}
		if movers[i].Service == "" {
			movers[i].Service = all[i].Signal
		}
	}
	var out []incident.Suspect
	for _, i := range incident.FirstMovers(movers, g) {
		out = append(out, all[i])
	}
	return out
}

// place is what a series is ranked with: its service, else the job that is scraped, else its signal alone. Two hosts of a job are
// no one service, but what is wrong with them is wrong in one place.
func (c *Core) place(s *Signal, sr *Series) string {
	if service := c.service(s, sr); service != "" {
		return service
	}
	if job := sr.Labels.Get("job"); job != "" {
		return job
	}
	return s.Def.Name
}

// moved tells whether a series went anywhere in [from, to].
func (sr *Series) moved(s *Signal, from, to int64) bool {
	first, _ := s.point(from)
	last, _ := s.point(to)
	for n := max(first, last-incident.CourseSlots+1); n <= last; n++ {
		if math.Abs(sr.course.At(n)) >= movedAtLeast {
			return true
		}
	}
	return false
}

// recently returns the course of a series at the times; NaN where it has no point.
func (sr *Series) recently(s *Signal, times []int64) []float64 {
	out := make([]float64, len(times))
	for i, t := range times {
		out[i] = math.NaN()
		if n, ok := s.point(t); ok {
			out[i] = sr.course.At(n)
		}
	}
	return out
}

// togetherAtLeast is the correlation from which on two anomalies that nothing else connects are taken for one story.
const togetherAtLeast = 0.6

// togetherLag is how many points the one that began later may follow behind the other.
const togetherLag = 5

// together tells whether two anomalies have moved together since before the first of them.
func (c *Core) together(t int64, a, b *incident.Anomaly) bool {
	sa, x, okA := c.find(a)
	sb, y, okB := c.find(b)
	if !okA || !okB || x == nil || y == nil || a.Absent || b.Absent {
		return false
	}
	pace := c.pace()
	from := min(a.StartsAt, b.StartsAt)
	rows := 5 * ((t-from)/pace + 1)
	var times []int64
	for k := min(max(rows, 13), incident.CourseSlots) - 1; k >= 0; k-- {
		times = append(times, t-t%pace-k*pace)
	}
	if a.StartsAt < b.StartsAt {
		x, y, sa, sb = y, x, sb, sa // x began later
	}
	later := x.recently(sa, times)
	for lag := range int64(togetherLag) + 1 {
		for i := range times {
			times[i] -= min(lag, 1) * pace
		}
		if math.Abs(incident.Together(later, y.recently(sb, times))) >= togetherAtLeast {
			return true
		}
	}
	return false
}

// The share of a deviation that a label's value has to carry to be named, and by how much more than is usual of it.
const (
	carries     = 0.5
	carriesMore = 0.2
)

// carriers are the values of labels whose series carry the deviation of a signal now, for each label at most one.
func (s *Signal) carriers() (out []incident.Carrier) {
	type sums struct{ deviation, expected float64 }
	by := map[series.Label]*sums{}
	var names []string
	var total sums
	for _, sr := range s.series {
		v := &sr.verdict
		if v.Missing != series.Observed || !v.Known || math.IsNaN(v.Center) {
			continue
		}
		weight := 1.0
		if v.Denominator > 0 {
			weight = v.Denominator
		}
		d, e := weight*(v.Value-v.Center), weight*math.Abs(v.Center)
		total.deviation, total.expected = total.deviation+d, total.expected+e
		for _, l := range sr.Labels {
			if by[l] == nil {
				by[l] = &sums{}
				if !slices.Contains(names, l.Name) {
					names = append(names, l.Name)
				}
			}
			by[l].deviation, by[l].expected = by[l].deviation+d, by[l].expected+e
		}
	}
	if total.deviation == 0 || total.expected == 0 {
		return nil
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.Contains(s.core.stories.ties.ServiceLabels, name) {
			continue // services are told anyway
		}
		var best incident.Carrier
		values := 0
		for l, x := range by {
			if l.Name != name {
				continue
			}
			values++
			c := incident.Carrier{Signal: s.Def.Name, Name: name, Value: l.Value, Share: x.deviation / total.deviation, Usual: x.expected / total.expected}
			if c.Share-c.Usual > best.Share-best.Usual || c.Share-c.Usual == best.Share-best.Usual && c.Value < best.Value {
				best = c
			}
		}
		if values > 1 && best.Share >= carries && best.Share-best.Usual >= carriesMore {
			best.Share = min(best.Share, 1)
			out = append(out, best)
		}
	}
	return out
}
