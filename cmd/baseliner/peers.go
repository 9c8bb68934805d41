package main

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/alertmanager"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/config"
)

// peers prepares what the configuration says of Alertmanagers. quiet names what silences an alert.
func peers(cfg *config.Config, quiet func(map[string]string, int64) string) (*alertmanager.Plan, error) {
	return alertmanager.NewPlan(cfg.Alerting.Alertmanagers, cfg.Alerting.AlertRelabel, quiet)
}

// newFanout tells Alertmanagers what the announcer knows. What none of them takes becomes a dead letter.
func newFanout(s *stores, reg prometheus.Registerer, logger *slog.Logger) *alertmanager.Fanout {
	return alertmanager.New(alertmanager.Options{
		Logger: logger, Registerer: reg, Agent: "baseliner/" + version,
		Over: s.announcer.Unboard,
		Silences: func(heard []alert.Silence, unheard map[string]bool) {
			if err := s.announcer.SetForeign(heard, unheard, time.Now().UnixMilli()); err != nil {
				logger.Error("silences of Alertmanagers are known in memory alone; a restart may learn differently", "err", err)
			}
		},
		Lost: func(e alert.Episode, why string) {
			body, err := alertmanager.Encode([]alert.Episode{e}, time.Now().UnixMilli())
			if err == nil {
				err = s.deliverer.Bury(outbox.Delivery{
					Endpoint: alertmanager.Endpoint, GroupKey: e.Key(), Body: body,
					Notification: alert.Notification{Receiver: alertmanager.Endpoint, GroupKey: e.Key(), Alerts: []alert.Episode{e}},
				}, why)
			}
			if err != nil {
				logger.Error("alert that no alertmanager takes could not be kept", "alertname", e.Labels["alertname"], "why", why, "err", err)
				return
			}
			s.announcer.Unboard([]alert.Episode{e})
		},
	})
}
