package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
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
	route     *dispatch.Route
	endpoints map[string][]Endpoint // by receiver
	recent    []alert.Episode       // that are over, oldest first
	forgotten int64
	wake      chan struct{}
}

// NewAnnouncer takes up what the outbox holds.
func NewAnnouncer(db *bbolt.DB, deliverer *outbox.Deliverer, logger *slog.Logger) (*Announcer, error) {
	a := &Announcer{db: db, deliverer: deliverer, logger: logger, endpoints: map[string][]Endpoint{}, wake: make(chan struct{}, 1)}
	if err := db.Update(outbox.Prepare); err != nil {
		return nil, err
	}
	return a, a.load()
}

// load makes the machine from what is stored. The route tree comes with Configure.
func (a *Announcer) load() error {
	return a.db.View(func(tx *bbolt.Tx) error {
		episodes, groups, err := outbox.LoadMachine(tx, a.deliverer.Damaged)
		if err != nil {
			return fmt.Errorf("read alerts: %w", err)
		}
		a.machine = alert.NewMachine(a.route)
		a.machine.Restore(episodes, groups)
		return nil
	})
}

// Configure takes over a route tree and the endpoints of its receivers.
func (a *Announcer) Configure(now int64, route *dispatch.Route, endpoints map[string][]Endpoint) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.route, a.endpoints = route, endpoints
	abandoned := a.machine.Rebuild(now, route)
	for _, g := range abandoned {
		a.logger.Warn("route changed; this group will not be told the end of its alerts", "receiver", g.Receiver, "group", g.Key)
	}
	sends := map[string]outbox.Send{}
	for _, es := range endpoints {
		for _, e := range es {
			sends[e.Name] = e.Send
		}
	}
	a.deliverer.SetEndpoints(sends)
	if err := a.db.Update(func(tx *bbolt.Tx) error { return outbox.SaveMachine(tx, a.machine) }); err != nil {
		return err
	}
	a.machine.Clean()
	a.poke()
	return nil
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

// Firing implements Herald: what the grouping knows, and what it has yet to see.
func (a *Announcer) Firing(f func(labels map[string]string, startsAt int64)) {
	for _, e := range a.open() {
		f(e.Labels, e.StartsAt)
	}
}

func (a *Announcer) open() []alert.Episode {
	a.mu.Lock()
	defer a.mu.Unlock()
	open := map[string]alert.Episode{}
	key := func(t *alert.Transition) string { return fmt.Sprint(alert.Fingerprint(t.Labels), t.StartsAt) }
	a.machine.Firing(func(e *alert.Episode) { open[key(&e.Transition)] = *e })
	queued, err := a.queued()
	if err != nil {
		a.logger.Error("queued transitions cannot be read", "err", err)
	}
	for i := range queued {
		t := &queued[i]
		if t.Firing {
			open[key(t)] = alert.Episode{Transition: *t, Fingerprint: alert.Fingerprint(t.Labels)}
		} else {
			delete(open, key(t))
		}
	}
	out := make([]alert.Episode, 0, len(open))
	for _, e := range open {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].StartsAt != out[j].StartsAt {
			return out[i].StartsAt < out[j].StartsAt
		}
		return out[i].Fingerprint < out[j].Fingerprint
	})
	return out
}

// Episodes returns those that fire, and those that ended since the start, for the pages.
func (a *Announcer) Episodes() (firing, over []alert.Episode) {
	firing = a.open()
	a.mu.Lock()
	defer a.mu.Unlock()
	return firing, append([]alert.Episode(nil), a.recent...)
}

func (a *Announcer) queued() (ts []alert.Transition, err error) {
	err = a.db.View(func(tx *bbolt.Tx) (err error) {
		ts, err = outbox.Queued(tx, a.deliverer.Damaged)
		return err
	})
	return ts, err
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

// Advance groups what is queued and puts what is due into the outbox, in one transaction: what it fails to store it
// has not done.
func (a *Announcer) Advance(now int64) (next int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	queued, err := a.queued()
	if err != nil {
		return 0, err
	}
	notifications, next := a.machine.Advance(now, queued)
	err = a.db.Update(func(tx *bbolt.Tx) error {
		for i := range notifications {
			if err := a.enqueue(tx, now, &notifications[i]); err != nil {
				return err
			}
		}
		if now-a.forgotten > time.Hour.Milliseconds() {
			if err := outbox.ForgetTransitions(tx, now-rememberTransitions.Milliseconds()); err != nil {
				return err
			}
		}
		return errors.Join(outbox.SaveMachine(tx, a.machine), outbox.Taken(tx))
	})
	if err != nil {
		err = errors.Join(err, a.load()) // back to what is on disk
		a.machine.Rebuild(now, a.route)
		return 0, err
	}
	a.machine.Clean()
	if now-a.forgotten > time.Hour.Milliseconds() {
		a.forgotten = now
	}
	for i := range queued {
		if t := queued[i]; !t.Firing {
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
		if err != nil {
			return err
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
