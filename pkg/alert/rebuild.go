package alert

import (
	"maps"
	"slices"

	"github.com/prometheus/alertmanager/dispatch"
)

// Rebuild takes over another routing. Groups that exist under it keep what they have told; what is new in a group is
// told after its wait. abandoned are the groups of the old tree that had told of something and are gone.
func (m *Machine) Rebuild(now int64, routing Routing) (abandoned []Group) {
	old := m.groups
	m.receivers, m.inhibit, m.intervals = routing.Receivers, routing.Inhibit, map[string]*Window{}
	for i := range routing.Intervals {
		m.intervals[routing.Intervals[i].Name] = &routing.Intervals[i]
	}
	m.route, m.groups, m.opts = routing.Route, map[string]*Group{}, map[string]dispatch.RouteOpts{}
	waiting := map[string][]string{} // episode → the old groups it is a member of
	for id, g := range old {
		for key := range g.Members {
			waiting[key] = append(waiting[key], id)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.episodes)) {
		e := m.episodes[key]
		places := m.places(e)
		homeless := len(waiting[key]) == 0 || slices.ContainsFunc(waiting[key], func(id string) bool {
			return !slices.ContainsFunc(places, func(p place) bool { return p.group.id() == id })
		})
		for _, p := range places {
			was := old[p.group.id()]
			if was == nil {
				// A group that has told an end may be gone since, and must not tell it again: what has ended joins new
				// groups only when it can no longer be told where it waited.
				if e.Firing || homeless {
					m.join(now, p, key)
				}
				continue
			}
			if told, member := was.Members[key]; e.Firing || member {
				g := m.join(now, p, key)
				g.NextFlush, g.LastTold, g.Members[key] = was.NextFlush, was.LastTold, told
				if was.News[key] {
					if g.News == nil {
						g.News = map[string]bool{}
					}
					g.News[key] = true
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old)) {
		m.dirtyGroups[id] = true
		if m.groups[id] == nil && old[id].LastTold > 0 {
			abandoned = append(abandoned, *old[id])
		}
	}
	m.forget()
	return abandoned
}

// Dirty says whether Delta has anything to tell.
func (m *Machine) Dirty() bool { return len(m.dirtyEpisodes)+len(m.dirtyGroups) > 0 }

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
func (m *Machine) Restore(episodes []*Episode, groups []*Group) {
	for _, e := range episodes {
		m.episodes[e.Key()] = e
	}
	for _, g := range groups {
		if g.Members == nil {
			g.Members = map[string]bool{}
		}
		m.groups[g.id()] = g
	}
}
