package alert

import (
	"cmp"
	"slices"
	"sort"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
)

// Group is what one receiver hears together. Its fields are exported for the store alone; times are unix milliseconds.
type Group struct {
	Key         string            `json:"key"` // Alertmanager's groupKey
	Receiver    string            `json:"receiver"`
	Labels      map[string]string `json:"labels"`
	RouteLabels map[string]string `json:"routeLabels,omitempty"`
	NextFlush   int64             `json:"nextFlush"`
	LastTold    int64             `json:"lastTold"`          // 0 before the first notification
	Members     map[string]bool   `json:"members,omitempty"` // episode key → told that it fires
	News        map[string]bool   `json:"news,omitempty"`    // of those, what has grown since
	Covered     map[string]bool   `json:"covered,omitempty"` // not told: what is over, with an incident whose end was
	Summary     bool              `json:"summary,omitempty"` // of what a receiver had no room for
}

// id tells the groups of a machine apart, as Alertmanager's notification log does.
func (g *Group) id() string { return g.Receiver + "\xff" + g.Key }

// tellAgain marks a member that was told as news.
func (g *Group) tellAgain(key string) {
	if g.News == nil {
		g.News = map[string]bool{}
	}
	g.News[key] = true
}

// cover marks a member that need not be told.
func (g *Group) cover(key string) {
	if g.Covered == nil {
		g.Covered = map[string]bool{}
	}
	g.Covered[key] = true
}

// leave ends a membership.
func (g *Group) leave(key string) {
	delete(g.Members, key)
	delete(g.News, key)
	delete(g.Covered, key)
}

// name is the id as text that JSON keeps.
func (g *Group) name() string { return g.Receiver + " " + g.Key }

// place is a group that an episode belongs to, which may not exist yet.
type place struct {
	route *dispatch.Route
	group Group
}

// places lists the groups that the route tree gives an episode.
func (m *Machine) places(e *Episode) (ps []place) {
	if m.route == nil {
		return nil
	}
	all := labelSet(e.Labels)
	routes := m.route.Match(matched(e))
	also := func(earlier model.LabelSet) { // who was told it as it was is told how it goes on
		for _, r := range m.route.Match(earlier) {
			if !slices.Contains(routes, r) {
				routes = append(routes, r)
			}
		}
	}
	if e.Escalated {
		also(quietly(e))
	}
	if e.Graver {
		also(before(e))
	}
	for _, r := range routes {
		labels := model.LabelSet{}
		for n, v := range all {
			if _, ok := r.RouteOpts.GroupBy[n]; ok || r.RouteOpts.GroupByAll {
				labels[n] = v
			}
		}
		ps = append(ps, place{r, Group{
			Key: r.Key() + ":" + labels.String(), Receiver: r.RouteOpts.Receiver,
			Labels: plain(labels), RouteLabels: plain(r.RouteOpts.Labels),
		}})
	}
	if avoid, ok := avoided(e.Labels); ok {
		return m.others(ps, avoid)
	}
	return ps
}

// PagingAnnotation is "false" on alerts that nobody should be woken for. Routes see it as a label, so that they can send
// such alerts elsewhere; it is none, because it says nothing of which alert it is.
const PagingAnnotation = "paging"

// matched is what routes see of an episode.
func matched(e *Episode) model.LabelSet {
	all := labelSet(e.Shown())
	if _, own := all[PagingAnnotation]; !own && e.Annotations[PagingAnnotation] != "" {
		all[PagingAnnotation] = model.LabelValue(e.Annotations[PagingAnnotation])
	}
	return all
}

// quietly is what routes saw of an episode before it escalated.
func quietly(e *Episode) model.LabelSet {
	all := labelSet(e.Labels)
	if _, own := all[PagingAnnotation]; !own {
		all[PagingAnnotation] = "false"
	}
	return all
}

// order sorts as Alertmanager does, and the episodes of one alert by their begin.
func order(es []Episode) {
	slices.SortFunc(es, func(a, b Episode) int { return cmp.Compare(a.StartsAt, b.StartsAt) })
	s := byLabels{make(amalert.AlertSlice, len(es)), es}
	for i := range es {
		s.AlertSlice[i] = &amalert.Alert{Alert: model.Alert{Labels: labelSet(es[i].Labels)}}
	}
	sort.Stable(s)
}

type byLabels struct {
	amalert.AlertSlice
	episodes []Episode
}

func (s byLabels) Swap(i, j int) {
	s.AlertSlice.Swap(i, j)
	s.episodes[i], s.episodes[j] = s.episodes[j], s.episodes[i]
}

func plain(ls model.LabelSet) map[string]string {
	out := make(map[string]string, len(ls))
	for n, v := range ls {
		out[string(n)] = string(v)
	}
	return out
}
