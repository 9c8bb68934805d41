package outbox

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
)

const (
	// PerEndpoint is how many groups of one endpoint may be on their way at once.
	PerEndpoint = 4
	// grace is what posts get to end in when we are stopped: cutting them off would send most of them twice.
	grace = 5 * time.Second
	// sweepEvery is how often age and space are looked at.
	sweepEvery = time.Minute
)

// Options of a deliverer. DB is required.
type Options struct {
	DB         *bbolt.DB
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: metrics are counted and not shown
	Now        func() time.Time      // nil is time.Now
	Reserve    *Reserve              // space that is given back when the disk is full; nil for none
	OnDead     func()                // called when the number of dead letters may have changed; may be nil
}

// Limits bound what is kept; 0 is no limit.
type Limits struct {
	MaxBytes     int64         // of deliveries that wait: what does not fit goes to the dead letters
	DeadMaxBytes int64         // of dead letters: the oldest go first
	DeadMaxAge   time.Duration // of dead letters
}

// Deliverer sends what is in the outbox until it is accepted: in order within endpoint and group, the groups of an
// endpoint independently of each other and of other endpoints. What was accepted but not acknowledged on disk before a
// crash is sent again, byte by byte the same under the same id. A round costs no more than what it starts, however much
// waits.
type Deliverer struct {
	db      *bbolt.DB
	logger  *slog.Logger
	now     func() time.Time
	metrics *metrics
	reserve *Reserve
	onDead  func()

	mu        sync.Mutex
	endpoints map[string]*endpoint // nil until they are set: until then nothing leaves
	queues    map[laneID]*queue    // nil until they are loaded
	recount   atomic.Bool          // dead letters were written by others
	inMemory  int                  // deliveries that could not be written
	dead      map[string]int       // dead letters by endpoint
	deadLanes map[laneID]bool      // of them
	swept     time.Time

	// What transactions of others read; they must not wait for the lock, whose holder may wait for them.
	plan  atomic.Pointer[plan]
	bytes atomic.Int64 // of what is stored
	wake  chan struct{}

	writing, probing atomic.Pointer[error] // what the last write, and the last probe of the disk, failed with

	overs sync.Mutex
	over  map[string]bool // keys of what is over and could not be deleted

	touches sync.Mutex
	touched map[laneID]bool // queues to look up again

	reports  sync.Mutex
	reported map[string]bool // damaged records, each counted once
}

// plan is what the configuration says.
type plan struct {
	receivers map[string][]*Endpoint
	limits    Limits
}

// endpoint is what the deliverer knows of one, beyond its configuration.
type endpoint struct {
	Endpoint
	waiting  schedule
	circuit  circuit
	flight   *int  // attempts on their way; shared with what took the endpoint's place
	failures int   // in all
	worked   int64 // when the circuit was closed last: what failed before is due again
	waits    int   // deliveries
	disabled bool  // it has answered 410
}

// NewDeliverer prepares to send from the store, once SetEndpoints has said where to.
func NewDeliverer(o Options) *Deliverer {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnDead == nil {
		o.OnDead = func() {}
	}
	return &Deliverer{
		db: o.DB, logger: o.Logger, now: o.Now, metrics: newMetrics(o.Registerer), reserve: o.Reserve, onDead: o.OnDead,
		over: map[string]bool{}, dead: map[string]int{}, deadLanes: map[laneID]bool{}, wake: make(chan struct{}, 1),
		touched: map[laneID]bool{}, reported: map[string]bool{},
	}
}

