package pipeline

import "github.com/prometheus/client_golang/prometheus"

// metrics of the tick.
type metrics struct {
	ticks        prometheus.Counter
	missed       *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	lastTick     prometheus.Gauge
	series       *prometheus.GaugeVec
	points       *prometheus.CounterVec
	duplicates   prometheus.Counter
	failures     *prometheus.CounterVec
	transitions  *prometheus.CounterVec
	commitErrors *prometheus.CounterVec
	snapshots    *prometheus.CounterVec
	snapshotTime prometheus.Gauge
	history      prometheus.Gauge
	coverage     *prometheus.GaugeVec
	coverageLow  *prometheus.GaugeVec
	coverageHigh *prometheus.GaugeVec
	episodes     *prometheus.GaugeVec
	exponent     *prometheus.GaugeVec
	left         *prometheus.GaugeVec
	quiet        *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "baseliner_" + name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "baseliner_" + name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_" + name, Help: help})
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "baseliner_" + name, Help: help}, labels)
	}
	m := &metrics{
		ticks:  counter("ticks_total", "Ticks evaluated and committed."),
		missed: counters("ticks_missed_total", "Ticks that were never evaluated, by reason: downtime, overrun or clock_jump.", "reason"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "baseliner_tick_duration_seconds", Help: "Time a tick took, by phase: evaluate, step, record, commit.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"phase"}),
		lastTick:     gauge("last_tick_timestamp_seconds", "Time of the newest committed tick."),
		series:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "baseliner_series", Help: "Series with a baseline, by state: learning, thin, known or missing."}, []string{"state"}),
		points:       counters("points_total", "Points of signals, by state: observed, or the reason for which one is missing.", "state"),
		duplicates:   counter("duplicate_series_total", "Series of a signal that differ in nothing but their metric's name; the first one counts."),
		failures:     counters("signal_failures_total", "Evaluations of a signal that failed.", "signal"),
		transitions:  counters("transitions_total", "Alert transitions, by state and type.", "state", "type"),
		commitErrors: counters("commit_failures_total", "Commits that failed and are tried again with the next tick, by store.", "store"),
		snapshots:    counters("snapshots_total", "Snapshots of the models, by outcome.", "outcome"),
		snapshotTime: gauge("last_snapshot_timestamp_seconds", "Tick of the newest snapshot."),
		history:      gauge("history_until_timestamp_seconds", "End of the newest hour copied to history."),
		coverage:     gauges("signal_coverage_ratio", "Share of judged rows inside the band, each judged before it was learnt; eight weeks.", "signal"),
		coverageLow:  gauges("signal_coverage_ratio_lower", "Lower end of the 95 % interval of the coverage, by a bootstrap of days.", "signal"),
		coverageHigh: gauges("signal_coverage_ratio_upper", "Upper end of the 95 % interval of the coverage, by a bootstrap of days.", "signal"),
		episodes:     gauges("signal_episodes_per_week", "Anomalies told a week, over the hours that were judged; eight weeks.", "signal"),
		exponent:     gauges("budget_exponent", "By how much a team's budget moves the thresholds of its series; 0 is the default.", "team"),
		left:         gauges("budget_left", "Alarms a team may still have that page.", "team"),
		quiet:        counters("alerts_not_paging_total", "Alerts of a team told beyond its budget: they do not page.", "team"),
	}
	if reg != nil {
		reg.MustRegister(m.ticks, m.missed, m.duration, m.lastTick, m.series, m.points, m.duplicates, m.failures,
			m.transitions, m.commitErrors, m.snapshots, m.snapshotTime, m.history,
			m.coverage, m.coverageLow, m.coverageHigh, m.episodes, m.exponent, m.left, m.quiet)
	}
	return m
}
