package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kingpin/v2"
	group "github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/tracing"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/ingest/scrape"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
	"github.com/baseliner/baseliner/pkg/web"
)

// pollConfig is how often the configuration's content is looked at.
const pollConfig = 5 * time.Second

type runOptions struct {
	config, path           string
	listen                 []string
	probe, external        string
	prefix, webConfig      string
	lifecycle, admin, back bool
}

func runFlags(c *kingpin.CmdClause) *runOptions {
	o := &runOptions{}
	c.Flag("config.file", "Configuration file.").Default("config/baseliner.yml").StringVar(&o.config)
	c.Flag("storage.path", "Directory of everything that is kept.").Default("data").StringVar(&o.path)
	c.Flag("storage.allow-clock-behind", "Start although the clock is behind the newest data. What is newer stays; ticks wait until the clock has passed it.").BoolVar(&o.back)
	c.Flag("web.listen-address", "Address of pages, APIs and metrics (repeatable).").Default("127.0.0.1:9780").StringsVar(&o.listen)
	c.Flag("web.probe-address", "Further address for /metrics, /metrics/results, /-/healthy and /-/ready alone.").StringVar(&o.probe)
	c.Flag("web.external-url", "URL under which people reach this instance; part of every alert.").StringVar(&o.external)
	c.Flag("web.route-prefix", "Prefix of every path; the path of the external URL by default.").StringVar(&o.prefix)
	c.Flag("web.config.file", "TLS and users, in the format of Prometheus' exporter toolkit.").StringVar(&o.webConfig)
	c.Flag("web.enable-lifecycle", "Allow /-/reload.").BoolVar(&o.lifecycle)
	c.Flag("web.enable-admin-api", "Allow what changes state over HTTP.").BoolVar(&o.admin)
	return o
}

// instance is a running program: everything that a reload has to reach.
type instance struct {
	o       *runOptions
	logger  *slog.Logger
	watcher *config.Watcher
	stores  *stores
	in      *pipeline.Instance
	driver  *pipeline.Driver
	related *pipeline.Relations
	scrapes *scrape.Manager
	tracing *tracing.Manager
	inputs  inputs
	page    *url.URL
	started time.Time

	cfg      atomic.Pointer[config.Config] // in force: with the signals of packs that are on
	changing sync.Mutex                    // of the configuration
	base     *config.Config                // as in its file; guarded by changing
	reloaded atomic.Int64                  // unix seconds of the last reload that succeeded
	lastOK   atomic.Bool

	reloadOK   prometheus.Gauge
	reloadTime prometheus.Gauge
}

