package outbox

import (
	"errors"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"
)

// Letters lists the dead letters, oldest first, of one receiver or of all.
func (d *Deliverer) Letters(receiver string) (out []DeadLetter, err error) {
	err = d.db.View(func(tx *bbolt.Tx) error {
		ls, err := DeadLetters(tx, d.Damaged)
		for i := range ls {
			if receiver == "" || ls[i].Notification.Receiver == receiver {
				out = append(out, ls[i])
			}
		}
		return err
	})
	return out, err
}

// Letter returns one dead letter, or ErrNoSuchLetter.
func (d *Deliverer) Letter(id string) (l DeadLetter, err error) {
	err = d.db.View(func(tx *bbolt.Tx) error {
		l, err = Letter(tx, id, d.Damaged)
		return err
	})
	return l, err
}

// DropLetter forgets a dead letter.
func (d *Deliverer) DropLetter(id string) error {
	return d.settleLetters(func(tx *bbolt.Tx) (laneID, error) {
		l, err := Drop(tx, id, d.Damaged)
		return laneOf(l.Endpoint, l.GroupKey), err
	})
}

// ReplayLetter sends a dead letter again, under its own id. One that would say something outdated is refused with
// ErrSuperseded; with force, the state of its group as it is now is sent in its place.
func (d *Deliverer) ReplayLetter(id string, force bool) error {
	return d.settleLetters(func(tx *bbolt.Tx) (lane laneID, err error) {
		now := d.now().UnixMilli()
		l, err := Letter(tx, id, d.Damaged)
		if err != nil {
			return lane, err
		}
		e := d.endpoints[l.Endpoint]
		if e == nil {
			return lane, fmt.Errorf("endpoint %s is no longer configured: configure it, or drop the letter", l.Endpoint)
		}
		lane = laneOf(l.Endpoint, l.GroupKey)
		if _, err = Replay(tx, id, now, d.Damaged); force && errors.Is(err, ErrSuperseded) {
			err = ReplayCurrent(tx, id, now, &e.Endpoint, d.Damaged)
		}
		return lane, err
	})
}

// settleLetters changes dead letters and looks up what that changes.
func (d *Deliverer) settleLetters(f func(tx *bbolt.Tx) (laneID, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var lane laneID
	err := d.update(func(tx *bbolt.Tx) (err error) {
		if lane, err = f(tx); err != nil {
			return err
		}
		return d.countLetters(tx)
	})
	if err != nil {
		return errors.Join(err, d.db.View(d.countLetters))
	}
	d.touch(lane)
	return nil
}

// Dead counts the dead letters by endpoint.
func (d *Deliverer) Dead() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.dead)
}
