package web

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// probeRoutes are for kubelet and for a Prometheus outside.
func (h *handler) probeRoutes() {
	h.route("GET /metrics", h.exposition(h.Registry))
	h.route("GET /metrics/results", h.exposition(gatherResults(h.Views.Signals)))
	h.route("GET /-/healthy", probe("healthy", h.Healthy, nil))
	h.route("GET /-/ready", probe("ready", h.Ready, func() []string { return h.Views.Status().Warnings }))
}

// exposition serves metrics in the format the scraper asks for.
func (h *handler) exposition(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		ErrorLog:          gatherLog{h},
		ErrorHandling:     promhttp.ContinueOnError, // one bad collector must not hide the rest
	})
}

type gatherLog struct{ *handler }

// Println implements promhttp.Logger.
func (l gatherLog) Println(v ...any) {
	l.Logger.Error("metrics not complete; some are missing from this scrape", "err", fmt.Sprint(v...))
}

// probe answers 200, or 503 with the reason. What is degraded is told and is no reason: who cannot store alerts still takes
// samples and tells alerts.
func probe(what string, check func() error, degraded func() []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, "baseliner is not %s: %v\n", what, err)
			return
		}
		fmt.Fprintf(w, "baseliner is %s\n", what)
		if degraded != nil {
			for _, why := range degraded() {
				fmt.Fprintf(w, "warning: %s\n", why)
			}
		}
	})
}

// reload is POST and PUT /-/reload. The configuration in use stays when the new one is refused.
func (h *handler) reload(w http.ResponseWriter, r *http.Request) {
	if !h.EnableLifecycle || h.Reload == nil {
		http.Error(w, "lifecycle API is not enabled: start with --web.enable-lifecycle", http.StatusForbidden)
		return
	}
	if err := h.Reload(r.Context()); err != nil {
		http.Error(w, fmt.Sprintf("reload configuration: %v", err), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}
