package webhook

import (
	"strings"

	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
)

// What Slack shows of a message: longer ones it cuts itself, or refuses.
const (
	slackAlerts = 20 // attachments
	slackTitle  = 1024
	slackText   = 2000
	slackBytes  = 64 << 10
)

// slackShape is a message with an attachment for each alert. Formatting is switched off, and the three characters that
// begin links, mentions and entities are escaped: what a label says stays what it is.
type slackShape struct{}

type slackMessage struct {
	Text        string            `json:"text"`
	Markdown    bool              `json:"mrkdwn"`
	Parse       string            `json:"parse"`
	LinkNames   bool              `json:"link_names"`
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Fallback  string   `json:"fallback"`
	Color     string   `json:"color,omitempty"`
	Title     string   `json:"title,omitempty"`
	TitleLink string   `json:"title_link,omitempty"`
	Text      string   `json:"text"`
	Footer    string   `json:"footer,omitempty"`
	Markdown  []string `json:"mrkdwn_in"`
	Timestamp int64    `json:"ts,omitempty"` // unix seconds
}

var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slackEscape(s string, most int) string { return slackEscapes.Replace(clip(s, most)) }

func (slackShape) render(m *amwebhook.Message) ([]byte, error) {
	return shrink(len(m.Alerts), slackAlerts, slackBytes, func(n int) any {
		out := slackMessage{Text: slackEscape(headline(m), slackTitle), Parse: "none", Attachments: []slackAttachment{}}
		for i := range m.Alerts[:n] {
			out.Attachments = append(out.Attachments, slackAlert(&m.Alerts[i]))
		}
		if rest := more(m, n); rest != "" {
			out.Attachments = append(out.Attachments, slackAttachment{Fallback: rest, Text: rest, Markdown: []string{}})
		}
		return out
	})
}

func slackAlert(a *template.Alert) slackAttachment {
	title := a.Annotations["summary"]
	if title == "" {
		title = a.Labels["alertname"]
	}
	out := slackAttachment{
		Fallback: slackEscape(title, slackTitle), Title: slackEscape(title, slackTitle), TitleLink: link(a.GeneratorURL),
		Text: slackEscape(a.Annotations["description"], slackText), Footer: slackEscape(labelLine(a.Labels), 300), Markdown: []string{},
		Color: "good", Timestamp: a.EndsAt.Unix(),
	}
	if a.Status == "firing" {
		out.Color, out.Timestamp = "danger", a.StartsAt.Unix()
		if s := a.Labels["severity"]; s == "warning" || s == "info" {
			out.Color = "warning"
		}
	}
	return out
}
