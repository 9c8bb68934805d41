package alertmanager

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	sent, failed, refused *prometheus.CounterVec
	peers                 prometheus.Gauge
	silencesFailed        prometheus.Counter
}

// newMetrics registers with reg, which may be nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"alertmanager"})
	}
	m := &metrics{
		sent:    counter("baseliner_alertmanager_alerts_sent_total", "Alerts posted to an Alertmanager, repetitions included."),
		failed:  counter("baseliner_alertmanager_posts_failed_total", "Posts that an Alertmanager did not accept."),
		refused: counter("baseliner_alertmanager_alerts_refused_total", "Alerts that an Alertmanager refused by themselves."),
		peers:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_alertmanager_peers", Help: "Alertmanagers that were discovered."}),
		silencesFailed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "baseliner_alertmanager_silences_failed_total", Help: "Times that no Alertmanager told its silences.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.sent, m.failed, m.refused, m.peers, m.silencesFailed)
	}
	return m
}
