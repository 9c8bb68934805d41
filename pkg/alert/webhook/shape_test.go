package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// hostiles might mean something to JSON, a template, a chat or a terminal.
var hostiles = []string{
	`"}, "x": "`, `\"`, "line\nbreak\r\n", `{{ .ExternalURL }}`, `{{DATE(2017-02-14T06:08:39Z, SHORT)}}`, `{{ template "x" }}`, `<!channel> <@U1> <https://evil.example|click>`,
	`[click](https://evil.example) **bold** _it_ ~s~ # h`, "\x00\x1b[31m\x07\x7f", "\xff\xfe", "ünï \u202e code \u2066x\u2069 \u2028", `&lt;script&gt;<script>alert(1)</script>`,
	`${HOME} %s%n $(id)`, `@everyone @here`, strings.Repeat("x", 10<<10), strings.Repeat("\U0001F600", 10<<10), strings.Repeat(`"`, 10<<10), "",
}

func hostileNotification(text string, alerts int) *alert.Notification {
	n := &alert.Notification{Receiver: "r", GroupKey: "{}:{" + text + "}", Reason: alert.ReasonFirst, GroupLabels: map[string]string{"alertname": text}}
	for i := range alerts {
		ls := map[string]string{"alertname": text, "pod": text, "service": text, "severity": []string{"warning", "critical", text}[i%3], "n": fmt.Sprint(i)}
		n.Alerts = append(n.Alerts, alert.Episode{Fingerprint: "f", Transition: alert.Transition{
			Firing: i%4 != 3, Labels: ls, StartsAt: 1_795_420_800_000, EndsAt: 1_795_420_900_000, GeneratorURL: "http://b/signal?name=x&from=" + text,
			Annotations: map[string]string{"summary": text, "description": text},
		}})
	}
	return n
}

// texts lists every string of a decoded body with the path to it.
func texts(v any, path string, f func(path, text string)) {
	switch v := v.(type) {
	case string:
		f(path, v)
	case []any:
		for _, x := range v {
			texts(x, path+"[]", f)
		}
	case map[string]any:
		for k, x := range v {
			texts(x, path+"."+k, f)
		}
	}
}

// TestShapesAreInertAndFit puts hostile values into every place of a notification: each ready-made body stays valid, within
// what its consumer takes, and has no field, mention, link or escape that its shape did not put there.
func TestShapesAreInertAndFit(t *testing.T) {
	limits := map[string]int{webhook.Slack: 64 << 10, webhook.Teams: 28 << 10, webhook.PagerDuty: 512_000}
	allowed := map[string]*regexp.Regexp{
		webhook.Slack:     regexp.MustCompile(`^\.(text|parse|attachments\[\]\.(fallback|color|title|title_link|text|footer|mrkdwn_in\[\]))$`),
		webhook.Teams:     regexp.MustCompile(`^\.(type|attachments\[\]\.(contentType|content\.(\$schema|type|version|msteams\.width|body\[\]\.(type|inlines\[\]\.(type|text|weight|size|color))|actions\[\]\.(type|title|url))))$`),
		webhook.PagerDuty: regexp.MustCompile(`^\.(event_action|dedup_key|client|client_url|links\[\]\.(href|text)|payload\.(summary|source|severity|timestamp|component|class|custom_details\.alerts\[\]))$`),
	}
	for _, name := range webhook.Names() {
		shape, _ := webhook.Named(name)
		for _, hostile := range hostiles {
			for _, alerts := range []int{1, 3, 200} {
				body := encode(t, hostileNotification(hostile, alerts), webhook.PayloadOptions{ExternalURL: "http://b", SendResolved: true, Shape: shape})
				short := clipped(hostile)
				if len(body) > limits[name] {
					t.Errorf("%s of %d alerts with %q: %d bytes", name, alerts, short, len(body))
				}
				var got map[string]any
				if err := json.Unmarshal(body, &got); err != nil {
					t.Fatalf("%s with %q: %v", name, short, err)
				}
				texts(got, "", func(path, text string) {
					if !allowed[name].MatchString(path) {
						t.Errorf("%s with %q has %s", name, short, path)
					}
					if strings.ContainsFunc(text, func(r rune) bool {
						return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
					}) {
						t.Errorf("%s with %q: control characters in %s: %q", name, short, path, clipped(text))
					}
					if name == webhook.Slack && strings.ContainsAny(text, "<>") {
						t.Errorf("slack with %q: %s is %q", short, path, clipped(text))
					}
					if name == webhook.Teams && strings.Contains(text, "{{") {
						t.Errorf("teams with %q: %s is %q", short, path, clipped(text))
					}
					if (strings.HasSuffix(path, "url") || strings.HasSuffix(path, "_link") || strings.HasSuffix(path, "href")) && !strings.HasPrefix(text, "http://b") {
						t.Errorf("%s with %q: %s is %q", name, short, path, clipped(text))
					}
				})
				verify(t, name, got)
			}
		}
	}
}

