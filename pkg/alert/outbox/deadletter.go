package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// DeadLetter is a delivery that was given up. It is kept until somebody replays or drops it, or it is too old.
type DeadLetter struct {
	Delivery
	Buried     int64  `json:"buried"` // unix milliseconds
	Why        string `json:"why"`
	Superseded bool   `json:"superseded,omitempty"` // the receiver has accepted a later state of the group
}

// Errors of Replay and Drop.
var (
	ErrNoSuchLetter = errors.New("no such dead letter")
	ErrSuperseded   = errors.New("it tells of alerts as firing that have changed since")
)

// bury moves a delivery, if it is stored, to the dead letters.
func bury(tx *bbolt.Tx, d *Delivery, now int64, why string) error {
	if d.key != nil {
		if err := tx.Bucket(bucketDeliveries).Delete(d.key); err != nil {
			return err
		}
	}
	b := tx.Bucket(bucketDead)
	seq, err := b.NextSequence()
	if err != nil {
		return err
	}
	if d.ID == "" {
		d.ID = newID(d, seq)
	}
	if err := put(b, binary.BigEndian.AppendUint64(nil, seq), &DeadLetter{Delivery: *d, Buried: now, Why: why}); err != nil {
		return fmt.Errorf("keep dead letter: %w", err)
	}
	return nil
}

// DeadLetters returns what was given up, oldest first.
func DeadLetters(tx *bbolt.Tx, damaged Damaged) (ls []DeadLetter, err error) {
	err = each(tx.Bucket(bucketDead), "dead_letters", damaged, func(k []byte, l *DeadLetter) error {
		l.key = bytes.Clone(k)
		ls = append(ls, *l)
		return nil
	})
	return ls, err
}

// Letter returns one dead letter.
func Letter(tx *bbolt.Tx, id string, damaged Damaged) (DeadLetter, error) {
	ls, err := DeadLetters(tx, damaged)
	if err != nil {
		return DeadLetter{}, err
	}
	for i := range ls {
		if ls[i].ID == id {
			return ls[i], nil
		}
	}
	return DeadLetter{}, fmt.Errorf("%w: %s", ErrNoSuchLetter, id)
}

// Drop forgets a dead letter.
func Drop(tx *bbolt.Tx, id string, damaged Damaged) (DeadLetter, error) {
	l, err := Letter(tx, id, damaged)
	if err != nil {
		return l, err
	}
	return l, tx.Bucket(bucketDead).Delete(l.key)
}

// Replay puts a dead letter back into its lane, under its own id and byte by byte as it was. A letter that tells of
// alerts as firing is refused with ErrSuperseded when they no longer do, or when the receiver has heard or will hear
// something later of the group.
func Replay(tx *bbolt.Tx, id string, now int64, damaged Damaged) (DeadLetter, error) {
	l, err := Letter(tx, id, damaged)
	if err != nil {
		return l, err
	}
	if l.Notification.Firing() {
		why, err := superseded(tx, &l)
		if err != nil {
			return l, err
		}
		if why != "" {
			return l, fmt.Errorf("%w: %s", ErrSuperseded, why)
		}
	}
	if err := tx.Bucket(bucketDead).Delete(l.key); err != nil {
		return l, err
	}
	return l, insert(tx.Bucket(bucketDeliveries), laneOf(l.Endpoint, l.GroupKey), revive(&l.Delivery, now))
}

// revive gives a delivery its time again.
func revive(d *Delivery, now int64) *Delivery {
	out := *d
	out.Created, out.NextTry, out.Attempts, out.Refusals, out.Part = now, 0, 0, 0, true
	return &out
}

func superseded(tx *bbolt.Tx, l *DeadLetter) (why string, err error) {
	if l.Superseded {
		return "a later state of its group was accepted", nil
	}
	if len(lane(tx, laneOf(l.Endpoint, l.GroupKey), nil)) > 0 {
		return "a later state of its group is on its way", nil
	}
	b := tx.Bucket(bucketEpisodes)
	for i := range l.Notification.Alerts {
		a := &l.Notification.Alerts[i]
		if !a.Firing {
			continue
		}
		var e alert.Episode
		if record := b.Get([]byte(a.Key())); record == nil {
			return fmt.Sprintf("%s is over", a.Labels["alertname"]), nil
		} else if err := get(record, &e); err != nil {
			return "", fmt.Errorf("read episode: %w", err)
		}
		if !e.Firing {
			return fmt.Sprintf("%s is over", a.Labels["alertname"]), nil
		}
	}
	return "", nil
}

