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
// is about to: an incident that is muted and was not told stands for nothing. What is graver than the incident, or wakes people
// when that does not, is told all the same.
func (m *Machine) heldBack(now int64, e *Episode, receiver string) bool {
	if e.Incident == "" {
		return false
	}
	story := m.incidents()[e.Incident]
	if story == nil || graver(e.Labels["severity"], story.Labels["severity"]) ||
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
