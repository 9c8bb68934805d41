package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// promoted are the attributes of a resource that become labels of its series, as Prometheus' guide to OTLP recommends.
// The others are labels of target_info.
var promoted = []string{
	"service.instance.id", "service.name", "service.namespace", "service.version",
	"cloud.availability_zone", "cloud.region", "container.name", "deployment.environment", "deployment.environment.name",
	"k8s.cluster.name", "k8s.container.name", "k8s.cronjob.name", "k8s.daemonset.name", "k8s.deployment.name", "k8s.job.name",
	"k8s.namespace.name", "k8s.pod.name", "k8s.replicaset.name", "k8s.statefulset.name",
}

// targetInfos is how many samples of target_info a resource gets at most in one request, however far its points lie apart.
const targetInfos = 16

// Options configure a Receiver. Door, Store and Memory are required.
type Options struct {
	Logger     *slog.Logger          // nil discards
	Door       *ingest.Guard         // where samples go
	Store      storage.Queryable     // where they can be read again: what delta streams have added up to
	Memory     *ingest.Memory        // what all requests may hold at once
	MaxBytes   int64                 // of a decoded request; 0 is 20 MiB
	Lookback   time.Duration         // of PromQL; 0 is 5 minutes
	Registerer prometheus.Registerer // nil: requests are counted nowhere
	Remember   int                   // bytes for the series that points became; 0 is 32 MiB, less than 0 none
}

// Receiver takes metrics of any transport. It is safe for concurrent use.
type Receiver struct {
	Options
	settings   prometheusremotewrite.Settings
	converters sync.Pool
	streams    *streams
	memo       *memo // nil: nothing is remembered
	requests   *prometheus.CounterVec
	http       http.Handler
}

// New returns a receiver.
func New(o Options) *Receiver {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 20 << 20
	}
	if o.Lookback == 0 {
		o.Lookback = 5 * time.Minute
	}
	var m *memo
	if o.Remember == 0 {
		o.Remember = 32 << 20
	}
	if o.Remember > 0 {
		m = newMemo(o.Remember)
	}
	r := &Receiver{
		Options: o,
		memo:    m,
		requests: promauto.With(o.Registerer).NewCounterVec(prometheus.CounterOpts{
			Name: "baseliner_otlp_requests_total",
			Help: "OTLP requests by transport (grpc, http) and the code they were answered with.",
		}, []string{"transport", "code"}),
		settings: prometheusremotewrite.Settings{
			AddMetricSuffixes:         true,
			PromoteScopeMetadata:      true, // or two libraries with a metric of the same name would be one series
			PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(config.OTLPConfig{PromoteResourceAttributes: promoted}),
		},
		converters: sync.Pool{New: func() any { return prometheusremotewrite.NewPrometheusConverter(nil) }},
		streams:    &streams{store: o.Store, last: map[string]total{}},
	}
	r.http = promhttp.InstrumentHandlerCounter(r.requests.MustCurryWith(prometheus.Labels{"transport": "http"}), http.HandlerFunc(r.answer))
	return r
}

// take stores the metrics of a request, which it may change. An error means that nothing was kept.
func (r *Receiver) take(ctx context.Context, md pmetric.Metrics) (pmetricotlp.ExportResponse, error) {
	s := &sieve{door: r.Door}
	deltas := s.sift(md)
	app := &appender{AppenderV2: r.Door.AppenderV2(ctx), told: &s.told}
	settings := r.settings
	settings.LookbackDelta = max(r.Lookback, 2*s.span()/targetInfos)
	var err error
	if r.memo == nil {
		err = r.convert(ctx, md, app, settings, &s.told)
	} else {
		for _, rm := range md.ResourceMetrics().All() {
			if err = r.resource(ctx, rm, app, settings, &s.told); err != nil {
				break
			}
		}
	}
	var sums *summing
	if err == nil && deltas.ResourceMetrics().Len() > 0 {
		sums = r.streams.begin(app, r.Door)
		defer sums.end()
		err = r.convert(ctx, deltas, sums, settings, &s.told)
	}
	if err != nil {
		return pmetricotlp.NewExportResponse(), errors.Join(err, app.Rollback())
	}
	if err := app.Commit(); err != nil {
		r.Logger.Error("OTLP request not stored; its sender will repeat it", "err", err)
		return pmetricotlp.NewExportResponse(), err
	}
	if sums != nil {
		sums.keep()
	}
	return s.answer(app.points), nil
}

// convert appends metrics. Only the end of ctx is an error: what the translation does not like it leaves out.
func (r *Receiver) convert(ctx context.Context, md pmetric.Metrics, app storage.AppenderV2, settings prometheusremotewrite.Settings, told *reasons) error {
	c := r.converters.Get().(*prometheusremotewrite.PrometheusConverter)
	c.Reset(app)
	defer func() {
		c.Reset(nil)
		r.converters.Put(c)
	}()
	_, err := c.FromMetrics(ctx, md, settings) // its warnings are about metrics without points and names that collide
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		told.add(err.Error())
	}
	return nil
}

// reasons are the first few of what was wrong.
type reasons struct {
	list []string
	more int
}

func (r *reasons) add(text string) {
	const most, longest = 3, 300
	if len(r.list) == most {
		r.more++
		return
	}
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	r.list = append(r.list, text)
}

// answer tells what was left out.
func (s *sieve) answer(refused int) pmetricotlp.ExportResponse {
	resp := pmetricotlp.NewExportResponse()
	n := s.rejected + refused
	if n == 0 && len(s.told.list) == 0 {
		return resp
	}
	text := strings.Join(s.told.list, "; ")
	if s.told.more > 0 {
		text += fmt.Sprintf("; and %d more", s.told.more)
	}
	resp.PartialSuccess().SetRejectedDataPoints(int64(n))
	resp.PartialSuccess().SetErrorMessage(text)
	return resp
}
