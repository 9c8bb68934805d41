package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
)

const (
	// rememberTransitions is how long a transition is recognised when it is found again.
	rememberTransitions = 15 * 24 * time.Hour
	// rememberAlerts is how long reports know of one.
	rememberAlerts = 60 * 24 * time.Hour
	// ended is how many episodes that are over the pages still show.
	ended = 200
	// rewrite is the pause before what could not be stored is stored again.
	rewrite = 5 * time.Second
	// probe is how often the disk is tried, so that a full one shows before there is something to write.
	probe = 5 * time.Second
)

// Announcer is the herald of a real instance: transitions go into the outbox with the tick, and from there through
// grouping to deliveries. While the disk takes nothing, it goes on in memory. It is safe for concurrent use.
type Announcer struct {
	db        *bbolt.DB
	deliverer *outbox.Deliverer
	logger    *slog.Logger

	mu         sync.Mutex
	machine    *alert.Machine
	configured bool
	board      Board
	boarded    bool
	recent     []alert.Episode // that are over, oldest first
	forgotten  int64
	wake       chan struct{}

	quiet, ownQuiet atomic.Pointer[alert.Quiet]
	moment          atomic.Pointer[hush]        // what of quiet is in force at a tick
	facts           func(due int64) alert.Facts // what digests say beside what was counted; nil for nothing
	maintenance     []alert.Window
	foreign         []alert.Silence // of Alertmanagers
	foreignUnsaved  bool

	// What the machine has seen and the disk has not taken.
	taken     []byte             // the queue up to this key
	unwritten []alert.Episode    // of the board
	unkept    []alert.Transition // of what reports remember
	stranded  []alert.Transition // of ticks that could not be committed
	handled   map[string]bool    // ids of those: the tick will put them again
	again     []string           // of them, that the queue holds
}

