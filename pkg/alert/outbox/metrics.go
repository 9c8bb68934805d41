package outbox

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	sent, failed, dead *prometheus.CounterVec
	latency            *prometheus.HistogramVec
	pending            *prometheus.GaugeVec
	corrupt            prometheus.Counter
}

// newMetrics registers with reg, which may be nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	endpoint := []string{"endpoint"}
	m := &metrics{
		sent:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "baseliner_notifications_total", Help: "Attempted posts of notifications."}, endpoint),
		failed:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "baseliner_notifications_failed_total", Help: "Posts that were not accepted, by reason."}, []string{"endpoint", "reason"}),
		dead:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "baseliner_outbox_dead_letters_total", Help: "Notifications given up and kept as dead letters."}, endpoint),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "baseliner_notification_latency_seconds", Help: "Time a post took.", Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30}}, endpoint),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "baseliner_outbox_pending", Help: "Notifications that no receiver has accepted yet."}, endpoint),
		corrupt: prometheus.NewCounter(prometheus.CounterOpts{Name: "baseliner_outbox_corrupt_records_total", Help: "Records of the outbox that could not be read."}),
	}
	if reg != nil {
		reg.MustRegister(m.sent, m.failed, m.dead, m.latency, m.pending, m.corrupt)
	}
	return m
}
