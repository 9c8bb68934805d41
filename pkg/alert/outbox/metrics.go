package outbox

import "github.com/prometheus/client_golang/prometheus"

// Guards are the metrics of what holds notifications back.
type Guards struct {
	Flapping         prometheus.Gauge
	Left, Summarised *prometheus.GaugeVec // by receiver
}

// Guards returns the metrics of what holds notifications back, for who decides that.
func (d *Deliverer) Guards() Guards { return d.metrics.guards }

type metrics struct {
	guards                                 Guards
	sent, delivered, failed, dead, evicted *prometheus.CounterVec
	latency, delay                         *prometheus.HistogramVec
	pending, letters, circuit, disabled    *prometheus.GaugeVec
	corrupt, writeErrors                   prometheus.Counter
	bytes, memory, unwritable              prometheus.Gauge
}

// newMetrics registers with reg, which may be nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	endpoint := []string{"endpoint"}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append(endpoint, labels...))
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, endpoint)
	}
	m := &metrics{
		sent:        counter("baseliner_notifications_total", "Attempted posts of notifications."),
		delivered:   counter("baseliner_notifications_delivered_total", "Notifications that were accepted."),
		failed:      counter("baseliner_notifications_failed_total", "Posts that were not accepted, by reason.", "reason"),
		dead:        counter("baseliner_outbox_dead_letters_total", "Notifications given up and kept as dead letters."),
		evicted:     counter("baseliner_outbox_dead_letters_evicted_total", "Dead letters forgotten for age or space; the log has their bodies."),
		latency:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "baseliner_notification_latency_seconds", Help: "Time a post took.", Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30}}, endpoint),
		delay:       prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "baseliner_notification_first_attempt_seconds", Help: "Time from the flush of the group to the first attempt.", Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 30}}, endpoint),
		pending:     gauge("baseliner_outbox_pending", "Notifications that no receiver has accepted yet."),
		letters:     gauge("baseliner_outbox_dead_letters", "Dead letters that are kept."),
		circuit:     gauge("baseliner_outbox_circuit_open", "Whether an endpoint fails whatever is sent to it, and is only probed."),
		disabled:    gauge("baseliner_outbox_endpoint_disabled", "Whether an endpoint answered 410 and is disabled until the configuration is loaded again."),
		corrupt:     prometheus.NewCounter(prometheus.CounterOpts{Name: "baseliner_outbox_corrupt_records_total", Help: "Records of the outbox that could not be read."}),
		writeErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "baseliner_outbox_write_errors_total", Help: "Writes of the outbox that the disk did not take."}),
		bytes:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_outbox_bytes", Help: "Size of what waits in the outbox."}),
		memory:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_outbox_memory_only", Help: "Notifications that could not be written: the death of the process would lose them."}),
		unwritable:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_outbox_unwritable", Help: "Whether the disk takes no alerts: its last write or probe failed. They are sent from memory."}),
	}
	m.guards = Guards{
		Flapping:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_alerts_flapping", Help: "Alerts that come and go too often to be told each time."}),
		Left:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "baseliner_notification_budget_left", Help: "Notifications that a receiver with a budget may get now."}, []string{"receiver"}),
		Summarised: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "baseliner_notification_budget_summarised", Help: "Alerts, in all, that were told in summaries because the budget of their receiver was used up."}, []string{"receiver"}),
	}
	if reg != nil {
		reg.MustRegister(m.guards.Flapping, m.guards.Left, m.guards.Summarised)
		reg.MustRegister(m.sent, m.delivered, m.failed, m.dead, m.evicted, m.latency, m.delay, m.pending, m.letters, m.circuit,
			m.disabled, m.corrupt, m.writeErrors, m.bytes, m.memory, m.unwritable)
	}
	return m
}

// forget drops the gauges of an endpoint that is gone. Its dead letters are still there.
func (m *metrics) forget(endpoint string) {
	for _, g := range []*prometheus.GaugeVec{m.pending, m.circuit, m.disabled} {
		g.DeleteLabelValues(endpoint)
	}
}