// SetEndpoints replaces the endpoints. What waits for one that is gone goes to the dead letters: it is not lost. One
// that was disabled gets another chance.
func (d *Deliverer) SetEndpoints(es []Endpoint, l Limits) {
	d.mu.Lock()
	defer d.Wake()
	defer d.mu.Unlock()
	old := d.endpoints
	d.endpoints = map[string]*endpoint{}
	next := &plan{map[string][]*Endpoint{}, l}
	for _, e := range es {
		state := &endpoint{Endpoint: e, flight: new(int)}
		if was := old[e.Name]; was != nil {
			state.waiting, state.circuit, state.flight, state.failures, state.worked, state.waits = was.waiting, was.circuit, was.flight, was.failures, was.worked, was.waits
			delete(old, e.Name)
		} else {
			for _, q := range d.queues {
				if q.endpoint == e.Name {
					state.waits += q.counted
					if !q.busy {
						state.waiting.put(q)
					}
				}
			}
		}
		d.metrics.disabled.WithLabelValues(e.Name).Set(0)
		d.endpoints[e.Name] = state
		next.receivers[e.Receiver] = append(next.receivers[e.Receiver], &state.Endpoint)
	}
	d.plan.Store(next)
	d.swept = time.Time{}
	for name, was := range old {
		for _, q := range was.waiting {
			q.index = -1
		}
		d.metrics.forget(name)
	}
}

// Wake says that there is something new to send.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// touch has a queue looked up again.
func (d *Deliverer) touch(id laneID) {
	d.touches.Lock()
	d.touched[id] = true
	d.touches.Unlock()
	d.Wake()
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
	d.mu.Lock()
	defer d.mu.Unlock()
	wait = sweepEvery
	if d.endpoints == nil {
		return wait, nil
	}
	if err := d.refresh(); err != nil {
		return 0, err
	}
	now := d.now()
	if since := now.Sub(d.swept); since >= sweepEvery || since < 0 {
		if err := d.sweep(now); err != nil {
			return 0, err
		}
		d.swept = now
	}
	for _, name := range slices.Sorted(maps.Keys(d.endpoints)) {
		wait = min(wait, d.start(ctx, wg, d.endpoints[name], now.UnixMilli()))
	}
	return wait, nil
}

// refresh takes up what was written since the last round, at first everything.
func (d *Deliverer) refresh() error {
	if d.queues == nil {
		return d.loadQueues()
	}
	d.touches.Lock()
	touched := d.touched
	d.touched = map[laneID]bool{}
	d.touches.Unlock()
	recount := d.recount.Swap(false)
	if len(touched) == 0 && !recount {
		return nil
	}
	return d.db.View(func(tx *bbolt.Tx) error {
		if recount {
			if err := d.countLetters(tx); err != nil {
				return err
			}
		}
		for id := range touched {
			q := d.queues[id]
			if q == nil {
				q = &queue{id: id, index: -1}
				d.queues[id] = q
			}
			if !q.busy { // else the end of the attempt looks
				d.look(tx, q)
			}
		}
		return nil
	})
}

// look reads a queue and puts it where it belongs.
func (d *Deliverer) look(tx *bbolt.Tx, q *queue) {
	first := q.first
	d.read(tx, q)
	e := d.endpoints[q.endpoint]
	if e != nil {
		e.waits += q.stored + len(q.memory) - q.counted
		q.counted = q.stored + len(q.memory)
		d.metrics.pending.WithLabelValues(q.endpoint).Set(float64(e.waits))
		q.hurry(e.worked)
	}
	if q.empty() {
		if e != nil {
			e.waiting.remove(q)
		}
		delete(d.queues, q.id)
		return
	}
	if e == nil {
		return // the sweep deals with it
	}
	if q.first != first {
		q.seen = e.failures
	}
	e.waiting.put(q)
}

// start sends what is due to an endpoint and may be sent now.
func (d *Deliverer) start(ctx context.Context, wg *sync.WaitGroup, e *endpoint, now int64) (wait time.Duration) {
	wait = sweepEvery
	if left := time.Duration(e.circuit.until-now) * time.Millisecond; left > 0 && left <= longestWait {
		return min(wait, left)
	}
	for len(e.waiting) > 0 {
		limit := PerEndpoint
		if e.circuit.open() {
			limit = 1
		}
		if *e.flight >= limit || e.disabled {
			return wait // the end of an attempt wakes us, the sweep empties what is disabled
		}
		q := e.waiting[0]
		if left := time.Duration(q.due-now) * time.Millisecond; left > 0 && left <= longestWait {
			return min(wait, left)
		}
		heap.Pop(&e.waiting)
		q.busy = true
		*e.flight++
		wg.Go(func() { d.attempt(ctx, e, q) })
	}
	return wait
}
