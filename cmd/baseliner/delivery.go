package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/alertmanager"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/web"
)

// routing is who hears what.
func routing(cfg *config.Config) alert.Routing {
	if cfg.Alerting.Route == nil {
		return alert.Routing{}
	}
	r := alert.Routing{
		Route: dispatch.NewRoute(cfg.Alerting.Route, nil), Intervals: windows(cfg.Alerting.TimeIntervals),
		Flapping: cfg.Alerting.Flapping, Digest: cfg.Alerting.Digest, Allowances: map[string]alert.Allowance{},
	}
	for _, receiver := range cfg.Alerting.Receivers {
		if receiver.Budget != (alert.Allowance{}) {
			r.Allowances[receiver.Name] = receiver.Budget
		}
	}
	for _, rule := range cfg.Alerting.InhibitRules {
		r.Inhibit = append(r.Inhibit, inhibit.NewInhibitRule(rule))
	}
	return r
}

// windows are recurring times.
func windows(ts []amconfig.TimeInterval) (out []alert.Window) {
	for _, t := range ts {
		out = append(out, alert.Window{Name: t.Name, Intervals: t.TimeIntervals})
	}
	return out
}

// traced makes every attempt of a delivery a span.
func traced(receiver string, send outbox.Send) outbox.Send {
	return func(ctx context.Context, id string, body []byte) error {
		ctx, span := otel.Tracer("baseliner").Start(ctx, "deliver", trace.WithAttributes(attribute.String("receiver", receiver), attribute.String("webhook_id", id)))
		defer span.End()
		err := send(ctx, id, body)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return err
	}
}

// endpoints builds the senders of every receiver, the endpoints of one beside each other.
func endpoints(cfg *config.Config, externalURL string) (out []outbox.Endpoint, err error) {
	for _, r := range cfg.Alerting.Receivers {
		for i, w := range r.Webhooks {
			s, err := webhook.NewSender(r.Name, webhook.SenderOptions{
				URL: w.URL.Reveal(), URLFile: w.URLFile, SecretFile: w.SecretFile, RoutingKeyFile: w.RoutingKey, Timeout: w.Timeout, HTTP: w.HTTP,
				Agent: "baseliner/" + version, Connections: outbox.PerEndpoint,
			})
			if err != nil {
				return nil, fmt.Errorf("alerting.receivers: %w", err)
			}
			o := webhook.PayloadOptions{ExternalURL: externalURL, MaxAlerts: w.MaxAlerts, SendResolved: w.SendResolved, Shape: w.Payload}
			out = append(out, outbox.Endpoint{
				Name: r.Name + "/" + strconv.Itoa(i), Receiver: r.Name, SendResolved: w.SendResolved, Send: traced(r.Name, s.Send),
				Encode: func(n *alert.Notification) ([]byte, bool, error) { return webhook.Encode(n, o) },
			})
		}
	}
	return out, nil
}

// limits bounds what the outbox keeps.
func limits(cfg *config.Config) outbox.Limits {
	a := &cfg.Alerting
	return outbox.Limits{MaxBytes: a.OutboxMaxBytes, DeadMaxBytes: a.DeadLetters.MaxBytes, DeadMaxAge: a.DeadLetters.MaxAge}
}

// announce puts a configuration of alerting in force.
func (i *instance) announce(cfg *config.Config, es []outbox.Endpoint, peers *alertmanager.Plan) error {
	i.stores.fanout.Apply(peers)
	if i.stores.fanout.Configured() {
		es = append(es, outbox.Endpoint{ // of dead letters alone: what they are told is never queued
			Name: alertmanager.Endpoint, Send: i.stores.fanout.Send,
			Encode: func(n *alert.Notification) ([]byte, bool, error) {
				body, err := alertmanager.Encode(n.Alerts, time.Now().UnixMilli())
				return body, err == nil, err
			},
		})
	}
	if err := i.stores.announcer.SetMaintenance(windows(cfg.Alerting.Maintenance)); err != nil {
		return err
	}
	return i.stores.announcer.Configure(time.Now().UnixMilli(), routing(cfg), es, limits(cfg))
}

// digestFacts are what the weekly digest says beside what was counted.
func (i *instance) digestFacts(due int64) alert.Facts {
	f, err := i.reporter().facts(due)
	if err != nil {
		i.logger.Error("the digest comes without the report of the week", "err", err)
	}
	return f
}

// reserve is the space that alerts fall back on.
func reserve(dir string) *outbox.Reserve {
	return &outbox.Reserve{Path: filepath.Join(dir, "outbox.reserve")}
}

// alertRoutes are the APIs around alerts.
func (i *instance) alertRoutes() []web.Route { return append(i.letterRoutes(), i.silenceRoutes()...) }
