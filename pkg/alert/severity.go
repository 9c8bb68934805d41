package alert

import (
	"maps"

	"github.com/prometheus/common/model"
)

// SeverityAnnotation says how grave an incident is by now, where that is more than its label severity. That label is part of
// which alert it is, and an alert that changed it would end and begin; so routes, inhibition, silences and receivers are
// shown the severity of now, and the alert stays the same.
const SeverityAnnotation = "severity"

// Severity is that of now.
func (t *Transition) Severity() string {
	if s := t.Annotations[SeverityAnnotation]; s != "" && incidentID(t.Labels) != "" {
		return s
	}
	return t.Labels["severity"]
}

// Shown are the labels as people see them. The result is not to be changed.
func (t *Transition) Shown() map[string]string {
	s := t.Severity()
	if s == t.Labels["severity"] {
		return t.Labels
	}
	out := maps.Clone(t.Labels)
	out["severity"] = s
	return out
}

// before is what routes saw of an episode before it became graver.
func before(e *Episode) model.LabelSet {
	all := matched(e)
	all["severity"] = model.LabelValue(e.Labels["severity"])
	return all
}
