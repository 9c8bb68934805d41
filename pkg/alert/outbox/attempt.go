package outbox

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// attempt sends the first delivery of a queue and writes what came of it.
func (d *Deliverer) attempt(ctx context.Context, from *endpoint, q *queue) {
	d.mu.Lock()
	p, err := d.first(q)
	d.mu.Unlock()
	var end func(e *endpoint)
	switch {
	case err != nil:
		d.logger.Error("delivery cannot be read; it is tried again", "endpoint", from.Name, "err", err)
	case p != nil:
		if end = d.complete(from, q, p); end == nil {
			end = d.post(ctx, q, p, from.Send)
		}
	}
	d.mu.Lock()
	defer d.Wake()
	defer d.mu.Unlock()
	q.busy = false
	*from.flight--
	e := d.endpoints[from.Name]
	if e == nil {
		e = from              // it is no longer configured
		d.swept = time.Time{} // and what else waits for it is given up
	}
	if end != nil {
		end(e)
	}
	err = d.db.View(func(tx *bbolt.Tx) error {
		d.look(tx, q)
		return nil
	})
	if err != nil {
		d.logger.Error("outbox is not available; a group waits", "endpoint", from.Name, "err", err)
		d.touch(q.id)
	}
}

// complete gives a delivery its body that had none, because a template refused it when it was new: it was replayed since. What
// it returns gives it up again; nil when it has a body.
func (d *Deliverer) complete(from *endpoint, q *queue, p *Delivery) func(*endpoint) {
	if len(p.Body) > 0 {
		return nil
	}
	body, ok, err := from.encode(&p.Notification)
	if err == nil && !ok {
		err = errors.New("there is nothing to say")
	}
	if err != nil {
		return func(*endpoint) { d.give(q, p, err.Error()) }
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p.Body = body
	d.save(q, p) // what may have been sent never changes
	return nil
}

// post sends a delivery once. What it returns takes up the outcome, under the lock; nil when there is none.
func (d *Deliverer) post(ctx context.Context, q *queue, p *Delivery, send Send) func(*endpoint) {
	began := d.now()
	if p.FirstTry == 0 {
		d.metrics.delay.WithLabelValues(p.Endpoint).Observe(float64(began.UnixMilli()-p.Created) / 1000)
	}
	err := send(ctx, p.ID, p.Body)
	if err != nil && ctx.Err() != nil {
		return nil // we are stopping; the receiver is not to blame
	}
	now := d.now()
	d.metrics.sent.WithLabelValues(p.Endpoint).Inc()
	d.metrics.latency.WithLabelValues(p.Endpoint).Observe(now.Sub(began).Seconds())
	if err == nil {
		if p.Attempts > 0 {
			d.logger.Info("notification was accepted", "endpoint", p.Endpoint, "group", p.GroupKey, "id", p.ID, "attempts", p.Attempts+1)
		}
		return func(e *endpoint) {
			d.accept(q, p)
			d.alive(e)
		}
	}
	f := classify(err)
	d.metrics.failed.WithLabelValues(p.Endpoint, f.reason).Inc()
	if err.Error() != p.LastError {
		d.logger.Warn("notification was not accepted", "endpoint", p.Endpoint, "group", p.GroupKey, "id", p.ID, "attempts", p.Attempts+1, "err", err)
	}
	return func(e *endpoint) {
		again := *p // a copy under the lock: it may have been written to disk meanwhile
		if again.FirstTry == 0 {
			again.FirstTry = began.UnixMilli()
		}
		again.LastTry, again.LastError, again.LastStatus = now.UnixMilli(), err.Error(), f.status
		again.Attempts++
		d.failed(e, q, &again, f)
	}
}

// alive takes up that an endpoint does its work. What waited only because it did not is due at once.
func (d *Deliverer) alive(e *endpoint) {
	if !e.circuit.worked() {
		return
	}
	d.logger.Info("endpoint works again", "endpoint", e.Name)
	e.worked = d.now().UnixMilli()
	for _, q := range e.waiting {
		q.hurry(e.worked)
	}
	e.waiting.init()
}

// failed decides what becomes of a delivery.
func (d *Deliverer) failed(e *endpoint, q *queue, p *Delivery, f failure) {
	now := d.now().UnixMilli()
	p.NextTry = now + max(pauseAfter(p.Attempts), min(f.pause, longestWait)).Milliseconds()
	switch f.class {
	case trouble:
		e.failures++
		e.circuit.failed(now, f.pause)
	case gone:
		e.disabled = true
		d.logger.Error("endpoint wants nothing any more (410); it is disabled until the configuration is loaded again", "endpoint", p.Endpoint)
		d.metrics.disabled.WithLabelValues(p.Endpoint).Set(1)
		d.swept = time.Time{} // what else waits for it is given up
		d.give(q, p, "its endpoint answered 410 Gone")
		return
	case tooLarge:
		if d.halve(e, q, p) {
			d.alive(e)
			return
		}
		fallthrough
	case refused:
		d.alive(e)
		if p.Refusals++; p.Refusals > len(refusals) {
			d.give(q, p, "it was refused "+strconv.Itoa(p.Refusals)+" times")
			return
		}
		p.NextTry = now + max(refusals[p.Refusals-1], min(f.pause, longestWait)).Milliseconds()
	}
	if d.expired(e, q, p.Created, p.Attempts, now) {
		d.give(q, p, tooOld)
		return
	}
	d.save(q, p)
}

const tooOld = "it was not accepted for 72 hours"

// expired says whether something was tried for long enough.
func (d *Deliverer) expired(e *endpoint, q *queue, created int64, attempts int, now int64) bool {
	return now-created > giveUpAt.Milliseconds() && max(attempts, e.failures-q.seen) >= leastAttempts
}

// halve splits what is too large in two; the ids of the halves tell where they come from.
func (d *Deliverer) halve(e *endpoint, q *queue, p *Delivery) bool {
	first, second, ok := p.Notification.Halve()
	if !ok || e.Encode == nil || p.key == nil {
		return false
	}
	var halves [2]Delivery
	for i, n := range []*alert.Notification{&first, &second} {
		body, ok, err := e.Encode(n)
		if err != nil || !ok {
			return false
		}
		halves[i] = *p
		halves[i].ID, halves[i].Notification, halves[i].Body, halves[i].Part = p.ID+"."+strconv.Itoa(i+1), *n, body, true
		halves[i].NextTry, halves[i].Attempts = 0, 0
	}
	err := d.update(func(tx *bbolt.Tx) error { return split(tx, p, halves) })
	if err != nil {
		d.logger.Error("notification that is too large could not be split; it is tried again", "endpoint", p.Endpoint, "id", p.ID, "err", err)
		return false
	}
	q.unsaved = nil
	d.logger.Warn("notification was too large and is sent in halves", "endpoint", p.Endpoint, "group", p.GroupKey, "id", p.ID, "alerts", len(p.Notification.Alerts))
	return true
}
