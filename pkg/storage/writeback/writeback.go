// Package writeback sends the results of the live store to another server by remote-write: Prometheus' own sender, which
// follows the store's write-ahead log, repeats what was not accepted and catches up after an outage as far as the log
// reaches.
package writeback

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promclient "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/storage/remote"
)

// results are the metrics that are sent.
const results = "baseliner_(value|expected|lower|upper|score)"

// flushDeadline is how long the end waits for what is under way.
const flushDeadline = 3 * time.Second

// Options of a writer. All but the last two are required.
type Options struct {
	Dir        string // of the live store
	URL        string // of the receiver; it may hold a password
	HTTP       promclient.HTTPClientConfig
	External   map[string]string     // labels that are added
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: Prometheus' metrics of the sender are registered nowhere
}

// Run sends until ctx ends. It fails at once or never: a receiver that is down is waited for.
func Run(ctx context.Context, o Options) error {
	u, err := url.Parse(o.URL)
	if err != nil {
		return fmt.Errorf("write results back: the URL is not one")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	keep := relabel.DefaultRelabelConfig
	keep.SourceLabels, keep.Regex, keep.Action = model.LabelNames{model.MetricNameLabel}, relabel.MustNewRegexp(results), relabel.Keep
	keep.NameValidationScheme = model.UTF8Validation
	to := config.DefaultRemoteWriteConfig
	to.Name, to.URL, to.HTTPClientConfig = "results", &promclient.URL{URL: u}, o.HTTP
	to.WriteRelabelConfigs = []*relabel.Config{&keep}
	cfg := &config.Config{GlobalConfig: config.DefaultGlobalConfig, RemoteWriteConfigs: []*config.RemoteWriteConfig{&to}}
	cfg.GlobalConfig.ExternalLabels = labels.FromMap(o.External)

	sender := remote.NewWriteStorage(o.Logger, o.Registerer, o.Dir, flushDeadline, nil, false)
	if err := sender.ApplyConfig(cfg); err != nil {
		_ = sender.Close() // it has not begun
		return fmt.Errorf("write results back to %s: %w", u.Redacted(), err)
	}
	<-ctx.Done()
	return sender.Close()
}
