package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/state"
)

// CallMetrics are expressions that say who calls whom, of what is widely used: the service graphs of OpenTelemetry and Tempo, Istio
// and Linkerd. Each gives one series for two services, labelled client and server.
var CallMetrics = []string{
	`group by (client, server) (rate(traces_service_graph_request_total[10m]) > 0)`,
	`group by (client, server) (label_replace(label_replace(rate(istio_requests_total[10m]) > 0, "client", "$1", "source_canonical_service", "(.+)"), "server", "$1", "destination_canonical_service", "(.+)"))`,
	`group by (client, server) (label_replace(label_replace(rate(request_total{direction="outbound"}[10m]) > 0, "client", "$1", "deployment", "(.+)"), "server", "$1", "dst_deployment", "(.+)"))`,
}

const (
	topologyKey = "topology"
	// lookAround is how often the metrics are asked who calls whom.
	lookAround = 10 * time.Minute
	// lookFor bounds what a tick waits for the answer.
	lookFor = 5 * time.Second
	// callsLast is how long a call counts that is not seen any more: traffic may sleep at night.
	callsLast = 24 * time.Hour
	// maxVersions of the topology are kept for recovery; the oldest stands for all before it.
	maxVersions = 200
	// maxCalls bounds the graph.
	maxCalls = 20_000
	// maxKeptCalls bounds the calls of all versions: each change writes them anew.
	maxKeptCalls = 100_000
)

// Topology is who calls whom: as configured, and as metrics say. What was known at an instant is kept, so that a recovery
// knows it too. It is safe for concurrent use.
type Topology struct {
	ledger *state.Ledger
	logger *slog.Logger

	mu       sync.Mutex
	exprs    []string
	fixed    [][2]string
	seen     map[[2]string]int64 // when a call was seen last
	asked    int64
	failing  string
	versions []topologyVersion // by time
	graphs   map[int64]*incident.Graph
}

type topologyVersion struct {
	From  int64       `json:"from"` // unix milliseconds
	Edges [][2]string `json:"edges"`
}

// NewTopology reads what the ledger knows. exprs are asked for series with the labels client and server; fixed edges go from
// caller to callee.
func NewTopology(ledger *state.Ledger, exprs []string, fixed [][2]string, logger *slog.Logger) (*Topology, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	tp := &Topology{ledger: ledger, logger: logger, seen: map[[2]string]int64{}, graphs: map[int64]*incident.Graph{}}
	err := ledger.View(func(tx *bbolt.Tx) error {
		if text := state.Meta(tx, topologyKey); text != nil {
			return json.Unmarshal(text, &tp.versions)
		}
		return nil
	})
	if err != nil {
		logger.Error("topology is damaged; it is learnt anew", "err", err)
		tp.versions = nil
	}
	if n := len(tp.versions); n > 0 {
		last := tp.versions[n-1]
		for _, e := range last.Edges {
			tp.seen[e] = last.From
		}
	}
	tp.Configure(exprs, fixed)
	return tp, nil
}

// Configure takes over what the configuration says.
func (tp *Topology) Configure(exprs []string, fixed [][2]string) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.exprs, tp.fixed, tp.asked = exprs, fixed, 0
	clear(tp.graphs)
}

// At returns who called whom at an instant.
func (tp *Topology) At(t int64) *incident.Graph {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	i := sort.Search(len(tp.versions), func(i int) bool { return tp.versions[i].From > t }) - 1
	from := int64(-1)
	edges := tp.fixed
	if i >= 0 {
		from = tp.versions[i].From
		edges = append(slices.Clone(edges), tp.versions[i].Edges...)
	}
	if len(edges) == 0 {
		return nil
	}
	g := tp.graphs[from]
	if g == nil {
		g = incident.NewGraph(edges)
		tp.graphs[from] = g
	}
	return g
}

// calls evaluates an expression at an instant and returns the pairs of client and server.
type calls func(ctx context.Context, expr string, t int64) ([][2]string, error)

// look asks the metrics now and then. What it learns is on disk before anybody uses it.
func (tp *Topology) look(ctx context.Context, t int64, ask calls) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if len(tp.exprs) == 0 || t-tp.asked < lookAround.Milliseconds() && t >= tp.asked {
		return
	}
	tp.asked = t
	var errs []error
	for _, expr := range tp.exprs {
		pairs, err := ask(ctx, expr, t)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", expr, err))
		}
		for _, p := range pairs {
			if p[0] != "" && p[1] != "" && p[0] != p[1] && (len(tp.seen) < maxCalls || tp.seen[p] != 0) {
				tp.seen[p] = t
			}
		}
	}
	text := ""
	if err := errors.Join(errs...); err != nil {
		text = err.Error()
	}
	if text != tp.failing {
		if tp.failing = text; text != "" {
			tp.logger.Warn("who calls whom could not be asked; what was known counts on", "err", text)
		}
	}
	var edges [][2]string
	for e, last := range tp.seen {
		if t-last > callsLast.Milliseconds() {
			delete(tp.seen, e)
			continue
		}
		edges = append(edges, e)
	}
	slices.SortFunc(edges, func(a, b [2]string) int { return strings.Compare(a[0]+"\xff"+a[1], b[0]+"\xff"+b[1]) })
	if n := len(tp.versions); n > 0 && slices.Equal(tp.versions[n-1].Edges, edges) || n == 0 && len(edges) == 0 {
		return
	}
	versions := trimVersions(append(slices.Clone(tp.versions), topologyVersion{t, edges}))
	record, err := json.Marshal(versions)
	if err == nil {
		err = tp.ledger.Update(func(tx *bbolt.Tx) error { return state.PutMeta(tx, topologyKey, record) })
	}
	if err != nil {
		tp.logger.Error("topology was not kept; it is asked again", "err", err)
		return
	}
	tp.versions = versions
	clear(tp.graphs)
}

// trimVersions drops the oldest that are too many; of two, the one before is always known.
func trimVersions(versions []topologyVersion) []topologyVersion {
	kept, calls := 0, 0
	for i, version := range slices.Backward(versions) {
		if calls += len(version.Edges); kept >= maxVersions || kept >= 2 && calls > maxKeptCalls {
			versions = versions[i+1:]
			versions[0].From = 0
			break
		}
		kept++
	}
	return versions
}

// lookAround asks who calls whom, where somebody wants to know.
func (in *Instance) lookAround(ctx context.Context, t int64) {
	if in.o.Topology == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	in.o.Topology.look(ctx, t, func(ctx context.Context, expr string, t int64) (pairs [][2]string, err error) {
		results, err := in.eval.Labels(ctx, expr, t)
		for _, ls := range results {
			pairs = append(pairs, [2]string{ls.Get("client"), ls.Get("server")})
		}
		return pairs, err
	})
}
