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
	m.flapping, m.allowances = routing.Flapping, routing.Allowances
	m.trimSpending()
	m.schedule(now, routing.Digest)
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
			return !slices.ContainsFunc(places, func(p place) bool { return p.group.id() == id || summaryID(p.group.Receiver) == id })
		})
		for _, p := range places {
			was := old[p.group.id()]
			if sum := old[summaryID(p.group.Receiver)]; sum != nil {
				if told, member := sum.Members[key]; member {
					g := m.summary(now, p.group.Receiver, p.route.RouteOpts)
					g.NextFlush, g.LastTold, g.Members[key] = sum.NextFlush, sum.LastTold, told
					if sum.News[key] {
						g.tellAgain(key)
					}
					continue
				}
			}
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
					g.tellAgain(key)
				}
				if was.Covered[key] {
					g.cover(key)
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

// Stored is what a machine keeps on disk.
type Stored struct {
	Episodes []*Episode
	Groups   []*Group
	Flaps    []*Flap
	Spent    []*Spending
	Week     *Week
}

// Put is what Delta hands records to; nil ones are gone. Groups have their id for a key.
type Put struct {
	Episode  func(key string, e *Episode) error
	Group    func(id string, g *Group) error
	Flap     func(fingerprint string, f *Flap) error
	Spending func(receiver string, s *Spending) error
	Week     func(w *Week) error
}

// Dirty says whether Delta has anything to tell.
func (m *Machine) Dirty() bool {
	return m.dirtyWeek || len(m.dirtyEpisodes)+len(m.dirtyGroups)+len(m.dirtyFlaps)+len(m.dirtySpent) > 0
}

// Delta puts every record that changed since the last Clean.
func (m *Machine) Delta(put Put) error {
	if err := each(m.dirtyEpisodes, m.episodes, put.Episode); err != nil {
		return err
	}
	if err := each(m.dirtyGroups, m.groups, put.Group); err != nil {
		return err
	}
	if err := each(m.dirtyFlaps, m.flaps, put.Flap); err != nil {
		return err
	}
	if m.dirtyWeek {
		if err := put.Week(m.week); err != nil {
			return err
		}
	}
	return each(m.dirtySpent, m.spent, put.Spending)
}

func each[T any](dirty map[string]bool, all map[string]*T, put func(key string, v *T) error) error {
	for _, key := range slices.Sorted(maps.Keys(dirty)) {
		if err := put(key, all[key]); err != nil {
			return err
		}
	}
	return nil
}

// Clean says that the last Delta is safely stored.
func (m *Machine) Clean() {
	clear(m.dirtyEpisodes)
	clear(m.dirtyGroups)
	clear(m.dirtyFlaps)
	clear(m.dirtySpent)
	m.dirtyWeek = false
}

// Restore takes over stored records. Rebuild has to follow before the next Advance, which needs the route tree.
func (m *Machine) Restore(s Stored) {
	for _, e := range s.Episodes {
		m.episodes[e.Key()] = e
	}
	for _, g := range s.Groups {
		if g.Members == nil {
			g.Members = map[string]bool{}
		}
		m.groups[g.id()] = g
	}
	for _, f := range s.Flaps {
		m.flaps[f.Fingerprint] = f
	}
	for _, sp := range s.Spent {
		m.spent[sp.Receiver] = sp
	}
	m.week = s.Week
}
