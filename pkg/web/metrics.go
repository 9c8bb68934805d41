package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics count what is asked for. The handler label is the route, never the path: paths come from outside.
type requestMetrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newRequestMetrics(reg prometheus.Registerer) (*requestMetrics, error) {
	m := &requestMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "baseliner_http_requests_total", Help: "HTTP requests by route and status code.",
		}, []string{"handler", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "baseliner_http_request_duration_seconds", Help: "Time to answer HTTP requests.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2, 10, 30},
		}, []string{"handler"}),
	}
	return m, errors.Join(reuse(reg, &m.requests), reuse(reg, &m.duration))
}

// reuse registers a collector, or replaces it by the one already registered: two handlers count together.
func reuse[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			*c = existing
			return nil
		}
	}
	return err
}

func (m *requestMetrics) observe(pattern string, next http.Handler) http.Handler {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		pattern = path
	}
	duration := m.duration.WithLabelValues(pattern)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		rec := &recorder{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(rec, r)
		duration.Observe(time.Since(begin).Seconds())
		m.requests.WithLabelValues(pattern, strconv.Itoa(rec.code)).Inc()
	})
}

// recorder remembers the status code.
type recorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
