package alert

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
)

// The reasons of a notification, in Alertmanager's words.
const (
	ReasonFirst        = "first notification"
	ReasonNew          = "new alerts added"
	ReasonSomeResolved = "some alerts resolved"
	ReasonAllResolved  = "all alerts resolved"
	ReasonRepeat       = "repeat interval elapsed"
)

// Notification is what a receiver is to be told.
type Notification struct {
	Receiver    string
	GroupKey    string
	Reason      string
	GroupLabels map[string]string
	RouteLabels map[string]string
	Alerts      []Episode // by job, instance and labels, as Alertmanager has them
}

// Machine is the state of all episodes and groups. It is not safe for concurrent use.
type Machine struct {
	route     *dispatch.Route
	receivers []string
	intervals map[string]*Window
	inhibit   []*inhibit.InhibitRule
	quiet     *Quiet

	flapping   Flapping
	allowances map[string]Allowance // by receiver
	digest     *Digest              // nil for none
	facts      Facts                // of the next one

	inhibiting map[int]map[string]source // by rule, of one Advance
	telling    map[string]*Episode       // incidents that fire, by id, of one Advance

	episodes map[string]*Episode
	groups   map[string]*Group
	opts     map[string]dispatch.RouteOpts // of the groups, by id

	flaps map[string]*Flap     // by fingerprint
	spent map[string]*Spending // by receiver
	week  *Week                // nil without a digest

	dirtyEpisodes, dirtyGroups, dirtyFlaps, dirtySpent map[string]bool
	dirtyWeek                                          bool
}

// NewMachine returns a machine without state. A nil route tells nobody anything.
func NewMachine(route *dispatch.Route) *Machine {
	return &Machine{
		route: route, episodes: map[string]*Episode{}, groups: map[string]*Group{}, opts: map[string]dispatch.RouteOpts{},
		flaps: map[string]*Flap{}, spent: map[string]*Spending{},
		dirtyEpisodes: map[string]bool{}, dirtyGroups: map[string]bool{}, dirtyFlaps: map[string]bool{}, dirtySpent: map[string]bool{},
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
	m.calm(now)
	m.inhibiting, m.telling = map[int]map[string]source{}, nil
	for _, id := range slices.Sorted(maps.Keys(m.groups)) {
		g := m.groups[id]
		o := m.opts[id]
		// A clock that went back, and a configuration with shorter times, must not hold anything up.
		if latest := now + max(o.GroupWait, o.GroupInterval).Milliseconds(); g.NextFlush > latest || g.LastTold > now {
			g.NextFlush, g.LastTold = min(g.NextFlush, latest), min(g.LastTold, now)
			m.dirtyGroups[id] = true
		}
		if g.NextFlush <= now {
			if n, ok := m.flush(now, g, o); ok {
				out = append(out, n)
			}
		}
	}
	if n, ok := m.tellDigest(now); ok {
		out = append(out, n)
	}
	next = math.MaxInt64
	for _, g := range m.groups {
		next = min(next, g.NextFlush)
	}
	if m.digest != nil {
		next = min(next, m.digest.next(now))
	}
	m.forget()
	if next == math.MaxInt64 {
		next = 0
	}
	return out, next
}

func (m *Machine) apply(now int64, t *Transition) {
	key := t.Key()
	e := m.episodes[key]
	began := e == nil
	switch {
	case began:
		e = &Episode{Fingerprint: Fingerprint(t.Labels)}
		m.episodes[key] = e
	case !e.Firing: // what has ended stays so
		return
	}
	escalated, graver := t.Escalated || e.Escalated, t.Graver || e.Graver
	e.Transition, e.Escalated, e.Graver = *t, escalated, graver
	m.dirtyEpisodes[key] = true
	m.flap(now, t, began)
	m.tally(t, began)
	for _, p := range m.places(e) {
		g := m.spilt(&p, key)
		if g == nil {
			g = m.join(now, p, key)
		}
		m.dirtyGroups[g.id()] = true
		if (t.Escalated || t.Graver) && g.Members[key] {
			g.tellAgain(key)
		}
	}
}

// join makes an episode a member of a group. A new group waits before it is told: from now on, and not from the begin of
// the episode, which is an evaluation delay and a `for` ago already.
func (m *Machine) join(now int64, p place, key string) *Group {
	id, o := p.group.id(), p.route.RouteOpts
	g := m.groups[id]
	if g == nil {
		g = &p.group
		g.NextFlush, g.Members = now+o.GroupWait.Milliseconds(), map[string]bool{}
		m.groups[id] = g
	}
	m.opts[id] = o
	if _, member := g.Members[key]; !member {
		g.Members[key] = false
	}
	m.dirtyGroups[id] = true
	return g
}

func (m *Machine) flush(now int64, g *Group, o dispatch.RouteOpts) (Notification, bool) {
	id := g.id()
	m.dirtyGroups[id] = true
	g.NextFlush = now + o.GroupInterval.Milliseconds()
	var firing, fresh, resolved int
	muted, held, over := map[string]bool{}, m.held(g), m.exhausted(g, now)
	var spilt []string
	n := Notification{Receiver: g.Receiver, GroupKey: g.Key, GroupLabels: g.Labels, RouteLabels: g.RouteLabels}
	for key, toldFiring := range g.Members {
		e := m.episodes[key]
		if e == nil {
			g.leave(key)
			continue
		}
		// Who was told that it fires is told that it is over, whatever silences it by now.
		muted[key] = (e.Firing || !toldFiring) && m.mutedBy(now, e, o) != "" || !toldFiring && m.heldBack(now, e, key, g)
		if muted[key] {
			continue
		}
		if held[key] {
			if toldFiring { // and is nothing else to whoever was told so
				firing++
				n.Alerts = append(n.Alerts, e.asFiring())
			}
			continue
		}
		if over && !toldFiring && !e.Escalated && !e.Graver {
			spilt = append(spilt, key)
			continue
		}
		n.Alerts = append(n.Alerts, *e)
		switch {
		case !e.Firing:
			resolved++
		case !toldFiring, g.News[key]:
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
	case firing > 0 && !over && now-g.LastTold >= o.RepeatInterval.Milliseconds():
		n.Reason = ReasonRepeat
	}
	if n.Reason != "" {
		m.cover(now, g.Receiver, n.Alerts)
	}
	slices.Sort(spilt)
	m.spill(now, g, o, spilt)
	for key := range g.Members {
		if held[key] && !muted[key] {
			continue
		}
		switch told := n.Reason != "" && !muted[key]; {
		case !m.episodes[key].Firing:
			g.leave(key)
		case told:
			g.Members[key] = true
			delete(g.News, key)
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
	order(n.Alerts)
	m.spend(g, now)
	m.noteTold(g)
	m.sayFlapping(g, n.Alerts)
	if g.Summary {
		m.saySummary(g, n.Alerts)
	}
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

// NextWake converts what Advance returned into a duration from now, at most limit.
func NextWake(now, next int64, limit time.Duration) time.Duration {
	if next == 0 {
		return limit
	}
	return min(max(time.Duration(next-now)*time.Millisecond, 0), limit)
}
