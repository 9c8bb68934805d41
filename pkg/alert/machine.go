package alert

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
)

// The reasons of a notification, in Alertmanager's words.
const (
	ReasonFirst        = "first notification"
	ReasonNew          = "new alerts added"
	ReasonSomeResolved = "some alerts resolved"
	ReasonAllResolved  = "all alerts resolved"
	ReasonRepeat       = "repeat interval elapsed"
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
}

func (g *Group) id() string { return g.Receiver + "\xff" + g.Key }

// Notification is what a receiver is to be told.
type Notification struct {
	Receiver    string
	GroupKey    string
	Reason      string
	GroupLabels map[string]string
	RouteLabels map[string]string
	Alerts      []Episode // by begin, end and fingerprint
}

// Machine is the state of all episodes and groups. It is not safe for concurrent use.
type Machine struct {
	route    *dispatch.Route
	episodes map[string]*Episode
	groups   map[string]*Group
	opts     map[string]dispatch.RouteOpts // of the groups, by id

	dirtyEpisodes, dirtyGroups map[string]bool
}

// NewMachine returns a machine without state. A nil route tells nobody anything.
func NewMachine(route *dispatch.Route) *Machine {
	return &Machine{
		route: route, episodes: map[string]*Episode{}, groups: map[string]*Group{}, opts: map[string]dispatch.RouteOpts{},
		dirtyEpisodes: map[string]bool{}, dirtyGroups: map[string]bool{},
	}
}

// Firing calls f for every episode that has not ended.
func (m *Machine) Firing(f func(*Episode)) {
	for _, k := range slices.Sorted(maps.Keys(m.episodes)) {
		if e := m.episodes[k]; e.Firing {
			f(e)
		}
	}
}

// Advance takes the transitions that came up and returns what receivers are to be told now, in a fixed order, and when
// there will be something to do next: 0 for not before the next transition.
func (m *Machine) Advance(now int64, ts []Transition) (out []Notification, next int64) {
	for i := range ts {
		m.apply(now, &ts[i])
	}
	next = math.MaxInt64
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[id]
		o := m.opts[id]
		// A clock that went back must not hold anything up.
		if latest := now + max(o.GroupWait, o.GroupInterval).Milliseconds(); g.NextFlush > latest {
			g.NextFlush = latest
			m.dirtyGroups[id] = true
		}
		if g.NextFlush <= now {
			if n, ok := m.flush(now, g, o); ok {
				out = append(out, n)
			}
		}
		if m.groups[id] != nil {
			next = min(next, g.NextFlush)
		}
	}
	m.forget()
	if next == math.MaxInt64 {
		next = 0
	}
	return out, next
}

func (m *Machine) apply(now int64, t *Transition) {
	key := t.key()
	e := m.episodes[key]
	switch {
	case e == nil:
		e = &Episode{Fingerprint: Fingerprint(t.Labels)}
		m.episodes[key] = e
	case !e.Firing: // what has ended stays so
		return
	}
	e.Transition = *t
	m.dirtyEpisodes[key] = true
	for _, r := range m.routes(e) {
		m.join(now, r, key, e)
	}
}

func (m *Machine) routes(e *Episode) []*dispatch.Route {
	if m.route == nil {
		return nil
	}
	return m.route.Match(labelSet(e.Labels))
}

// join puts an episode into the group that its route and labels give.
func (m *Machine) join(now int64, r *dispatch.Route, key string, e *Episode) {
	labels := model.LabelSet{}
	for n, v := range labelSet(e.Labels) {
		if _, ok := r.RouteOpts.GroupBy[n]; ok || r.RouteOpts.GroupByAll {
			labels[n] = v
		}
	}
	g := &Group{Key: r.Key() + ":" + labels.String(), Receiver: r.RouteOpts.Receiver}
	id := g.id()
	if known := m.groups[id]; known != nil {
		g = known
	} else {
		g.Labels, g.RouteLabels = plain(labels), plain(r.RouteOpts.Labels)
		g.NextFlush, g.Members = now+r.RouteOpts.GroupWait.Milliseconds(), map[string]bool{}
		m.groups[id] = g
	}
	m.opts[id] = r.RouteOpts
	if _, ok := g.Members[key]; !ok {
		g.Members[key] = false
	}
	// What has been going on for longer than the wait waits no more.
	if g.LastTold == 0 && e.StartsAt+r.RouteOpts.GroupWait.Milliseconds() <= now {
		g.NextFlush = min(g.NextFlush, now)
	}
	m.dirtyGroups[id] = true
}