// NewAnnouncer takes up what the outbox holds.
func NewAnnouncer(db *bbolt.DB, deliverer *outbox.Deliverer, logger *slog.Logger) (*Announcer, error) {
	a := &Announcer{
		db: db, deliverer: deliverer, logger: logger, wake: make(chan struct{}, 1), machine: alert.NewMachine(nil), handled: map[string]bool{},
	}
	if err := db.Update(outbox.Prepare); err != nil {
		return nil, err
	}
	err := db.View(func(tx *bbolt.Tx) error {
		stored, err := outbox.LoadMachine(tx, deliverer.Damaged)
		a.machine.Restore(stored)
		if err == nil {
			a.foreign, err = outbox.LoadForeign(tx, deliverer.Damaged)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	return a, a.hush()
}

// Configure takes over a routing and the endpoints of its receivers. Nobody is told anything before it.
func (a *Announcer) Configure(now int64, routing alert.Routing, endpoints []outbox.Endpoint, limits outbox.Limits) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loadBoard()
	routing.Receivers = nil
	for i, e := range endpoints {
		if e.Receiver != "" && (i == 0 || endpoints[i-1].Receiver != e.Receiver) {
			routing.Receivers = append(routing.Receivers, e.Receiver)
		}
	}
	for _, g := range a.machine.Rebuild(now, routing) {
		a.logger.Warn("route changed; this group will not be told the end of its alerts", "receiver", g.Receiver, "group", g.Key)
	}
	a.deliverer.SetEndpoints(endpoints, limits)
	a.unpublish()
	a.configured = true
	a.Poke()
	if err := a.deliverer.Write(func(tx *bbolt.Tx) error { return outbox.SaveMachine(tx, a.machine) }); err != nil {
		return fmt.Errorf("store alerts: %w", err)
	}
	a.machine.Clean()
	return nil
}

// Put implements Herald.
func (a *Announcer) Put(tx *bbolt.Tx, now int64, ts []Transition) error {
	return outbox.PutTransitions(tx, now, convert(ts))
}

// Committed implements Herald.
func (a *Announcer) Committed() {
	a.deliverer.Stored(nil)
	a.Poke()
}

// Stranded implements Herald: what the disk did not take is told from memory.
func (a *Announcer) Stranded(ts []Transition, why error) {
	a.deliverer.Stored(why)
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.db.View(func(tx *bbolt.Tx) error { // never fails: the function does not
		for _, t := range convert(ts) {
			if id := t.ID(); !a.handled[id] && !outbox.IsKnown(tx, &t) {
				a.handled[id] = true
				a.stranded = append(a.stranded, t)
			}
		}
		return nil
	})
	a.Poke()
}

// Poke says that there is something to look at.
func (a *Announcer) Poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run groups and hands over until the context ends. now is the wall clock.
func (a *Announcer) Run(ctx context.Context, now func() time.Time) error {
	var probed time.Time
	for {
		wait := probe // a clock that jumps is noticed by then, too
		if since := time.Since(probed); since >= probe || since < 0 {
			probed = time.Now()
			a.deliverer.Probe()
		}
		next, err := a.Advance(now().UnixMilli())
		if err != nil {
			a.logger.Error("alerts cannot be stored: they are sent from memory, and the death of the process would lose what is not accepted by then", "err", err)
			wait = rewrite
		}
		timer := time.NewTimer(alert.NextWake(now().UnixMilli(), next, wait))
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
// do, 0 for not before the next transition. An error says that nothing could be stored; the alerts are on their way all
// the same.
func (a *Announcer) Advance(now int64) (next int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.configured {
		return 0, nil
	}
	queued, last, err := a.queued()
	if err != nil {
		return 0, fmt.Errorf("read queued transitions: %w", err)
	}
	fresh := append(queued, a.stranded...)
	a.stranded = nil
	fresh = append(fresh, a.deadLetters(now)...)
	if a.machine.DigestDue(now) {
		a.machine.SetFacts(a.digestFacts(a.machine.DigestAt(now)))
	}
	notifications, next := a.machine.Advance(now, fresh)
	a.publish(now)
	a.remember(fresh)
	told := a.onBoard(fresh)
	forget := now-a.forgotten >= time.Hour.Milliseconds()
	if last == nil && !a.machine.Dirty() && !forget {
		return next, nil
	}
	if err := a.store(now, notifications, append(a.unwritten, told...), append(a.unkept, fresh...), last, forget); err != nil {
		a.unwritten, a.unkept = append(a.unwritten, told...), append(a.unkept, fresh...)
		a.taken = last
		a.deliverer.Remember(now, notifications)
		return next, err
	}
	a.machine.Clean()
	a.taken, a.unwritten, a.unkept = nil, nil, nil
	for _, id := range a.again {
		delete(a.handled, id)
	}
	if forget {
		a.forgotten = now
	}
	return next, nil
}

// store writes what the machine decided, all or nothing. What could not be written before comes first.
func (a *Announcer) store(now int64, notifications []alert.Notification, board []alert.Episode, past []alert.Transition, last []byte, forget bool) error {
	if err := a.deliverer.Flush(); err != nil {
		return fmt.Errorf("store notifications: %w", err)
	}
	err := a.deliverer.Write(func(tx *bbolt.Tx) error {
		for i := range notifications {
			if err := a.deliverer.Enqueue(tx, now, &notifications[i]); err != nil {
				return err
			}
		}
		if forget {
			if err := outbox.ForgetTransitions(tx, now-rememberTransitions.Milliseconds()); err != nil {
				return err
			}
			if err := outbox.ForgetPast(tx, now-rememberAlerts.Milliseconds()); err != nil {
				return err
			}
		}
		if err := outbox.PutBoard(tx, board); err != nil {
			return err
		}
		if err := outbox.PutPast(tx, past); err != nil {
			return err
		}
		if err := outbox.Taken(tx, last); err != nil {
			return err
		}
		return outbox.SaveMachine(tx, a.machine)
	})
	if err != nil {
		return fmt.Errorf("store alerts: %w", err)
	}
	return nil
}

// remember keeps what is over for the pages.
func (a *Announcer) remember(ts []alert.Transition) {
	for _, t := range ts {
		if !t.Firing {
			a.recent = append(a.recent, alert.Episode{Transition: t, Fingerprint: alert.Fingerprint(t.Labels)})
		}
	}
	a.recent = a.recent[max(0, len(a.recent)-ended):]
}

func convert(ts []Transition) []alert.Transition {
	out := make([]alert.Transition, len(ts))
	for i, t := range ts {
		out[i] = alert.Transition{
			Firing: t.Firing, Escalated: t.Escalated, Graver: t.Graver, Labels: t.Labels, Annotations: t.Annotations, GeneratorURL: t.GeneratorURL,
			StartsAt: t.StartsAt, EndsAt: t.EndsAt, Incident: t.Incident, Updated: t.Updated,
		}
	}
	return out
}
