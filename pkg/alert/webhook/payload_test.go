package webhook_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"go.yaml.in/yaml/v2"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

func routes(t *testing.T, text string) *dispatch.Route {
	t.Helper()
	var r amconfig.Route
	if err := yaml.UnmarshalStrict([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return dispatch.NewRoute(&r, nil)
}

func millis(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

func encode(t *testing.T, n *alert.Notification, o webhook.PayloadOptions) []byte {
	t.Helper()
	body, ok, err := webhook.Encode(n, o)
	if err != nil || !ok {
		t.Fatalf("encode: %v, something to say: %t", err, ok)
	}
	return body
}

// decode reads a body as Alertmanager's own consumers do, and accepts nothing that they do not know.
func decode(t *testing.T, body []byte) amwebhook.Message {
	t.Helper()
	var m amwebhook.Message
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}

// TestSameAsAlertmanager gives machine and encoder what a real Alertmanager was given.
func TestSameAsAlertmanager(t *testing.T) {
	const quiet = "0001-01-01T00:00:00Z"
	alerting := func(labels map[string]string, annotations map[string]string, generator, starts, ends string) alert.Transition {
		tr := alert.Transition{Firing: ends == quiet, Labels: labels, Annotations: annotations, GeneratorURL: generator, StartsAt: millis(t, starts)}
		if !tr.Firing {
			tr.EndsAt = millis(t, ends)
		}
		return tr
	}
	pod := func(name, generator, ends string) alert.Transition {
		return alerting(map[string]string{"alertname": "A", "namespace": "ns", "pod": name}, map[string]string{"summary": "a & b < c"},
			generator, "2026-11-23T08:47:05Z", ends)
	}
	m := alert.NewMachine(routes(t, `
receiver: team.ok-1
group_by: [alertname, namespace]
group_wait: 0s
group_interval: 1s
routes: [{receiver: c500, matchers: [sev="c500"]}]`))
	steps := [][]alert.Transition{
		{pod("p2", "http://x/graph?g0.expr=up&g0.tab=1", quiet), pod("p1", "http://x/graph?g0.expr=up&g0.tab=1", quiet)},
		{alerting(map[string]string{"alertname": "B", "sev": "c500"}, nil, "", "2026-11-23T08:51:05Z", quiet)},
		{pod("p1", "", "2026-11-23T08:47:14Z"), pod("p2", "", "2026-11-23T08:47:14Z")},
	}
	recorded, err := os.ReadFile("testdata/alertmanager-0.31.1.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSpace(string(recorded)), "\n")
	if len(lines) != len(steps) {
		t.Fatalf("%d lines", len(lines))
	}
	for i, step := range steps {
		out, _ := m.Advance(millis(t, "2026-11-23T08:52:00Z")+int64(i)*1000, step)
		if len(out) != 1 {
			t.Fatalf("line %d: %d notifications", i+1, len(out))
		}
		body := encode(t, &out[0], webhook.PayloadOptions{ExternalURL: "http://vm:19093", MaxAlerts: map[string]int{"team.ok-1": 1}[out[0].Receiver], SendResolved: true})
		decode(t, body)
		var got, want map[string]any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(lines[i]), &want); err != nil {
			t.Fatal(err)
		}
		for _, later := range []string{"notification_reason", "routeLabels"} {
			if _, ok := got[later]; !ok {
				t.Errorf("line %d: no %s", i+1, later)
			}
			delete(got, later)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("line %d: got\n%s\nAlertmanager sent\n%s", i+1, body, lines[i])
		}
	}
}

func TestGolden(t *testing.T) {
	n := &alert.Notification{
		Receiver: "shop.oncall", GroupKey: `{}:{alertname="checkout"}`, Reason: alert.ReasonFirst,
		GroupLabels: map[string]string{"alertname": "checkout"}, RouteLabels: map[string]string{"team": "shop"},
		Alerts: []alert.Episode{
			{Fingerprint: "4a7c1f0b2d3e4f50", Transition: alert.Transition{
				Firing: true, Labels: map[string]string{"alertname": "checkout", "severity": "warning", "pod": "a"}, Annotations: map[string]string{"summary": "1 < 2 & 3", "team": "shop"},
				GeneratorURL: "http://baseliner:9780/?a=1&b=2", StartsAt: 1_763_884_800_123,
			}},
			{Fingerprint: "4a7c1f0b2d3e4f51", Transition: alert.Transition{
				Labels: map[string]string{"alertname": "checkout", "severity": "critical"}, Annotations: map[string]string{"team": "shop"},
				StartsAt: 1_763_884_800_000, EndsAt: 1_763_884_860_000,
			}},
		},
	}
	want := `{"receiver":"shop\\.oncall","status":"firing","alerts":[` +
		`{"status":"firing","labels":{"alertname":"checkout","pod":"a","severity":"warning"},"annotations":{"summary":"1 \u003c 2 \u0026 3","team":"shop"},` +
		`"startsAt":"2025-11-23T08:00:00.123Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://baseliner:9780/?a=1\u0026b=2","fingerprint":"4a7c1f0b2d3e4f50"},` +
		`{"status":"resolved","labels":{"alertname":"checkout","severity":"critical"},"annotations":{"team":"shop"},` +
		`"startsAt":"2025-11-23T08:00:00Z","endsAt":"2025-11-23T08:01:00Z","generatorURL":"","fingerprint":"4a7c1f0b2d3e4f51"}],` +
		`"notification_reason":"first notification","groupLabels":{"alertname":"checkout"},"commonLabels":{"alertname":"checkout"},"commonAnnotations":{"team":"shop"},` +
		`"routeLabels":{"team":"shop"},"externalURL":"http://baseliner:9780","version":"4","groupKey":"{}:{alertname=\"checkout\"}","truncatedAlerts":0}` + "\n"
	if got := string(encode(t, n, webhook.PayloadOptions{ExternalURL: "http://baseliner:9780", SendResolved: true})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// of is a notification of alerts that fire (+name) and have ended (-name).
func of(reason string, names ...string) *alert.Notification {
	n := &alert.Notification{Receiver: "r", GroupKey: "{}:{}", Reason: reason}
	for _, name := range names {
		tr := alert.Transition{Firing: name[0] == '+', Labels: map[string]string{"alertname": name[1:]}, StartsAt: 1000}
		if !tr.Firing {
			tr.EndsAt = 2000
		}
		n.Alerts = append(n.Alerts, alert.Episode{Transition: tr, Fingerprint: alert.Fingerprint(tr.Labels)})
	}
	return n
}

func TestTruncation(t *testing.T) {
	m := decode(t, encode(t, of(alert.ReasonNew, "-a", "-b", "+c"), webhook.PayloadOptions{MaxAlerts: 2, SendResolved: true}))
	if len(m.Alerts) != 2 || m.TruncatedAlerts != 1 {
		t.Errorf("%d alerts and %d truncated", len(m.Alerts), m.TruncatedAlerts)
	}
	if m.Status != "firing" {
		t.Errorf("status %s: the receiver would close what still fires", m.Status)
	}
	m = decode(t, encode(t, of(alert.ReasonNew, "-a", "+b", "+c"), webhook.PayloadOptions{MaxAlerts: 2}))
	if len(m.Alerts) != 2 || m.TruncatedAlerts != 0 {
		t.Errorf("what is not sent at all is truncated: %d alerts and %d truncated", len(m.Alerts), m.TruncatedAlerts)
	}
}

func TestWithoutSendResolved(t *testing.T) {
	check := func(n *alert.Notification, want string) {
		t.Helper()
		body, ok, err := webhook.Encode(n, webhook.PayloadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if ok {
			m := decode(t, body)
			got = m.Status
			for _, a := range m.Alerts {
				got += " " + a.Status + " " + a.Labels["alertname"]
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", n.Reason, got, want)
		}
	}
	check(of(alert.ReasonFirst, "+a", "-b"), "firing firing a")
	check(of(alert.ReasonNew, "+a", "-b"), "firing firing a")
	check(of(alert.ReasonSomeResolved, "+a", "-b"), "")
	check(of(alert.ReasonAllResolved, "-b"), "")
	check(of(alert.ReasonRepeat, "+a"), "firing firing a")
}

func TestNothingIsNull(t *testing.T) {
	body := encode(t, of(alert.ReasonFirst, "+a", "+b"), webhook.PayloadOptions{})
	if bytes.Contains(body, []byte("null")) {
		t.Errorf("null in %s", body)
	}
	m := decode(t, body)
	if m.CommonLabels == nil || len(m.CommonLabels) != 0 {
		t.Errorf("common labels: %v", m.CommonLabels)
	}
}

func TestHostileText(t *testing.T) {
	n := of(alert.ReasonFirst, "+a")
	hostile := "\xff\xfe \x00 \u2028 \u202e </script> {{ .Secret }} \" \\ \r\n %s"
	n.Alerts[0].Labels = map[string]string{"alertname": hostile, "bad\xffname": "v"}
	n.Alerts[0].Annotations = map[string]string{"summary": hostile, "huge": strings.Repeat("x", 1<<20)}
	n.GroupLabels = map[string]string{"alertname": hostile}
	body := encode(t, n, webhook.PayloadOptions{})
	if !json.Valid(body) {
		t.Fatalf("not JSON: %.200q", body)
	}
	want := strings.NewReplacer("\xff", "\ufffd", "\xfe", "\ufffd").Replace(hostile)
	if got := decode(t, body).Alerts[0].Labels["alertname"]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTimeBeyondJSON(t *testing.T) {
	n := of(alert.ReasonFirst, "+a")
	n.Alerts[0].StartsAt = 1 << 60
	if _, _, err := webhook.Encode(n, webhook.PayloadOptions{}); err == nil || !strings.Contains(err.Error(), n.GroupKey) {
		t.Errorf("error %v does not name the group", err)
	}
}
