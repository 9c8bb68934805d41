package alert

import "slices"

// IncidentAlert is the name of the alert that tells a story instead of its parts. Its label incident is its id, which the
// parts carry as Incident.
const IncidentAlert = "Incident"

// incidentID is the id of the incident that an episode is the alert of.
func incidentID(labels map[string]string) string {
	if labels["alertname"] != IncidentAlert || labels["type"] != "incident" {
		return ""
	}
	return labels["incident"]
}

// heldBack says whether a receiver need not hear of an episode now, because it heard of the incident that it is part of, or
// is about to: an incident that is muted and was not told stands for nothing. What is graver than the incident is by now, or wakes people
// when that does not, is told all the same.
func (m *Machine) heldBack(now int64, e *Episode, member string, of *Group) bool {
	if e.Incident == "" || of.Covered[member] {
		return of.Covered[member]
	}
	story, receiver := m.incidents()[e.Incident], of.Receiver
	if story == nil || graver(e.Labels["severity"], story.Severity()) ||
		story.Annotations[PagingAnnotation] == "false" && e.Annotations[PagingAnnotation] != "false" {
		return false
	}
	key := story.Key()
	return slices.ContainsFunc(m.places(story), func(p place) bool {
		if p.group.Receiver != receiver {
			return false
		}
		g := m.groups[p.group.id()]
		return g != nil && g.Members[key] || m.mutedBy(now, story, p.route.RouteOpts) == ""
	})
}

// cover notes what a receiver need not hear of any more: parts that were held back, and ended before their incident did, whose
// end it was told. Groups may be flushed when nobody remembers the incident.
func (m *Machine) cover(now int64, receiver string, told []Episode) {
	over := map[string]bool{}
	for i := range told {
		if id := incidentID(told[i].Labels); id != "" && !told[i].Firing {
			over[id] = true
		}
	}
	if len(over) == 0 {
		return
	}
	for id, g := range m.groups {
		if g.Receiver != receiver {
			continue
		}
		for member, toldFiring := range g.Members {
			e := m.episodes[member]
			if toldFiring || e == nil || e.Firing || !over[e.Incident] || !m.heldBack(now, e, member, g) {
				continue
			}
			g.cover(member)
			m.dirtyGroups[id] = true
		}
	}
}

// incidents are those that are known, by id, the newest of each.
func (m *Machine) incidents() map[string]*Episode {
	if m.telling != nil {
		return m.telling
	}
	m.telling = map[string]*Episode{}
	for _, e := range m.episodes {
		id := incidentID(e.Labels)
		if id == "" {
			continue
		}
		if other := m.telling[id]; other == nil || e.StartsAt > other.StartsAt {
			m.telling[id] = e
		}
	}
	return m.telling
}

// graver tells whether one severity is graver than another. What is not one of ours is the least.
func graver(a, b string) bool {
	order := []string{"info", "warning", "critical"}
	return slices.Index(order, a) > slices.Index(order, b)
}
