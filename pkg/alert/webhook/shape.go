package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
)

// Shape makes another body than Alertmanager's of a notification: a Template, or one that is ready-made.
type Shape interface {
	render(m *amwebhook.Message) ([]byte, error)
}

// The ready-made shapes.
const (
	Slack     = "slack"     // incoming webhooks
	Teams     = "teams"     // adaptive card, for the webhook of a workflow
	PagerDuty = "pagerduty" // Events API v2
)

var shapes = map[string]Shape{Slack: slackShape{}, Teams: teamsShape{}, PagerDuty: pagerDutyShape{}}

// Named returns a ready-made shape.
func Named(name string) (s Shape, ok bool) {
	s, ok = shapes[name]
	return s, ok
}

// Names lists the ready-made shapes.
func Names() []string { return slices.Sorted(maps.Keys(shapes)) }

// shrink encodes what make gives of the first n alerts, of as many as fit into so many bytes.
func shrink(alerts, most, limit int, build func(n int) any) ([]byte, error) {
	for n := min(alerts, most); ; n = n * 2 / 3 {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(build(n)); err != nil {
			return nil, fmt.Errorf("encode payload: %w", err)
		}
		if b.Len() <= limit || n == 0 {
			return b.Bytes(), nil
		}
	}
}

// headline says what a message is about in one line.
func headline(m *amwebhook.Message) string {
	name := m.GroupLabels["alertname"]
	if name == "" {
		name = m.CommonLabels["alertname"]
	}
	if name == "" {
		name = "alerts"
	}
	text := "[" + strings.ToUpper(m.Status)
	if n := len(m.Alerts.Firing()); m.Status == "firing" && n > 0 {
		text += fmt.Sprintf(":%d", n)
	}
	text += "] " + name
	if s := m.CommonAnnotations["summary"]; s != "" {
		text += ": " + s
	}
	return text
}

// more says how many alerts a message does not show.
func more(m *amwebhook.Message, shown int) string {
	if n := len(m.Alerts) - shown + int(m.TruncatedAlerts); n > 0 {
		return fmt.Sprintf("and %d more", n)
	}
	return ""
}

// labelLine is what tells an alert from the others.
func labelLine(labels map[string]string) string {
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(labels)) {
		if n != "alertname" {
			parts = append(parts, n+"="+clip(labels[n], 200))
		}
	}
	return strings.Join(parts, ", ")
}

// clip cuts a text to so many runes, and takes out what only a screen or a shell would read: control characters but line
// breaks, and marks that turn the direction of what follows.
func clip(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == most-1 && len(s) > b.Len() {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\t':
			r = ' '
		case r == '\n':
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			r = '\ufffd'
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// worstSeverity is the highest severity among the alerts that fire, in the words of ours.
func worstSeverity(m *amwebhook.Message) string {
	rank := func(s string) int { return slices.Index([]string{"info", "warning", "error", "critical"}, s) }
	worst := ""
	for _, a := range m.Alerts {
		if a.Status == m.Status && rank(a.Labels["severity"]) > rank(worst) {
			worst = a.Labels["severity"]
		}
	}
	return worst
}

// link is an address that a program may open, "" for anything else.
func link(s string) string {
	const most = 2000
	if len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '<' || r == '>' || r == '|' || r == '"' || r == 0x7f }) {
		return ""
	}
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}
