package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/sigv4"

	"github.com/baseliner/baseliner/pkg/alert"
)

// Endpoint is the name under which alerts that no Alertmanager took are dead letters.
const Endpoint = "alertmanagers"

// Options of a fan-out.
type Options struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
	Agent      string // User-Agent
	// Over is called with episodes that need not be kept any more, Lost with those that nobody took and why.
	Over func([]alert.Episode)
	Lost func(e alert.Episode, why string)
	// Silences is called with those that are in force at the Alertmanagers, and with the origins of those that could not
	// be asked; nil is not.
	Silences func(heard []alert.Silence, unheard map[string]bool)
}

// Fanout tells all Alertmanagers everything.
type Fanout struct {
	logger   *slog.Logger
	now      func() time.Time
	agent    string
	metrics  *metrics
	over     func([]alert.Episode)
	lost     func(e alert.Episode, why string)
	silences func(heard []alert.Silence, unheard map[string]bool)
	board    board
	pace     time.Duration // between two looks at what is due

	plan  atomic.Pointer[plan]
	apply chan struct{}

	mu    sync.Mutex
	peers map[string]*running
}

// plan is a configuration.
type plan struct {
	configs config.AlertmanagerConfigs
	rules   []*relabel.Config
	quiet   func(labels map[string]string, t int64) string
	clients []*http.Client // by config
}

type running struct {
	*peer
	wake chan struct{}
	stop context.CancelFunc
}

// New returns a fan-out that tells nobody yet: Run starts it.
func New(o Options) *Fanout {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &Fanout{
		logger: o.Logger, now: o.Now, agent: o.Agent, metrics: newMetrics(o.Registerer), over: o.Over, lost: o.Lost, silences: o.Silences,
		board: board{entries: map[string]*entry{}}, pace: time.Second, apply: make(chan struct{}, 1), peers: map[string]*running{},
	}
	f.plan.Store(&plan{})
	return f
}

// Plan is a configuration that was checked and can be applied.
type Plan struct{ plan }

// NewPlan checks what can be known to be wrong before anything changes. quiet names what silences an alert at an instant,
// or is nil.
func NewPlan(cs config.AlertmanagerConfigs, rules []*relabel.Config, quiet func(labels map[string]string, t int64) string) (*Plan, error) {
	p := &Plan{plan{configs: cs, rules: rules, quiet: quiet}}
	for i, c := range cs {
		client, err := commonconfig.NewClientFromConfig(c.HTTPClientConfig, "alertmanager")
		if err == nil && c.SigV4Config != nil {
			client.Transport, err = sigv4.NewSigV4RoundTripper(c.SigV4Config, client.Transport)
		}
		if err != nil {
			return nil, fmt.Errorf("alerting.alertmanagers[%d]: %w", i, err)
		}
		p.clients = append(p.clients, client)
	}
	return p, nil
}

// Apply puts a configuration in force.
func (f *Fanout) Apply(p *Plan) {
	f.plan.Store(&p.plan)
	select {
	case f.apply <- struct{}{}:
	default:
	}
}

// Configured says whether there is anybody to tell.
func (f *Fanout) Configured() bool { return len(f.plan.Load().configs) > 0 }

