package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// handler is what all endpoints share.
type handler struct {
	Options
	mux     *http.ServeMux
	prefix  string
	parser  parser.Parser
	metrics *requestMetrics
	pages   *pages
	taken   map[string]bool // patterns of routes
}

// NewHandler returns everything the instance serves: pages, APIs, probes, metrics and the routes of the options. It
// fails if its metrics cannot be registered, and panics if the pattern of a route is not one.
func NewHandler(o Options) (http.Handler, error) {
	h, err := newHandler(o)
	if err != nil {
		return nil, err
	}
	if h.pages, err = newPages(); err != nil {
		return nil, err
	}
	h.probeRoutes()
	h.route("POST /-/reload", http.HandlerFunc(h.reload))
	h.route("PUT /-/reload", http.HandlerFunc(h.reload))
	h.pageRoutes()
	for _, r := range o.Routes {
		next := r.Handler
		if r.Admin {
			next = h.admin(next)
		}
		h.route(r.Pattern, next)
	}
	h.prometheusRoutes()
	h.ownRoutes()
	return h.guarded(), nil
}

// ProbeHandler returns the metrics and the two probes alone, for an address that others may reach. The route prefix
// does not apply: nobody proxies it.
func ProbeHandler(o Options) (http.Handler, error) {
	o.RoutePrefix = ""
	h, err := newHandler(o)
	if err != nil {
		return nil, err
	}
	h.probeRoutes()
	return h.guarded(), nil
}

func newHandler(o Options) (*handler, error) {
	if o.Views == nil || o.Engine == nil || o.Storage == nil {
		return nil, errors.New("web options: Views, Engine and Storage are required")
	}
	h := &handler{
		Options: o.withDefaults(), mux: http.NewServeMux(), parser: parser.NewParser(parser.Options{}), taken: map[string]bool{},
	}
	if p := strings.Trim(o.RoutePrefix, "/"); p != "" {
		h.prefix = "/" + p
	}
	var err error
	h.metrics, err = newRequestMetrics(h.Registry)
	return h, err
}

// guarded puts the guards in front, the cheapest first.
func (h *handler) guarded() http.Handler {
	var out http.Handler = h.mux
	if h.prefix != "" {
		inner, root := http.StripPrefix(h.prefix, h.mux), http.NewServeMux()
		root.Handle(h.prefix+"/", inner)
		root.Handle(h.prefix, http.RedirectHandler(h.prefix+"/", http.StatusFound))
		root.Handle("GET /{$}", http.RedirectHandler(h.prefix+"/", http.StatusFound))
		out = root
	}
	if h.TracerProvider != nil {
		out = otelhttp.NewHandler(out, "http", otelhttp.WithTracerProvider(h.TracerProvider))
	}
	out = knownHost(hostNames(h.ListenAddresses, h.ExternalURL), h.sameOrigin(out))
	return secured(out)
}

// route mounts a handler and counts its requests. The first one to take a pattern keeps it, so that routes from outside
// stand in for endpoints that would answer "not available yet".
func (h *handler) route(pattern string, next http.Handler) {
	if h.taken[pattern] {
		return
	}
	h.taken[pattern] = true
	h.mux.Handle(pattern, h.metrics.observe(pattern, next))
}

func (h *handler) prometheusRoutes() {
	both := func(path string, f func(*http.Request) (answer, error)) {
		h.route("GET /api/v1/"+path, h.api(f))
		h.route("POST /api/v1/"+path, h.api(f))
	}
	get := func(path string, f func(*http.Request) (answer, error)) { h.route("GET /api/v1/"+path, h.api(f)) }
	both("query", h.query)
	both("query_range", h.queryRange)
	both("series", h.series)
	both("labels", h.labelNames)
	get("label/{name}/values", h.labelValues)
	get("metadata", h.metadata)
	get("targets", h.targets)
	get("rules", h.rules)
	get("alerts", h.alerts)
	get("status/buildinfo", h.buildInfo)
	get("status/runtimeinfo", h.runtimeInfo)
	get("status/config", h.config)
	get("status/flags", h.flags)
	get("status/tsdb", h.tsdb)
	h.route("/api/", h.api(h.notFound))
}

func (h *handler) ownRoutes() {
	const base = "/api/baseliner/v1/"
	get := func(path string, f func(*http.Request) (answer, error)) { h.route("GET "+base+path, h.api(f)) }
	get("signals", h.ownSignals)
	get("baseline", h.ownBaseline)
	get("anomalies", h.ownAnomalies)
	get("status", h.ownStatus)
	h.annotationRoutes(base)
	h.unlearnRoutes(base)
	if h.Explainer != nil {
		get("explain", h.explain)
	}
	if h.Incidents != nil {
		get("incidents", h.ownIncidents)
		get("incidents/{id}", h.ownIncident)
	}
	if h.Reporter != nil {
		h.route("GET "+base+"reports/{kind}", http.HandlerFunc(h.report))
	}
	for _, path := range []string{
		"incidents", "incidents/{id}", "explain", "reports/{kind}", "annotations", "unlearn", "business",
	} {
		if path == "annotations" && h.Annotations != nil || path == "unlearn" && h.Unlearner != nil || path == "explain" && h.Explainer != nil ||
			strings.HasPrefix(path, "incidents") && h.Incidents != nil || path == "reports/{kind}" && h.Reporter != nil {
			continue
		}
		h.route(base+path, h.api(h.notYet))
	}
}

// admin refuses what changes state unless the admin API is enabled.
func (h *handler) admin(next http.Handler) http.Handler {
	if h.EnableAdminAPI {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, &apiError{
			typ: errUnavailable, status: http.StatusForbidden, err: errors.New("admin API is not enabled: start with --web.enable-admin-api"),
		})
	})
}
