package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

const (
	firstRetry = 500 * time.Millisecond
	longRetry  = 5 * time.Minute
	giveUpAt   = 72 * time.Hour
	// perEndpoint is how many groups of one endpoint may be on their way at once.
	perEndpoint = 4
)

// Send posts a body to an endpoint; any error is retried.
type Send func(ctx context.Context, body []byte) error

// Deliverer sends what is in the outbox until it is accepted: in order within endpoint and group, the groups of an
// endpoint independently of each other and of other endpoints.
type Deliverer struct {
	db      *bbolt.DB
	logger  *slog.Logger
	now     func() time.Time
	metrics *metrics

	mu        sync.Mutex
	endpoints map[string]Send
	busy      map[string]bool // endpoint and group on their way
	load      map[string]int  // by endpoint
	wake      chan struct{}
}

type metrics struct {
	sent, failed, dead *prometheus.CounterVec
	latency            *prometheus.HistogramVec
	pending            *prometheus.GaugeVec
	corrupt            prometheus.Counter
}

// NewDeliverer prepares to send from the store. Endpoints are set before anything leaves.
func NewDeliverer(db *bbolt.DB, logger *slog.Logger, reg prometheus.Registerer, now func() time.Time) *Deliverer {
	m := &metrics{
		sent:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "baseliner_notifications_total", Help: "Attempted posts of notifications."}, []string{"endpoint"}),
		failed:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "baseliner_notifications_failed_total", Help: "Posts that were not accepted and are tried again, by reason."}, []string{"endpoint", "reason"}),
		dead:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "baseliner_outbox_dead_letters_total", Help: "Notifications given up and kept as dead letters."}, []string{"endpoint"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "baseliner_notification_latency_seconds", Help: "Time a post took.", Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30}}, []string{"endpoint"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "baseliner_outbox_pending", Help: "Notifications that no receiver has accepted yet."}, []string{"endpoint"}),
		corrupt: prometheus.NewCounter(prometheus.CounterOpts{Name: "baseliner_outbox_corrupt_records_total", Help: "Records of the outbox that could not be read."}),
	}
	if reg != nil {
		reg.MustRegister(m.sent, m.failed, m.dead, m.latency, m.pending, m.corrupt)
	}
	return &Deliverer{
		db: db, logger: logger, now: now, metrics: m, endpoints: map[string]Send{},
		busy: map[string]bool{}, load: map[string]int{}, wake: make(chan struct{}, 1),
	}
}

// SetEndpoints replaces the endpoints. What waits for one that is gone goes to the dead letters: it is not lost.
func (d *Deliverer) SetEndpoints(endpoints map[string]Send) {
	d.mu.Lock()
	for name := range endpoints {
		d.metrics.pending.WithLabelValues(name).Add(0)
	}
	d.endpoints = endpoints
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

// Damaged counts and logs a record that cannot be read.
func (d *Deliverer) Damaged(bucket string, key []byte, err error) {
	d.metrics.corrupt.Inc()
	d.logger.Error("outbox record cannot be read and is passed over", "bucket", bucket, "key", fmt.Sprintf("%x", key), "err", err)
}

// Run sends until the context ends, and returns once nothing is on its way any more. What was not accepted stays on
// disk.
func (d *Deliverer) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		wait, err := d.round(ctx, &wg)
		if err != nil {
			d.logger.Error("outbox cannot be read; deliveries wait", "err", err)
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
	var pending []Delivery
	err = d.db.View(func(tx *bbolt.Tx) (err error) {
		pending, err = Pending(tx, d.Damaged)
		return err
	})
	if err != nil {
		return 0, err
	}
	now := d.now().UnixMilli()
	wait = time.Minute
	waiting := map[string]bool{} // groups whose oldest delivery is not the one at hand
	counts := map[string]int{}
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.endpoints {
		counts[name] = 0
	}
	for i := range pending {
		p := &pending[i]
		counts[p.Endpoint]++
		lane := p.Endpoint + "\xff" + p.GroupKey
		if waiting[lane] {
			continue
		}
		waiting[lane] = true
		send := d.endpoints[p.Endpoint]
		switch {
		case send == nil:
			waiting[lane] = false // all of its deliveries go
			d.bury(p, "its endpoint is no longer configured")
			continue
		case d.busy[lane] || d.load[p.Endpoint] >= perEndpoint:
			continue // the end of that attempt wakes us
		case p.NextTry > now:
			wait = min(wait, time.Duration(p.NextTry-now)*time.Millisecond)
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
	for name, n := range counts {
		d.metrics.pending.WithLabelValues(name).Set(float64(n))
	}
	return max(wait, time.Millisecond), nil
}

func (d *Deliverer) attempt(ctx context.Context, p *Delivery, send Send) {
	began := d.now()
	err := send(ctx, p.Body)
	took := d.now().Sub(began)
	if err != nil && ctx.Err() != nil {
		return // we are stopping; the receiver is not to blame
	}
	d.metrics.sent.WithLabelValues(p.Endpoint).Inc()
	d.metrics.latency.WithLabelValues(p.Endpoint).Observe(took.Seconds())
	if err == nil {
		if p.Attempts > 0 {
			d.logger.Info("notification was accepted", "endpoint", p.Endpoint, "group", p.GroupKey, "attempts", p.Attempts+1)
		}
		d.store(p, accepted)
		return
	}
	reason, after := "other", time.Duration(0)
	var f *webhook.Failure
	if errors.As(err, &f) {
		reason, after = string(f.Class), f.RetryAfter
	}
	d.metrics.failed.WithLabelValues(p.Endpoint, reason).Inc()
	p.Attempts++
	now := d.now()
	if now.UnixMilli()-p.Created > giveUpAt.Milliseconds() {
		p.LastError = err.Error()
		d.bury(p, "it was not accepted for 72 hours")
		return
	}
	if err.Error() != p.LastError {
		d.logger.Warn("notification was not accepted and is tried again", "endpoint", p.Endpoint, "group", p.GroupKey, "attempts", p.Attempts, "err", err)
	}
	p.LastError = err.Error()
	p.NextTry = now.Add(max(backoff(p.Attempts), after)).UnixMilli()
	d.store(p, tried)
}

// backoff doubles from half a second to five minutes, between half of that and all of it.
func backoff(attempts int) time.Duration {
	d := longRetry
	if attempts < 12 {
		d = min(firstRetry<<(attempts-1), longRetry)
	}
	return d/2 + rand.N(d/2)
}

func (d *Deliverer) bury(p *Delivery, why string) {
	d.metrics.dead.WithLabelValues(p.Endpoint).Inc()
	d.logger.Error("notification was given up and kept as a dead letter", "endpoint", p.Endpoint, "group", p.GroupKey, "why", why, "attempts", p.Attempts, "last_error", p.LastError)
	d.store(p, giveUp)
}

// store writes an outcome. If that fails the delivery is attempted again: twice is better than never.
func (d *Deliverer) store(p *Delivery, how func(*bbolt.Tx, *Delivery) error) {
	if err := d.db.Update(func(tx *bbolt.Tx) error { return how(tx, p) }); err != nil {
		d.logger.Error("outcome of a delivery was not written; it may be sent again", "endpoint", p.Endpoint, "err", err)
	}
}
