package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/otel/trace"

	"github.com/baseliner/baseliner/pkg/series"
)

// Options is what a handler serves from. Views, Engine and Storage are required; everything else has a useful zero.
type Options struct {
	Logger         *slog.Logger         // nil discards
	Registry       *prometheus.Registry // served on /metrics; request metrics are registered here
	TracerProvider trace.TracerProvider // nil: requests are not traced

	Views   Views
	Engine  promql.QueryEngine // of /api/v1/query and query_range
	Storage storage.Queryable  // of the same, and of series, labels and label values

	Healthy func() error                // nil or a nil error: alive
	Ready   func() error                // nil or a nil error: ready; else the reason
	Reload  func(context.Context) error // of /-/reload

	ExternalURL     *url.URL // where people reach us; its host is accepted on loopback listeners
	RoutePrefix     string   // of every path, "" or "/" for none
	ListenAddresses []string // as configured; host names among them are accepted on loopback listeners
	EnableLifecycle bool     // allows /-/reload
	EnableAdminAPI  bool     // allows routes marked Admin
	Routes          []Route  // ingestion and what changes state

	Annotations      Annotations      // nil: 501
	AnnotationAccess AnnotationAccess // nil: nobody may change them
	Unlearner        Unlearner        // nil: 501
	Explainer        Explainer        // nil: 501
	Incidents        Incidents        // nil: 501, and none on the pages
	Reporter         Reporter         // nil: 501

	Build        BuildInfo
	Runtime      func() RuntimeInfo                  // nil: only what the Go runtime tells
	TSDB         func(limit int) (TSDBStatus, error) // nil: 501
	ConfigYAML   func() string                       // the loaded configuration, already redacted
	Flags        map[string]string
	QueryTimeout time.Duration    // the longest a query may take; 0 is 25 s, which leaves time to write the answer
	Now          func() time.Time // nil is time.Now
}

// Route mounts a handler of another package. Pattern is one of http.ServeMux, below the route prefix.
type Route struct {
	Pattern string
	Handler http.Handler
	Admin   bool // refused unless the admin API is enabled
}

// Views is what the pages and the APIs show. Calls are concurrent; what they return belongs to the caller, who only
// reads it.
type Views interface {
	Status() StatusView
	// Signals returns every signal with all of its series.
	Signals() []SignalView
	// Baselines returns the profile of the series of a signal that match.
	Baselines(signal string, match func(series.Labels) bool) []BaselineView
	// Anomalies returns the open ones and those that ended recently.
	Anomalies() []AnomalyView
	Targets() TargetsView
	// Metadata returns type, help and unit by metric name, as the targets tell it.
	Metadata() map[string][]MetadataView
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.QueryTimeout == 0 {
		o.QueryTimeout = 25 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Healthy == nil {
		o.Healthy = func() error { return nil }
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.ConfigYAML == nil {
		o.ConfigYAML = func() string { return "" }
	}
	return o
}
