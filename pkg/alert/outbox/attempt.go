package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.etcd.io/bbolt"
)

const (
	firstRetry = 500 * time.Millisecond
	longRetry  = 5 * time.Minute
	// A delivery is given up at an age of giveUpAt, but never before leastAttempts: neither a jump of the clock nor a
	// long downtime of our own gives up what was hardly tried.
	giveUpAt      = 72 * time.Hour
	leastAttempts = 12
	// longestWait is the longest that a receiver or the back-off can ask for; later than that is a clock that went back.
	longestWait = time.Hour
	// rewrite is the pause before an outcome that could not be written is written again.
	rewrite = 5 * time.Second
)

// refusal is an error that knows its class and what the receiver asked for.
type refusal interface {
	error
	Reason() string
	Pause() time.Duration
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
		d.insist(ctx, p, func() error { return d.db.Update(func(tx *bbolt.Tx) error { return accepted(tx, p) }) })
		return
	}
	reason, after := "other", time.Duration(0)
	if f, ok := errors.AsType[refusal](err); ok {
		reason, after = f.Reason(), f.Pause()
	}
	d.metrics.failed.WithLabelValues(p.Endpoint, reason).Inc()
	news := err.Error() != p.LastError
	p.Attempts++
	p.LastError = err.Error()
	now := d.now()
	if now.UnixMilli()-p.Created > giveUpAt.Milliseconds() && p.Attempts >= leastAttempts {
		d.insist(ctx, p, func() error { return d.bury("it was not accepted for 72 hours", p) })
		return
	}
	if news {
		d.logger.Warn("notification was not accepted and is tried again", "endpoint", p.Endpoint, "group", p.GroupKey, "attempts", p.Attempts, "err", err)
	}
	p.NextTry = now.Add(min(max(backoff(p.Attempts), after), longestWait)).UnixMilli()
	d.insist(ctx, p, func() error { return d.db.Update(func(tx *bbolt.Tx) error { return tried(tx, p) }) })
}

// insist writes an outcome, however often it takes: while the disk is full nobody is told the same again and again. Only
// what we are stopped at is sent twice.
func (d *Deliverer) insist(ctx context.Context, p *Delivery, write func() error) {
	for {
		err := write()
		if err == nil {
			return
		}
		d.logger.Error("outcome of a delivery was not written; its group waits", "endpoint", p.Endpoint, "group", p.GroupKey, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(rewrite):
		}
	}
}

// backoff doubles from half a second to five minutes, between half of that and all of it. attempts is at least 1.
func backoff(attempts int) time.Duration {
	d := min(firstRetry<<min(attempts-1, 16), longRetry)
	return d/2 + rand.N(d/2)
}

// bury moves deliveries to the dead letters.
func (d *Deliverer) bury(why string, ps ...*Delivery) error {
	if len(ps) == 0 {
		return nil
	}
	err := d.db.Update(func(tx *bbolt.Tx) error {
		for _, p := range ps {
			if err := giveUp(tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range ps {
		d.metrics.dead.WithLabelValues(p.Endpoint).Inc()
		d.logger.Error("notification was given up and kept as a dead letter", "endpoint", p.Endpoint, "group", p.GroupKey, "why", why, "attempts", p.Attempts, "last_error", p.LastError)
	}
	return nil
}