// Put takes up episodes as they are now.
func (f *Fanout) Put(es []alert.Episode) {
	if len(es) == 0 {
		return
	}
	f.board.put(es)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.peers {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// Send posts a body to all peers, for dead letters that are replayed. One that takes it is enough.
func (f *Fanout) Send(ctx context.Context, _ string, body []byte) error {
	f.mu.Lock()
	peers := maps.Clone(f.peers)
	f.mu.Unlock()
	err := errors.New("no alertmanager is known")
	taken := false
	for _, p := range peers {
		if e := p.post(ctx, f.agent, body); e == nil {
			taken = true
		} else {
			err = e
		}
	}
	if taken {
		return nil
	}
	return err
}

func (f *Fanout) rules() []*relabel.Config { return f.plan.Load().rules }

// visible leaves out what is silenced. Its lease runs out, and the Alertmanager takes it for resolved.
func (f *Fanout) visible(es []alert.Episode) []alert.Episode {
	quiet := f.plan.Load().quiet
	if quiet == nil {
		return es
	}
	now := f.now().UnixMilli()
	out := es[:0]
	for _, e := range es {
		if !e.Firing || quiet(e.Shown(), now) == "" {
			out = append(out, e)
		}
	}
	return out
}

// Run discovers peers and tells them until the context ends.
func (f *Fanout) Run(ctx context.Context) error {
	reg := prometheus.NewRegistry() // the metrics of discovery are those of scraping already
	sd, err := discovery.CreateAndRegisterSDMetrics(reg)
	if err != nil {
		return fmt.Errorf("discover alertmanagers: %w", err)
	}
	found := discovery.NewManager(ctx, promslog.NewNopLogger(), reg, sd, discovery.Name("notify"), discovery.Updatert(f.pace))
	if found == nil {
		return errors.New("discover alertmanagers: register metrics")
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = found.Run() }) // returns the cancellation, always
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { f.listen(ctx) })
	groups := map[string][]*targetgroup.Group{}
	sweep := time.NewTicker(f.pace)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.apply:
			configs := map[string]discovery.Configs{}
			for i, c := range f.plan.Load().configs {
				configs[strconv.Itoa(i)] = c.ServiceDiscoveryConfigs
			}
			if err := found.ApplyConfig(configs); err != nil {
				f.logger.Error("alertmanagers are not discovered", "err", err)
			}
			for _, r := range f.peers { // their clients are those of the old configuration
				r.stop()
			}
			f.mu.Lock()
			clear(f.peers)
			f.mu.Unlock()
			f.reconcile(ctx, &wg, groups)
		case g, ok := <-found.SyncCh():
			if !ok {
				<-ctx.Done()
				return nil
			}
			groups = g
			f.reconcile(ctx, &wg, groups)
		case <-sweep.C:
			f.sweep()
		}
	}
}

func (f *Fanout) sweep() {
	if !f.Configured() {
		return
	}
	over, lost := f.board.sweep(f.now().UnixMilli())
	if len(over) > 0 && f.over != nil {
		f.over(over)
	}
	for _, e := range lost {
		f.lost(e, "no alertmanager accepted it for 72 hours")
	}
}

// reconcile starts and stops peers as they are found.
func (f *Fanout) reconcile(ctx context.Context, wg *sync.WaitGroup, groups map[string][]*targetgroup.Group) {
	p := f.plan.Load()
	wanted := map[string]*peer{}
	for i, c := range p.configs {
		for _, g := range groups[strconv.Itoa(i)] {
			for _, t := range g.Targets {
				u, err := address(g, t, c)
				if err != nil {
					f.logger.Warn("discovered alertmanager has no usable address", "err", err)
				}
				if u != nil {
					name := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
					wanted[strconv.Itoa(i)+" "+u.String()] = newPeer(name, u, p.clients[i], time.Duration(c.Timeout), c.AlertRelabelConfigs)
				}
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, r := range f.peers {
		if wanted[key] == nil {
			r.stop()
			delete(f.peers, key)
		}
	}
	for key, q := range wanted {
		if f.peers[key] != nil {
			continue
		}
		peerCtx, stop := context.WithCancel(ctx)
		r := &running{q, make(chan struct{}, 1), stop}
		f.peers[key] = r
		wg.Go(func() { f.run(peerCtx, r.peer, r.wake) })
	}
	f.metrics.peers.Set(float64(len(f.peers)))
}

// address is where a discovered target takes alerts, nil when relabelling drops it. As Prometheus does it.
func address(g *targetgroup.Group, t model.LabelSet, c *config.AlertmanagerConfig) (*url.URL, error) {
	const pathLabel = "__alerts_path__"
	b := labels.NewBuilder(labels.EmptyLabels())
	for n, v := range g.Labels {
		b.Set(string(n), string(v))
	}
	for n, v := range t {
		b.Set(string(n), string(v))
	}
	b.Set(model.SchemeLabel, c.Scheme)
	b.Set(pathLabel, path.Join("/", c.PathPrefix, "/api/v2/alerts"))
	if !relabel.ProcessBuilder(b, c.RelabelConfigs...) {
		return nil, nil
	}
	at := b.Get(model.AddressLabel)
	if err := config.CheckTargetAddress(model.LabelValue(at)); err != nil {
		return nil, err
	}
	return &url.URL{Scheme: b.Get(model.SchemeLabel), Host: at, Path: b.Get(pathLabel)}, nil
}
