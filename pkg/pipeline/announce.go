package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// rememberTransitions is how long a transition is recognised when it is found again.
const rememberTransitions = 15 * 24 * time.Hour

// ended is how many episodes that are over the pages still show.
const ended = 200

// Endpoint is one webhook of a receiver.
type Endpoint struct {
	Name    string // receiver/index
	Payload webhook.PayloadOptions
	Send    outbox.Send
}

// Announcer is the herald of a real instance: transitions go into the outbox with the tick, and from there through
// grouping to deliveries. It is safe for concurrent use.
type Announcer struct {
	db        *bbolt.DB
	deliverer *outbox.Deliverer
	logger    *slog.Logger

	mu        sync.Mutex
	machine   *alert.Machine
	stale     bool // the machine is ahead of the disk: what it decided was not stored
	route     *dispatch.Route
	endpoints map[string][]Endpoint // by receiver; nil until configured
	recent    []alert.Episode       // that are over, oldest first
	forgotten int64
	wake      chan struct{}
}

// NewAnnouncer takes up what the outbox holds.
func NewAnnouncer(db *bbolt.DB, deliverer *outbox.Deliverer, logger *slog.Logger) (*Announcer, error) {
	a := &Announcer{db: db, deliverer: deliverer, logger: logger, wake: make(chan struct{}, 1)}
	if err := db.Update(outbox.Prepare); err != nil {
		return nil, err
	}
	return a, a.load()
}

// load makes the machine from what is stored. Rebuild gives it the route tree.
func (a *Announcer) load() error {
	return a.db.View(func(tx *bbolt.Tx) error {
		episodes, groups, err := outbox.LoadMachine(tx, a.deliverer.Damaged)
		if err != nil {
			return fmt.Errorf("read alerts: %w", err)
		}
		a.machine = alert.NewMachine(nil)
		a.machine.Restore(episodes, groups)
		a.stale = false
		return nil
	})
}

// catchUp takes back what could not be stored.
func (a *Announcer) catchUp(now int64) error {
	if !a.stale {
		return nil
	}
	if err := a.load(); err != nil {
		return err
	}
	a.machine.Rebuild(now, a.route)
	return nil
}

// store runs f in a transaction that also takes the state of the machine. What fails to be stored has not been done.
func (a *Announcer) store(f func(*bbolt.Tx) error) error {
	a.stale = true
	err := a.db.Update(func(tx *bbolt.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return outbox.SaveMachine(tx, a.machine)
	})
	if err != nil {
		return fmt.Errorf("store alerts: %w", err)
	}
	a.stale = false
	a.machine.Clean()
	return nil
}

// Configure takes over a route tree and the endpoints of its receivers. Nobody is told anything before it.
func (a *Announcer) Configure(now int64, route *dispatch.Route, endpoints map[string][]Endpoint) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.catchUp(now); err != nil {
		return err
	}
	a.route, a.endpoints = route, map[string][]Endpoint{}
	sends := map[string]outbox.Send{}
	for receiver, es := range endpoints {
		a.endpoints[receiver] = es
		for _, e := range es {
			sends[e.Name] = e.Send
		}
	}
	for _, g := range a.machine.Rebuild(now, route) {
		a.logger.Warn("route changed; this group will not be told the end of its alerts", "receiver", g.Receiver, "group", g.Key)
	}
	a.deliverer.SetEndpoints(sends)
	a.poke()
	return a.store(func(*bbolt.Tx) error { return nil })
}

// Put implements Herald.
func (a *Announcer) Put(tx *bbolt.Tx, now int64, ts []Transition) error {
	return outbox.PutTransitions(tx, now, convert(ts))
}

// Committed implements Herald.
func (a *Announcer) Committed() { a.poke() }

func (a *Announcer) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run groups and hands over until the context ends. now is the wall clock.
func (a *Announcer) Run(ctx context.Context, now func() time.Time) error {
	for {
		wait := 10 * time.Second // a clock that jumps is noticed by then
		next, err := a.Advance(now().UnixMilli())
		if err != nil {
			a.logger.Error("alerts were not handed over; they are kept and tried again", "err", err)
			wait = time.Second
		} else {
			wait = alert.NextWake(now().UnixMilli(), next, wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-a.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Advance groups what is queued and puts what is due into the outbox, in one transaction. next is when there is more to
// do, 0 for not before the next transition.
func (a *Announcer) Advance(now int64) (next int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.endpoints == nil {
		return 0, nil
	}
	if err := a.catchUp(now); err != nil {
		return 0, err
	}
	queued, last, err := a.queued()
	if err != nil {
		return 0, fmt.Errorf("read queued transitions: %w", err)
	}
	notifications, next := a.machine.Advance(now, queued)
	forget := now-a.forgotten >= time.Hour.Milliseconds()
	if last == nil && !a.machine.Dirty() && !forget {
		return next, nil
	}
	err = a.store(func(tx *bbolt.Tx) error {
		for i := range notifications {
			if err := a.enqueue(tx, now, &notifications[i]); err != nil {
				return err
			}
		}
		if forget {
			if err := outbox.ForgetTransitions(tx, now-rememberTransitions.Milliseconds()); err != nil {
				return err
			}
		}
		return outbox.Taken(tx, last)
	})
	if err != nil {
		return 0, err
	}
	if forget {
		a.forgotten = now
	}
	for _, t := range queued {
		if !t.Firing {
			a.recent = append(a.recent, alert.Episode{Transition: t, Fingerprint: alert.Fingerprint(t.Labels)})
		}
	}
	a.recent = a.recent[max(0, len(a.recent)-ended):]
	if len(notifications) > 0 {
		a.deliverer.Wake()
	}
	return next, nil
}

// enqueue writes one delivery for each endpoint of the receiver.
func (a *Announcer) enqueue(tx *bbolt.Tx, now int64, n *alert.Notification) error {
	for _, e := range a.endpoints[n.Receiver] {
		body, ok, err := webhook.Encode(n, e.Payload)
		if err != nil { // it never will be, and must not hold up the others
			a.logger.Error("notification cannot be encoded and is dropped", "endpoint", e.Name, "group", n.GroupKey, "err", err)
			continue
		}
		if !ok {
			continue
		}
		if err := outbox.Enqueue(tx, outbox.Delivery{Endpoint: e.Name, GroupKey: n.GroupKey, Body: body, Created: now}); err != nil {
			return err
		}
	}
	return nil
}

func convert(ts []Transition) []alert.Transition {
	out := make([]alert.Transition, len(ts))
	for i, t := range ts {
		out[i] = alert.Transition{
			Firing: t.Firing, Labels: t.Labels, Annotations: t.Annotations, GeneratorURL: t.GeneratorURL,
			StartsAt: t.StartsAt, EndsAt: t.EndsAt,
		}
	}
	return out
}
