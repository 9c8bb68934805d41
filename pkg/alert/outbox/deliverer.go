package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
)

const (
	// perEndpoint is how many groups of one endpoint may be on their way at once.
	perEndpoint = 4
	// grace is what posts get to end in when we are stopped: cutting them off would send most of them twice.
	grace = 5 * time.Second
)

// Send posts a body to an endpoint; any error is retried.
type Send func(ctx context.Context, body []byte) error

// Deliverer sends what is in the outbox until it is accepted: in order within endpoint and group, the groups of an
// endpoint independently of each other and of other endpoints. What was accepted but not acknowledged on disk before a
// crash is sent again, byte by byte the same.
type Deliverer struct {
	db      *bbolt.DB
	logger  *slog.Logger
	now     func() time.Time
	metrics *metrics

	mu        sync.Mutex
	endpoints map[string]Send // nil until they are set: until then nothing leaves
	busy      map[string]bool // endpoint and group on their way
	load      map[string]int  // by endpoint
	wake      chan struct{}

	reports  sync.Mutex
	reported map[string]bool // damaged records, each counted once
}

// NewDeliverer prepares to send from the store, once SetEndpoints has said where to.
func NewDeliverer(db *bbolt.DB, logger *slog.Logger, reg prometheus.Registerer, now func() time.Time) *Deliverer {
	return &Deliverer{
		db: db, logger: logger, now: now, metrics: newMetrics(reg),
		busy: map[string]bool{}, load: map[string]int{}, wake: make(chan struct{}, 1), reported: map[string]bool{},
	}
}

// SetEndpoints replaces the endpoints. What waits for one that is gone goes to the dead letters: it is not lost.
func (d *Deliverer) SetEndpoints(endpoints map[string]Send) {
	d.mu.Lock()
	for name := range d.endpoints {
		if endpoints[name] == nil {
			d.metrics.pending.DeleteLabelValues(name)
		}
	}
	d.endpoints = maps.Clone(endpoints)
	if d.endpoints == nil {
		d.endpoints = map[string]Send{}
	}
	d.mu.Unlock()
	d.Wake()
}

// Wake says that there is something new to send.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Damaged counts and logs a record that cannot be read, the first time that it is met.
func (d *Deliverer) Damaged(bucket string, key []byte, err error) {
	id := fmt.Sprintf("%s %x", bucket, key)
	d.reports.Lock()
	known := d.reported[id]
	d.reported[id] = true
	d.reports.Unlock()
	if known {
		return
	}
	d.metrics.corrupt.Inc()
	d.logger.Error("outbox record cannot be read and is passed over", "bucket", bucket, "key", fmt.Sprintf("%x", key), "err", err)
}

// Run sends until the context ends, and returns once nothing is on its way any more: posts that have begun get grace to
// end. What was not accepted stays on disk.
func (d *Deliverer) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	posts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		limit := time.AfterFunc(grace, cancel)
		wg.Wait()
		limit.Stop()
		cancel()
	}()
	for {
		wait, err := d.round(posts, &wg)
		if err != nil {
			d.logger.Error("outbox is not available; deliveries wait", "err", err)
			wait = time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-d.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// round starts what is due and says when to look again.
func (d *Deliverer) round(ctx context.Context, wg *sync.WaitGroup) (wait time.Duration, err error) {
	wait = time.Minute
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.endpoints == nil {
		return wait, nil
	}
	// Read under the lock: an attempt that ends later than this is still busy here.
	var pending []Delivery
	err = d.db.View(func(tx *bbolt.Tx) (err error) {
		pending, err = Pending(tx, d.Damaged)
		return err
	})
	if err != nil {
		return 0, err
	}
	now := d.now().UnixMilli()
	var homeless []*Delivery
	seen := map[string]bool{} // lanes whose oldest delivery has been met
	counts := map[string]float64{}
	for i := range pending {
		p := &pending[i]
		lane := p.Endpoint + "\xff" + p.GroupKey
		send := d.endpoints[p.Endpoint]
		if send == nil {
			if !d.busy[lane] { // an attempt from before may yet succeed
				homeless = append(homeless, p)
			}
			continue
		}
		counts[p.Endpoint]++
		if seen[lane] {
			continue
		}
		seen[lane] = true
		if d.busy[lane] || d.load[p.Endpoint] >= perEndpoint {
			continue // the end of an attempt wakes us
		}
		if left := time.Duration(p.NextTry-now) * time.Millisecond; left > 0 && left <= longestWait {
			wait = min(wait, left)
			continue
		}
		d.busy[lane] = true
		d.load[p.Endpoint]++
		wg.Go(func() {
			d.attempt(ctx, p, send)
			d.mu.Lock()
			delete(d.busy, lane)
			d.load[p.Endpoint]--
			d.mu.Unlock()
			d.Wake()
		})
	}
	for name := range d.endpoints {
		d.metrics.pending.WithLabelValues(name).Set(counts[name])
	}
	return wait, d.bury("its endpoint is no longer configured", homeless...)
}
