package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
)

// What PagerDuty takes: longer summaries and events it refuses.
const (
	pagerDutySummary = 1024
	pagerDutyBytes   = 512_000
	pagerDutyAlerts  = 50
)

// pagerDutyShape is an event of the Events API v2: one incident for each group, which a notification triggers or resolves.
// The routing key is a secret: the sender puts it in (SenderOptions.RoutingKeyFile), so that no store and no log has it.
type pagerDutyShape struct{}

type pagerDutyEvent struct {
	Action    string            `json:"event_action"`
	DedupKey  string            `json:"dedup_key"`
	Client    string            `json:"client"`
	ClientURL string            `json:"client_url,omitempty"`
	Payload   *pagerDutyPayload `json:"payload,omitempty"`
	Links     []pagerDutyLink   `json:"links,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"` // critical, error, warning or info
	Timestamp string         `json:"timestamp,omitempty"`
	Component string         `json:"component,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details"`
}

type pagerDutyLink struct {
	HRef string `json:"href"`
	Text string `json:"text"`
}

func (pagerDutyShape) render(m *amwebhook.Message) ([]byte, error) {
	key := sha256.Sum256([]byte(m.GroupKey)) // as Alertmanager has it
	e := pagerDutyEvent{Action: "resolve", DedupKey: hex.EncodeToString(key[:]), Client: "baseliner", ClientURL: link(m.ExternalURL)}
	if m.Status != "firing" {
		return shrink(0, 0, pagerDutyBytes, func(int) any { return e })
	}
	e.Action = "trigger"
	first := m.Alerts[0] // of a list that was cut, all that fire may be beyond its end
	if firing := m.Alerts.Firing(); len(firing) > 0 {
		first = firing[0]
	}
	source := first.Labels["instance"]
	for _, name := range []string{"service", "job", "signal", "alertname"} {
		if source == "" {
			source = first.Labels[name]
		}
	}
	if source == "" {
		source = "baseliner"
	}
	e.Payload = &pagerDutyPayload{
		Summary: clip(headline(m), pagerDutySummary), Source: clip(source, 255), Severity: pagerDutySeverity(worstSeverity(m)),
		Timestamp: first.StartsAt.Format(time.RFC3339), Component: clip(first.Labels["service"], 255), Class: clip(first.Labels["alertname"], 255),
	}
	if u := link(first.GeneratorURL); u != "" {
		e.Links = []pagerDutyLink{{u, "Open"}}
	}
	return shrink(len(m.Alerts), pagerDutyAlerts, pagerDutyBytes, func(n int) any {
		details := map[string]any{"num_firing": len(m.Alerts.Firing()), "num_resolved": len(m.Alerts.Resolved())}
		var lines []string
		for i := range m.Alerts[:n] {
			a := &m.Alerts[i]
			lines = append(lines, clip(a.Status+": "+a.Annotations["summary"]+" ("+labelLine(a.Labels)+")", 1000))
		}
		if rest := more(m, n); rest != "" {
			lines = append(lines, rest)
		}
		details["alerts"] = lines
		e.Payload.Details = details
		return e
	})
}

func pagerDutySeverity(s string) string {
	switch s {
	case "critical", "error", "warning", "info":
		return s
	}
	return "error"
}

// withRoutingKey puts the routing key into a body that is an event without one.
func withRoutingKey(body []byte, file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read routing_key_file: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if key == "" {
		return nil, errors.New("read routing_key_file: it is empty")
	}
	if !bytes.HasPrefix(body, []byte("{")) {
		return nil, errors.New("routing_key_file: the payload is no event")
	}
	quoted, err := json.Marshal(key)
	if err != nil {
		return nil, fmt.Errorf("routing key: %w", err)
	}
	out := append([]byte(`{"routing_key":`), quoted...)
	if rest := bytes.TrimSpace(body[1:]); !bytes.HasPrefix(rest, []byte("}")) {
		out = append(out, ',')
	}
	return append(out, body[1:]...), nil
}
