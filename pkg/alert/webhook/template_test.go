package webhook_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

func shaped(t *testing.T, text string) (*webhook.Template, error) {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	return webhook.NewTemplate(tree)
}

// TestHostileLabelsStayText puts into a label whatever might mean something to YAML, JSON, a template or a page.
func TestHostileLabelsStayText(t *testing.T) {
	shape, err := shaped(t, `
title: '{{ .CommonLabels.pod }}'
'{{ not a template }}': 1
severity: 3
firing: true
lines:
  - '{{ range .Alerts }}{{ .Labels.pod }}{{ end }}'
  - '{{ .GroupKey }} {{ .Status }}'
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, hostile := range []string{
		`{a: b}`, `[1, 2]`, `true`, `17`, `null`, `a: b`, `"}, "x": "`, `{{ .ExternalURL }}`, `{{ template "x" }}`, "line\nbreak", `<script>alert(1)</script>`,
		`${HOME}`, `%s%n`, "\x1b[31m", "ünï \u202e code", `*anchor`, `!!binary aGk=`, `- item`,
	} {
		n := alert.Notification{GroupKey: "{}:{}", Reason: alert.ReasonFirst, Alerts: []alert.Episode{{Transition: alert.Transition{
			Firing: true, Labels: map[string]string{"pod": hostile},
		}}}}
		body, ok, err := webhook.Encode(&n, webhook.PayloadOptions{ExternalURL: "http://secret", Shape: shape})
		if err != nil || !ok {
			t.Fatalf("%q: %v", hostile, err)
		}
		var got any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%q: %v in %s", hostile, err, body)
		}
		want := map[string]any{
			"title": hostile, "{{ not a template }}": 1.0, "severity": 3.0, "firing": true, "lines": []any{hostile, "{}:{} firing"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %s", hostile, body)
		}
	}
}

func TestTemplatesThatAreNone(t *testing.T) {
	check := func(text, cause string) {
		t.Helper()
		if _, err := shaped(t, text); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: %v, want %s", text, err, cause)
		}
	}
	check(`{a: {b: ['{{ .Alerts']}}`, "payload.a.b[0]")
	check(`'{{ .NoSuchField }}'`, "NoSuchField")
	check(`'{{ template "nobody" . }}'`, "nobody")
	check(`'{{ nosuchfunction }}'`, "nosuchfunction")
	check(`'{{ routeLabels "x" }}'`, ".RouteLabels.NAME")
}