func runInstance(ctx context.Context, o *runOptions, logger *slog.Logger) (err error) {
	// Nearly all of the memory is models and recent samples, which stay, and there is a minute between two ticks: a
	// sidecar would rather collect often than hold garbage. GOGC decides otherwise where it is set.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(20)
	}
	cfg, err := loadConfig(o.config, config.Options{Logger: logger}, os.Stderr)
	if err != nil {
		return err
	}
	if o.webConfig != "" {
		if err := web.ValidateConfigFile(o.webConfig); err != nil {
			return fmt.Errorf("--web.config.file: %w", err)
		}
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	st, err := openStores(o.path, cfg, reg, logger)
	if errors.Is(err, state.ErrLocked) {
		return fmt.Errorf("%w: another baseliner runs on %s; stop it, or give this one its own --storage.path", err, o.path)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	if err := checkClock(st, cfg, o, time.Now()); err != nil {
		return err
	}
	listeners, err := web.Listen(ctx, o.listen...)
	if err != nil {
		return err
	}
	seen, err := st.sight(ctx, cfg)
	if err != nil {
		return err
	}
	i := &instance{o: o, logger: logger, stores: st, started: time.Now(), base: cfg}
	cfg = seen.with(cfg)
	if i.page, err = externalURL(o, listeners); err != nil {
		return err
	}
	i.cfg.Store(cfg)
	if err := i.build(ctx, cfg, reg); err != nil {
		return err
	}
	return i.run(ctx, cfg, reg, listeners)
}

// checkClock refuses to start with a clock that is behind the data: it would learn hours that are not these.
func checkClock(st *stores, cfg *config.Config, o *runOptions, now time.Time) error {
	newest, ok := st.live.Newest()
	ahead := time.UnixMilli(newest).Sub(now)
	if !ok || ahead <= cfg.Limits.Future+time.Minute {
		return nil
	}
	if !o.back {
		return fmt.Errorf("the clock says %s, but %s holds data up to %s: set the clock, or start with --storage.allow-clock-behind",
			now.UTC().Format(time.RFC3339), o.path, time.UnixMilli(newest).UTC().Format(time.RFC3339))
	}
	return st.live.TakeLate(ahead + lateSamples) // or it would refuse everything until the clock has passed its data
}

// build recovers the instance and makes everything around it, without starting anything.
func (i *instance) build(ctx context.Context, cfg *config.Config, reg *prometheus.Registry) (err error) {
	newest, _ := i.stores.live.Newest()
	if i.in, err = i.stores.open(ctx, cfg, i.page, i.logger, reg); err != nil {
		return err
	}
	// Until the first scrapes have come in, what is missing is our own fault.
	i.in.Down(newest, time.Now().Add(2*longestInterval(cfg)).UnixMilli())
	es, err := endpoints(cfg, i.page.String())
	if err != nil {
		return err
	}
	peers, err := peers(cfg, i.stores.announcer.OwnQuiet)
	if err != nil {
		return err
	}
	i.stores.announcer.SetFacts(i.digestFacts)
	if err := i.announce(cfg, es, peers); err != nil {
		return err
	}
	i.scrapes, err = scrape.New(scrape.Options{Logger: i.logger, Registerer: reg, Appendable: i.stores.door})
	if err != nil {
		return err
	}
	if err := i.scrapes.ApplyConfig(cfg.Scrape); err != nil {
		return err
	}
	i.tracing = tracing.NewManager(quiet(i.logger))
	if err := i.tracing.ApplyConfig(tracingConfig(cfg)); err != nil {
		return err
	}
	i.driver = pipeline.NewDriver(i.in, pace(cfg), cfg.Global.EvaluationDelay, time.Now, i.logger)
	if i.related, err = newRelations(cfg, i.stores, i.in, i.logger); err != nil {
		return err
	}
	i.watcher = config.NewWatcher(cfg, config.Options{Logger: i.logger})
	i.reloadOK = prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_config_last_reload_successful", Help: "Whether the last reload of the configuration succeeded."})
	i.reloadTime = prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_config_last_reload_success_timestamp_seconds", Help: "Time of the last successful reload."})
	reg.MustRegister(i.reloadOK, i.reloadTime, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "baseliner_build_info", Help: "What was built.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 }))
	i.noteReload(nil)
	return nil
}

func tracingConfig(cfg *config.Config) *promconfig.Config {
	c := &promconfig.Config{}
	if cfg.Tracing != nil {
		c.TracingConfig = *cfg.Tracing
	}
	return c
}

func longestInterval(cfg *config.Config) time.Duration {
	longest := time.Duration(cfg.Scrape.GlobalConfig.ScrapeInterval)
	for _, d := range cfg.ScrapeIntervals() {
		longest = max(longest, d)
	}
	return longest
}

// run starts everything and waits for the first to end.
func (i *instance) run(ctx context.Context, cfg *config.Config, reg *prometheus.Registry, listeners []net.Listener) error {
	var err error
	if i.inputs, err = i.newInputs(reg); err != nil {
		return err
	}
	handler, probes, err := i.handlers(reg)
	if err != nil {
		return err
	}
	var g group.Group
	actor := func(name string, f func(context.Context) error) {
		actorCtx, cancel := context.WithCancel(context.Background())
		g.Add(func() error {
			if err := f(actorCtx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}, func(error) { cancel() })
	}
	// The first to end ends all; what ends on a signal ends well.
	actor("signals", func(c context.Context) error {
		select {
		case <-ctx.Done():
			i.logger.Info("stopping")
		case <-c.Done():
		}
		return nil
	})
	i.stores.ceiling.Limit()
	actor("memory", i.stores.ceiling.Run)
	actor("scraping", i.scrapes.Run)
	actor("ticks", i.driver.Run)
	actor("alerts", func(c context.Context) error { return i.stores.announcer.Run(c, time.Now) })
	actor("delivery", i.stores.deliverer.Run)
	actor("alertmanagers", i.stores.fanout.Run)
	actor("relations", func(c context.Context) error { return i.related.Run(c, relationsEvery, time.Now) })
	actor("configuration", i.watch)
	actor("our own metrics", func(c context.Context) error { return i.watchSelf(c, reg) })
	actor("tracing", func(c context.Context) error {
		stopped := make(chan struct{})
		go func() {
			i.tracing.Run()
			close(stopped)
		}()
		<-c.Done()
		i.tracing.Stop()
		<-stopped
		return nil
	})
	actor("web", func(c context.Context) error {
		return web.Server{Handler: handler, Logger: i.logger, ConfigFile: i.o.webConfig}.Run(c, listeners...)
	})
	if i.o.probe != "" {
		probe, err := web.Listen(ctx, i.o.probe)
		if err != nil {
			return err
		}
		actor("probes", func(c context.Context) error { return web.Server{Handler: probes, Logger: i.logger}.Run(c, probe...) })
	}
	if err := i.runInputs(ctx, actor); err != nil {
		return err
	}
	if r := cfg.Remote; r != nil && r.RemoteWriteURL != "" {
		actor("writing results back", func(c context.Context) error { return i.writeBack(c, cfg, reg) })
	}
	i.logger.Info("running", "version", version, "address", i.page.String(), "signals", len(cfg.Signals), "scrape_configs", len(cfg.Scrape.ScrapeConfigs), "storage", i.o.path)
	return g.Run()
}

// externalURL is where people reach the pages: as configured, or the first listener under the name of this machine.
func externalURL(o *runOptions, ls []net.Listener) (*url.URL, error) {
	if o.external != "" {
		u, err := url.Parse(o.external)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("--web.external-url %q is not an http or https URL", o.external)
		}
		return u, nil
	}
	host, port, err := net.SplitHostPort(ls[0].Addr().String())
	if err != nil {
		return nil, fmt.Errorf("address of listener: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/" + strings.Trim(o.prefix, "/")}, nil
}

// merged is what the query API reads: two days at full resolution, two months at what a chart can show.
func (i *instance) merged() tsdb.Merged { return tsdb.Merged{i.stores.live, i.stores.history} }

// retention is how /api/v1/status/runtimeinfo prints it.
func retention(cfg *config.Config) string {
	return model.Duration(cfg.Engine.Live.Retention).String() + " raw, " + model.Duration(cfg.Engine.History.Retention).String() + " history"
}
