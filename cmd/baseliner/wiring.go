package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/storage/promql"
)

// pace is the interval of ticks: the longest at which every signal is due on time.
func pace(cfg *config.Config) time.Duration {
	p := cfg.Global.EvaluationInterval
	for _, d := range cfg.Signals {
		for q := d.Interval; q > 0; {
			p, q = q, p%q
		}
	}
	return p
}

// intervals tells the freshness rule how often targets are scraped.
func intervals(cfg *config.Config) promql.Intervals {
	return promql.Intervals{Default: time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval), ByJob: cfg.ScrapeIntervals()}
}

// route builds the routing tree; nil when nobody is to be told.
func route(cfg *config.Config) *dispatch.Route {
	if cfg.Alerting.Route == nil {
		return nil
	}
	return dispatch.NewRoute(cfg.Alerting.Route, nil)
}

// traced makes every attempt of a delivery a span.
func traced(receiver string, send outbox.Send) outbox.Send {
	return func(ctx context.Context, body []byte) error {
		ctx, span := otel.Tracer("baseliner").Start(ctx, "deliver", trace.WithAttributes(attribute.String("receiver", receiver)))
		defer span.End()
		err := send(ctx, body)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return err
	}
}

// endpoints builds the senders of every receiver.
func endpoints(cfg *config.Config, externalURL string) (map[string][]pipeline.Endpoint, error) {
	out := map[string][]pipeline.Endpoint{}
	for _, r := range cfg.Alerting.Receivers {
		for i, w := range r.Webhooks {
			s, err := webhook.NewSender(r.Name, webhook.SenderOptions{
				URL: w.URL.Reveal(), URLFile: w.URLFile, Timeout: w.Timeout, HTTP: w.HTTP, Agent: "baseliner/" + version,
			})
			if err != nil {
				return nil, fmt.Errorf("alerting.receivers: %w", err)
			}
			out[r.Name] = append(out[r.Name], pipeline.Endpoint{
				Name: r.Name + "/" + strconv.Itoa(i), Send: traced(r.Name, s.Send),
				Payload: webhook.PayloadOptions{ExternalURL: externalURL, MaxAlerts: w.MaxAlerts, SendResolved: w.SendResolved},
			})
		}
	}
	return out, nil
}
