// Package webhook speaks Alertmanager's webhook: its payload of version 4, as its own types encode it, and the post that
// carries it.
package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"

	"github.com/baseliner/baseliner/pkg/alert"
)

// PayloadOptions shape the payload of one receiver.
type PayloadOptions struct {
	ExternalURL  string
	MaxAlerts    int   // 0 is no limit
	SendResolved bool  // without it, alerts that ended are left out
	Shape        Shape // nil for Alertmanager's payload
}

// Encode gives the body of a notification; ok is false when there is nothing to say: to who does not want to hear of
// ends, an end is no news. status is that of the whole group, also when MaxAlerts cuts the list: a receiver must not
// close what still fires.
func Encode(n *alert.Notification, o PayloadOptions) (body []byte, ok bool, err error) {
	m, ok := message(n, o)
	if ok {
		err = renderRouteLabels(m)
	}
	switch {
	case !ok:
		return nil, false, nil
	case err == nil && o.Shape != nil:
		body, err = o.Shape.render(m)
	case err != nil:
	default:
		var b bytes.Buffer
		err = json.NewEncoder(&b).Encode(m)
		body = b.Bytes()
	}
	if err != nil {
		return nil, false, fmt.Errorf("encode notification of %s: %w", n.GroupKey, err)
	}
	return body, true, nil
}

// message is what Alertmanager would send; ok is false when there is nothing to say.
func message(n *alert.Notification, o PayloadOptions) (m *amwebhook.Message, ok bool) {
	if n.Reason == alert.ReasonSomeResolved && !o.SendResolved {
		return nil, false
	}
	alerts := make(template.Alerts, 0, len(n.Alerts))
	for i := range n.Alerts {
		if e := &n.Alerts[i]; e.Firing || o.SendResolved {
			alerts = append(alerts, convert(e))
		}
	}
	if len(alerts) == 0 {
		return nil, false
	}
	status := "resolved"
	if len(alerts.Firing()) > 0 {
		status = "firing"
	}
	truncated := 0
	if o.MaxAlerts > 0 && len(alerts) > o.MaxAlerts {
		truncated = len(alerts) - o.MaxAlerts
		alerts = alerts[:o.MaxAlerts]
	}
	return &amwebhook.Message{
		Data: &template.Data{
			Receiver:           regexp.QuoteMeta(n.Receiver), // as Alertmanager does
			Status:             status,
			Alerts:             alerts,
			NotificationReason: n.Reason,
			GroupLabels:        kv(n.GroupLabels),
			CommonLabels:       common(alerts, func(a *template.Alert) template.KV { return a.Labels }),
			CommonAnnotations:  common(alerts, func(a *template.Alert) template.KV { return a.Annotations }),
			RouteLabels:        kv(n.RouteLabels),
			ExternalURL:        o.ExternalURL,
		},
		Version:         "4",
		GroupKey:        n.GroupKey,
		TruncatedAlerts: uint64(truncated),
	}, true
}

// renderRouteLabels fills the labels of the route in: as in Alertmanager, they may be templates over the group's data.
func renderRouteLabels(m *amwebhook.Message) error {
	templated := false
	for _, v := range m.RouteLabels {
		templated = templated || strings.Contains(v, "{{")
	}
	if templated {
		tmpl, err := template.New()
		if err != nil {
			return err
		}
		render, rendered := tmpl.RouteLabelRenderer(m.Data), template.KV{}
		for name := range m.RouteLabels {
			if rendered[name], err = render(name); err != nil {
				return fmt.Errorf("label %s of the route: %w", name, err)
			}
		}
		m.RouteLabels = rendered
	}
	template.MarkRouteLabelsRendered(m.Data)
	return nil
}

// CheckRouteLabels tries the labels of a route.
func CheckRouteLabels(labels map[string]string) error {
	m, _ := message(sample(), PayloadOptions{SendResolved: true})
	m.RouteLabels = kv(labels)
	return renderRouteLabels(m)
}

// sample is a notification to try templates on.
func sample() *alert.Notification {
	ls := map[string]string{"alertname": "X"}
	return &alert.Notification{GroupLabels: ls, Alerts: []alert.Episode{{Transition: alert.Transition{Firing: true, Labels: ls}}}}
}

func convert(e *alert.Episode) template.Alert {
	a := template.Alert{
		Status: "firing", Labels: kv(e.Shown()), Annotations: kv(e.Annotations),
		StartsAt: time.UnixMilli(e.StartsAt).UTC(), GeneratorURL: e.GeneratorURL, Fingerprint: e.Fingerprint,
	}
	if !e.Firing {
		a.Status, a.EndsAt = "resolved", time.UnixMilli(e.EndsAt).UTC()
	}
	return a
}

// kv is never nil: receivers expect {} and not null.
func kv(m map[string]string) template.KV {
	out := make(template.KV, len(m))
	maps.Copy(out, m)
	return out
}

// common is what all alerts of the message agree on.
func common(alerts template.Alerts, of func(*template.Alert) template.KV) template.KV {
	out := kv(of(&alerts[0]))
	for i := range alerts[1:] {
		other := of(&alerts[i+1])
		for n, v := range out {
			if other[n] != v {
				delete(out, n)
			}
		}
	}
	return out
}
