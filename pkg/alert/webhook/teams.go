package webhook

import (
	"strings"

	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
)

// Teams refuses messages of more than 28 KB.
const (
	teamsBytes  = 27 << 10
	teamsAlerts = 20
	teamsTitle  = 500
	teamsText   = 1000
)

// teamsShape is an adaptive card as the webhook of a workflow takes it. All of its texts are runs, which know no
// Markdown: what a label says stays what it is.
type teamsShape struct{}

type teamsMessage struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	ContentURL  *string   `json:"contentUrl"` // null
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string            `json:"$schema"`
	Type    string            `json:"type"`
	Version string            `json:"version"`
	Body    []teamsBlock      `json:"body"`
	Actions []teamsAction     `json:"actions,omitempty"`
	Teams   map[string]string `json:"msteams"`
}

type teamsBlock struct {
	Type      string     `json:"type"`
	Separator bool       `json:"separator,omitempty"`
	Inlines   []teamsRun `json:"inlines"`
}

type teamsRun struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Weight string `json:"weight,omitempty"`
	Size   string `json:"size,omitempty"`
	Color  string `json:"color,omitempty"`
	Subtle bool   `json:"isSubtle,omitempty"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

func (teamsShape) render(m *amwebhook.Message) ([]byte, error) {
	return shrink(len(m.Alerts), teamsAlerts, teamsBytes, func(n int) any {
		color := "Good"
		if m.Status == "firing" {
			color = "Attention"
		}
		card := teamsCard{
			Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4", Teams: map[string]string{"width": "full"},
			Body: []teamsBlock{{Type: "RichTextBlock", Inlines: []teamsRun{{Type: "TextRun", Text: teamsEscape(headline(m), teamsTitle), Weight: "Bolder", Size: "Medium", Color: color}}}},
		}
		for i := range m.Alerts[:n] {
			a := &m.Alerts[i]
			title, run := a.Annotations["summary"], func(text string, most int) teamsRun {
				return teamsRun{Type: "TextRun", Text: teamsEscape(text, most)}
			}
			if title == "" {
				title = a.Labels["alertname"]
			}
			head := run(strings.ToUpper(a.Status)+" "+title, teamsTitle)
			head.Weight = "Bolder"
			labels := run("\n"+labelLine(a.Labels), 300)
			labels.Subtle = true
			card.Body = append(card.Body, teamsBlock{Type: "RichTextBlock", Separator: true, Inlines: []teamsRun{head, run("\n"+a.Annotations["description"], teamsText), labels}})
		}
		if rest := more(m, n); rest != "" {
			card.Body = append(card.Body, teamsBlock{Type: "RichTextBlock", Separator: true, Inlines: []teamsRun{{Type: "TextRun", Text: rest}}})
		}
		for i := range m.Alerts[:min(n, 1)] {
			if u := link(m.Alerts[i].GeneratorURL); u != "" {
				card.Actions = []teamsAction{{Type: "Action.OpenUrl", Title: "Open", URL: u}}
			}
		}
		return teamsMessage{Type: "message", Attachments: []teamsAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}}
	})
}

// teamsEscape breaks the one thing that cards read in a text of any kind: {{DATE(…)}}.
func teamsEscape(s string, most int) string {
	return strings.ReplaceAll(clip(s, most), "{{", "{\u200b{")
}
