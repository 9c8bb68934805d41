package scrape

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promclient "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/dns"        // dns_sd_configs
	_ "github.com/prometheus/prometheus/discovery/file"       // file_sd_configs
	_ "github.com/prometheus/prometheus/discovery/http"       // http_sd_configs
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // kubernetes_sd_configs
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/logging"
)

// Options configure a Manager. Appendable is required.
type Options struct {
	Logger     *slog.Logger          // nil: silent
	Registerer prometheus.Registerer // nil: Prometheus' metrics of scraping and discovery are registered nowhere
	Appendable storage.AppendableV2  // where samples go

	// ReloadInterval is how often discovered targets are taken over, Prometheus' 5 s by default.
	ReloadInterval time.Duration
}

// Manager discovers and scrapes. Its methods are safe for concurrent use.
type Manager struct {
	scrape    *scrape.Manager
	discovery *discovery.Manager
	cancel    context.CancelFunc // ends discovery

	mtx       sync.Mutex
	state     state
	config    *config.Config               // the last one applied
	providers map[string]discovery.Configs // of it, by job
}

type state uint8

const (
	fresh state = iota
	running
	stopped
)

// New returns a manager that is not scraping yet: Run starts it.
func New(o Options) (*Manager, error) {
	if o.Appendable == nil {
		return nil, errors.New("new scrape manager: no appendable")
	}
	if o.Logger == nil {
		o.Logger = promslog.NewNopLogger()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	sd, err := discovery.CreateAndRegisterSDMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("new scrape manager: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	dm := discovery.NewManager(ctx, o.Logger.With("component", "discovery"), o.Registerer, sd, discovery.Name("scrape"))
	if dm == nil { // it has logged why
		cancel()
		return nil, errors.New("new scrape manager: register discovery metrics")
	}
	sm, err := scrape.NewManager(&scrape.Options{
		DiscoveryReloadInterval:  model.Duration(o.ReloadInterval),
		DiscoveryReloadOnStartup: true,
		ParseST:                  true, // a counter that says when it began rises from zero; its _created is no series
	}, o.Logger.With("component", "scrape"), logging.NewJSONFileLogger, nil, o.Appendable, o.Registerer)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("new scrape manager: %w", err)
	}
	return &Manager{scrape: sm, discovery: dm, cancel: cancel}, nil
}

// ApplyConfig makes the scrape_configs and global settings of cfg the ones in force. Before Run it only takes note of
// them; while running it returns once jobs that are gone are no longer scraped. What can be known to be wrong (a
// certificate that cannot be read) is refused before anything changes. The caller leaves cfg alone afterwards.
func (m *Manager) ApplyConfig(cfg *config.Config) error {
	scs, err := cfg.GetScrapeConfigs()
	if err != nil {
		return fmt.Errorf("apply scrape configuration: %w", err)
	}
	providers := make(map[string]discovery.Configs, len(scs))
	for _, sc := range scs {
		if _, err := promclient.NewClientFromConfig(sc.HTTPClientConfig, sc.JobName); err != nil {
			return fmt.Errorf("apply scrape configuration: job %q: %w", sc.JobName, err)
		}
		providers[sc.JobName] = sc.ServiceDiscoveryConfigs
	}

	m.mtx.Lock()
	defer m.mtx.Unlock()
	if m.state == stopped {
		return errors.New("apply scrape configuration: scraping has stopped")
	}
	if err := m.scrape.ApplyConfig(cfg); err != nil {
		return fmt.Errorf("apply scrape configuration: %w", err)
	}
	m.config, m.providers = cfg, providers
	if m.state != running {
		return nil // discovery would start goroutines
	}
	if err := m.discovery.ApplyConfig(providers); err != nil {
		return fmt.Errorf("apply scrape configuration: %w", err)
	}
	return nil
}

// Run discovers and scrapes until ctx ends, waits for scrapes in flight and returns nil. Like Prometheus it writes no
// staleness markers on the way out: an instance that restarts goes on where it was. Run may be called once.
func (m *Manager) Run(ctx context.Context) error {
	defer m.cancel()
	m.mtx.Lock()
	if m.state != fresh {
		m.mtx.Unlock()
		return errors.New("run scraping: has been run before")
	}
	m.state = running
	err := m.discovery.ApplyConfig(m.providers)
	m.mtx.Unlock()
	if err != nil {
		return fmt.Errorf("run discovery: %w", err)
	}

	var wg sync.WaitGroup
	targets := make(chan map[string][]*targetgroup.Group)
	wg.Go(func() { _ = m.discovery.Run() }) // returns the cancellation, always
	wg.Go(func() { relay(m.discovery.SyncCh(), targets) })
	wg.Go(func() { _ = m.scrape.Run(targets) }) // never fails

	<-ctx.Done()
	m.mtx.Lock()
	m.state = stopped
	m.mtx.Unlock()
	m.cancel()
	wg.Wait()
	m.scrape.Stop()
	return nil
}

// relay forwards what discovery finds and ends with the news that there are no targets: a reload that is still under way
// when the scrape manager stops then has nothing left to start.
func relay(from <-chan map[string][]*targetgroup.Group, to chan<- map[string][]*targetgroup.Group) {
	for groups := range from {
		to <- groups
	}
	to <- nil
	close(to)
}