// ReplayCurrent replaces a dead letter by the state of its alerts as it is now: what is over is told as resolved, and
// what else is in the group is told with it.
func ReplayCurrent(tx *bbolt.Tx, id string, now int64, e *Endpoint, damaged Damaged) error {
	l, err := Letter(tx, id, damaged)
	if err != nil {
		return err
	}
	n, err := current(tx, &l, now, damaged)
	if err != nil {
		return err
	}
	if err := tx.Bucket(bucketDead).Delete(l.key); err != nil {
		return err
	}
	return add(tx, e, now, &n, nil, damaged)
}

func current(tx *bbolt.Tx, l *DeadLetter, now int64, damaged Damaged) (alert.Notification, error) {
	n := l.Notification
	n.Alerts = append([]alert.Episode(nil), n.Alerts...)
	known, episodes := tx.Bucket(bucketKnown), map[string]*alert.Episode{}
	err := each(tx.Bucket(bucketEpisodes), "episodes", damaged, func(k []byte, e *alert.Episode) error {
		episodes[string(k)] = e
		return nil
	})
	if err != nil {
		return n, err
	}
	told := map[string]bool{}
	for i := range n.Alerts {
		a := &n.Alerts[i]
		told[a.Key()] = true
		if e := episodes[a.Key()]; e != nil {
			*a = *e
			continue
		}
		if a.Firing { // over and forgotten: when it ended is known as long as its transition is remembered
			a.Firing, a.EndsAt = false, now
			if t := known.Get([]byte(a.ID())); len(t) == 8 {
				a.EndsAt = int64(binary.BigEndian.Uint64(t))
			}
		}
	}
	err = each(tx.Bucket(bucketGroups), "groups", damaged, func(_ []byte, g *alert.Group) error {
		if g.Key != n.GroupKey || g.Receiver != n.Receiver {
			return nil
		}
		for key := range g.Members {
			if e := episodes[key]; e != nil && !told[key] {
				n.Alerts = append(n.Alerts, *e)
			}
		}
		return nil
	})
	n.Reason = alert.ReasonAllResolved
	if n.Firing() {
		n.Reason = alert.ReasonNew
	}
	return n, err
}

// supersede marks the letters of a lane: the receiver has accepted something later.
func supersede(tx *bbolt.Tx, endpoint, groupKey string, damaged Damaged) error {
	ls, err := DeadLetters(tx, damaged)
	if err != nil {
		return err
	}
	for i := range ls {
		l := &ls[i]
		if l.Endpoint == endpoint && l.GroupKey == groupKey && !l.Superseded {
			l.Superseded = true
			if err := put(tx.Bucket(bucketDead), l.key, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// evict drops dead letters that are older than maxAge milliseconds, and the oldest beyond maxBytes; 0 is no limit.
func evict(tx *bbolt.Tx, now, maxAge, maxBytes int64, damaged Damaged) (evicted []DeadLetter, err error) {
	b := tx.Bucket(bucketDead)
	total := int64(0)
	_ = b.ForEach(func(_, v []byte) error { // never fails: the function does not
		total += int64(len(v))
		return nil
	})
	var keys [][]byte
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var l DeadLetter
		if err := get(v, &l); err != nil {
			damaged("dead_letters", k, err)
			continue
		}
		old := maxAge > 0 && l.Buried < now-maxAge
		if !old && (maxBytes <= 0 || total <= maxBytes) {
			break
		}
		total -= int64(len(v))
		l.key = bytes.Clone(k)
		keys, evicted = append(keys, l.key), append(evicted, l)
	}
	for _, k := range keys {
		err = errors.Join(err, b.Delete(k))
	}
	return evicted, err
}