// verify holds a body against what its consumer documents.
func verify(t *testing.T, name string, got map[string]any) {
	t.Helper()
	runes := func(v any) int { s, _ := v.(string); return utf8.RuneCountInString(s) }
	switch name {
	case webhook.Slack:
		if got["mrkdwn"] != false || got["parse"] != "none" || got["link_names"] != false {
			t.Error("slack: formatting is on")
		}
		all := got["attachments"].([]any)
		if len(all) == 0 || len(all) > 100 {
			t.Errorf("slack: %d attachments", len(all))
		}
		for _, a := range all {
			a := a.(map[string]any)
			if m, ok := a["mrkdwn_in"].([]any); !ok || len(m) > 0 || runes(a["text"]) > 5*2000 {
				t.Errorf("slack: attachment %v", a)
			}
		}
	case webhook.Teams:
		a := got["attachments"].([]any)[0].(map[string]any)
		card := a["content"].(map[string]any)
		if got["type"] != "message" || a["contentType"] != "application/vnd.microsoft.card.adaptive" || card["type"] != "AdaptiveCard" || a["contentUrl"] != nil {
			t.Errorf("teams: %v", got)
		}
		for _, b := range card["body"].([]any) {
			b := b.(map[string]any)
			for _, r := range b["inlines"].([]any) {
				if b["type"] != "RichTextBlock" || r.(map[string]any)["type"] != "TextRun" {
					t.Errorf("teams: a text that knows Markdown: %v", b)
				}
			}
		}
	case webhook.PagerDuty:
		p := got["payload"].(map[string]any)
		severities := []any{"critical", "error", "warning", "info"}
		if got["event_action"] != "trigger" || len(got["dedup_key"].(string)) != 64 || p["summary"] == "" || runes(p["summary"]) > 1024 || p["source"] == "" || !slices.Contains(severities, p["severity"]) {
			t.Errorf("pagerduty: %v", got)
		}
		if _, leaked := got["routing_key"]; leaked {
			t.Error("pagerduty: the key is in the body that is stored")
		}
	}
}

func clipped(s string) string { return s[:min(len(s), 80)] }

// TestShapesOfGoodNews: what is over resolves under the key that it triggered under.
func TestShapesOfGoodNews(t *testing.T) {
	shape, _ := webhook.Named(webhook.PagerDuty)
	fires := hostileNotification("X", 1)
	over := hostileNotification("X", 1)
	over.Alerts[0].Firing, over.Reason = false, alert.ReasonAllResolved
	var a, b struct {
		Action string `json:"event_action"`
		Key    string `json:"dedup_key"`
	}
	for n, into := range map[*alert.Notification]any{fires: &a, over: &b} {
		if err := json.Unmarshal(encode(t, n, webhook.PayloadOptions{SendResolved: true, Shape: shape}), into); err != nil {
			t.Fatal(err)
		}
	}
	if a.Action != "trigger" || b.Action != "resolve" || a.Key != b.Key {
		t.Errorf("%+v, %+v", a, b)
	}
	// A list that was cut to what has ended still triggers.
	cut := hostileNotification("X", 2)
	cut.Alerts[0].Firing = false
	if err := json.Unmarshal(encode(t, cut, webhook.PayloadOptions{SendResolved: true, MaxAlerts: 1, Shape: shape}), &a); err != nil || a.Action != "trigger" {
		t.Errorf("%+v, %v", a, err)
	}
	slack, _ := webhook.Named(webhook.Slack)
	var m struct{ Attachments []struct{ Color string } }
	if err := json.Unmarshal(encode(t, over, webhook.PayloadOptions{SendResolved: true, Shape: slack}), &m); err != nil || m.Attachments[0].Color != "good" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestRoutingKey: the key goes into what is posted, from its file, whatever it holds.
func TestRoutingKey(t *testing.T) {
	var body map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body = nil
		_ = json.NewDecoder(r.Body).Decode(&body) // looked at below
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "key")
	s, err := webhook.NewSender("pager", webhook.SenderOptions{URL: server.URL, RoutingKeyFile: file})
	if err != nil {
		t.Fatal(err)
	}
	check := func(key, text, want string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Send(t.Context(), "msg_1", []byte(text))
		got, _ := json.Marshal(body)
		if want == "" {
			if err == nil || key != "" && strings.Contains(err.Error(), key) {
				t.Errorf("%s: %v", text, err)
			}
		} else if err != nil || string(got) != want {
			t.Errorf("%s with %q became %s, %v", text, key, got, err)
		}
	}
	check(`k"1`, `{"event_action":"trigger"}`+"\n", `{"event_action":"trigger","routing_key":"k\"1"}`)
	check("k1", `{}`, `{"routing_key":"k1"}`)
	check("k1", `[1]`, "")
	check("", `{}`, "")
}

// TestRouteLabels: labels of routes are templates over the group, as in Alertmanager; what they give is never a template.
func TestRouteLabels(t *testing.T) {
	n := of(alert.ReasonFirst, "+a")
	n.GroupLabels = map[string]string{"alertname": `{{ .ExternalURL }} "quoted"`}
	n.RouteLabels = map[string]string{"team": "shop", "title": `{{ .GroupLabels.alertname }} of {{ routeLabels "team" }}`}
	m := decode(t, encode(t, n, webhook.PayloadOptions{ExternalURL: "http://secret"}))
	if want := `{{ .ExternalURL }} "quoted" of shop`; m.RouteLabels["title"] != want || m.RouteLabels["team"] != "shop" {
		t.Errorf("route labels %v", m.RouteLabels)
	}
	shape, err := shaped(t, `{title: '{{ .RouteLabels.title }}'}`)
	if err != nil {
		t.Fatal(err)
	}
	if body := string(encode(t, n, webhook.PayloadOptions{ExternalURL: "http://secret", Shape: shape})); body != `{"title":"{{ .ExternalURL }} \"quoted\" of shop"}`+"\n" {
		t.Errorf("payload %s", body)
	}
	for _, bad := range []map[string]string{{"a": "{{ .Nothing }}"}, {"a": `{{ routeLabels "b" }}`, "b": `{{ routeLabels "a" }}`}, {"a": "{{"}} {
		if webhook.CheckRouteLabels(bad) == nil {
			t.Errorf("%v are taken", bad)
		}
	}
	if err := webhook.CheckRouteLabels(map[string]string{"a": `{{ .CommonLabels.x }} {{ routeLabels "of a parent" }}`}); err != nil {
		t.Error(err)
	}
}