func (m *Machine) flush(now int64, g *Group, o dispatch.RouteOpts) (Notification, bool) {
	id := g.id()
	m.dirtyGroups[id] = true
	g.NextFlush = now + o.GroupInterval.Milliseconds()
	var firing, fresh, resolved int
	n := Notification{Receiver: g.Receiver, GroupKey: g.Key, GroupLabels: g.Labels, RouteLabels: g.RouteLabels}
	for key, toldFiring := range g.Members {
		e := m.episodes[key]
		if e == nil {
			delete(g.Members, key)
			continue
		}
		n.Alerts = append(n.Alerts, *e)
		switch {
		case !e.Firing:
			resolved++
		case !toldFiring:
			firing, fresh = firing+1, fresh+1
		default:
			firing++
		}
	}
	switch {
	case fresh > 0 && g.LastTold == 0:
		n.Reason = ReasonFirst
	case fresh > 0:
		n.Reason = ReasonNew
	case resolved > 0 && firing == 0:
		n.Reason = ReasonAllResolved
	case resolved > 0:
		n.Reason = ReasonSomeResolved
	case firing > 0 && now-g.LastTold >= o.RepeatInterval.Milliseconds():
		n.Reason = ReasonRepeat
	}
	for key := range g.Members {
		if m.episodes[key].Firing {
			g.Members[key] = g.Members[key] || n.Reason != ""
		} else {
			delete(g.Members, key)
		}
	}
	if len(g.Members) == 0 {
		delete(m.groups, id)
		delete(m.opts, id)
	}
	if n.Reason == "" {
		return n, false
	}
	g.LastTold = now
	slices.SortFunc(n.Alerts, func(a, b Episode) int {
		return cmp.Or(cmp.Compare(a.StartsAt, b.StartsAt), cmp.Compare(a.EndsAt, b.EndsAt), strings.Compare(a.Fingerprint, b.Fingerprint))
	})
	return n, true
}

// forget drops the episodes that have ended and that no group has yet to tell of.
func (m *Machine) forget() {
	held := map[string]bool{}
	for _, g := range m.groups {
		for key := range g.Members {
			held[key] = true
		}
	}
	for key, e := range m.episodes {
		if !e.Firing && !held[key] {
			delete(m.episodes, key)
			m.dirtyEpisodes[key] = true
		}
	}
}

// Rebuild takes over another route tree. Groups that exist under it keep what they have told; what is new in a group is
// told after its wait. abandoned are the groups of the old tree that had told of something and are gone.
func (m *Machine) Rebuild(now int64, route *dispatch.Route) (abandoned []Group) {
	old := m.groups
	m.route, m.groups, m.opts = route, map[string]*Group{}, map[string]dispatch.RouteOpts{}
	for _, key := range slices.Sorted(maps.Keys(m.episodes)) {
		e := m.episodes[key]
		for _, r := range m.routes(e) {
			m.join(now, r, key, e)
		}
	}
	for id, g := range old {
		m.dirtyGroups[id] = true
		same := m.groups[id]
		if same == nil {
			if g.LastTold > 0 {
				abandoned = append(abandoned, *g)
			}
			continue
		}
		same.NextFlush, same.LastTold = g.NextFlush, g.LastTold
		for key, told := range g.Members {
			if _, ok := same.Members[key]; ok {
				same.Members[key] = told
			}
		}
		// An episode that ended and was told so is no member any more: joining it again would tell it twice.
		for key := range same.Members {
			if _, was := g.Members[key]; !was && !m.episodes[key].Firing {
				delete(same.Members, key)
			}
		}
	}
	slices.SortFunc(abandoned, func(a, b Group) int { return strings.Compare(a.id(), b.id()) })
	m.forget()
	return abandoned
}

// Delta calls put for every record that changed since the last call: an episode or a group under its key, nil when it
// is gone.
func (m *Machine) Delta(putEpisode func(key string, e *Episode) error, putGroup func(id string, g *Group) error) error {
	for _, key := range slices.Sorted(maps.Keys(m.dirtyEpisodes)) {
		if err := putEpisode(key, m.episodes[key]); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.dirtyGroups)) {
		if err := putGroup(id, m.groups[id]); err != nil {
			return err
		}
	}
	return nil
}

// Clean says that the last Delta is safely stored.
func (m *Machine) Clean() {
	clear(m.dirtyEpisodes)
	clear(m.dirtyGroups)
}

// Restore takes over stored records. Rebuild has to follow before the next Advance, which needs the route tree.
func (m *Machine) Restore(episodes map[string]*Episode, groups map[string]*Group) {
	m.episodes, m.groups = episodes, groups
}

func plain(ls model.LabelSet) map[string]string {
	out := make(map[string]string, len(ls))
	for n, v := range ls {
		out[string(n)] = string(v)
	}
	return out
}

// NextWake converts what Advance returned into a duration from now, at most limit.
func NextWake(now, next int64, limit time.Duration) time.Duration {
	if next == 0 {
		return limit
	}
	return min(max(time.Duration(next-now)*time.Millisecond, 0), limit)
}
