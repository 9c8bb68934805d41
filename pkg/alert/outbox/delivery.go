package outbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// Send posts a body to an endpoint under its id; any error is dealt with by its class.
type Send func(ctx context.Context, id string, body []byte) error

// Endpoint is one place that a receiver's notifications go to.
type Endpoint struct {
	Name         string // receiver/index
	Receiver     string
	SendResolved bool
	// Encode gives the body of a notification, ok false when there is nothing to say.
	Encode func(n *alert.Notification) (body []byte, ok bool, err error)
	Send   Send
}

// Delivery is a notification on its way to one endpoint. Only the first of its endpoint and group is ever sent, and what
// may have been sent never changes: a retry sends the same bytes under the same id. What stands behind it has not left
// and takes up later news.
type Delivery struct {
	ID           string             `json:"id"` // webhook-id
	Endpoint     string             `json:"endpoint"`
	GroupKey     string             `json:"groupKey"`
	Notification alert.Notification `json:"notification"`
	Body         []byte             `json:"body"`
	Part         bool               `json:"part,omitempty"` // a half of what was too large: never changes either
	Created      int64              `json:"created"`        // unix milliseconds, as all times here
	Attempts     int                `json:"attempts"`
	Refusals     int                `json:"refusals,omitempty"` // attempts that the receiver found fault with
	FirstTry     int64              `json:"firstTry,omitempty"`
	LastTry      int64              `json:"lastTry,omitempty"`
	NextTry      int64              `json:"nextTry"`
	LastError    string             `json:"lastError,omitempty"`
	LastStatus   int                `json:"lastStatus,omitempty"` // of the last answer, 0 when there was none

	key []byte // nil while it is in memory only
}

// laneID is the prefix of the keys of an endpoint and group: the records of a lane lie side by side, oldest first.
type laneID [16]byte

func laneOf(endpoint, groupKey string) (id laneID) {
	h := sha256.Sum256([]byte(endpoint + "\xff" + groupKey))
	copy(id[:], h[:])
	return id
}

// newID names a delivery. It depends on nothing that a repetition of the same transaction would change.
func newID(d *Delivery, seq uint64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s\xff%s\xff%d\xff%d\xff%s", d.Endpoint, d.GroupKey, d.Created, seq, d.Body))
	return "msg_" + hex.EncodeToString(h[:16])
}

// lane returns the keys of a lane, oldest first, without those that are over; over may be nil.
func lane(tx *bbolt.Tx, id laneID, over func(key []byte) bool) (keys [][]byte) {
	c := tx.Bucket(bucketDeliveries).Cursor()
	for k, _ := c.Seek(id[:]); bytes.HasPrefix(k, id[:]); k, _ = c.Next() {
		if over == nil || !over(k) {
			keys = append(keys, bytes.Clone(k))
		}
	}
	return keys
}

// add puts a delivery behind those of its lane, or into the one that waits there. With a limit in bytes that it does not
// fit into any more, it goes to the dead letters.
func add(tx *bbolt.Tx, e *Endpoint, now int64, n *alert.Notification, room func(bytes int) bool, damaged Damaged) error {
	news, ok := *n, true
	if !e.SendResolved {
		news, ok = n.OnlyFiring()
	}
	if !ok {
		return nil
	}
	b := tx.Bucket(bucketDeliveries)
	id := laneOf(e.Name, n.GroupKey)
	if last := waiting(b, lane(tx, id, nil), damaged); last != nil {
		err := rewriteBody(b, e, last, last.Notification.Merge(&news), now)
		if _, refused := errors.AsType[*encodeError](err); !refused {
			return err
		}
	}
	body, ok, err := e.encode(&news)
	d := Delivery{Endpoint: e.Name, GroupKey: n.GroupKey, Notification: news, Body: body, Created: now}
	if f, refused := errors.AsType[*encodeError](err); refused { // it never will be, and must not be lost
		return bury(tx, &d, now, f.Error())
	}
	if err != nil || !ok {
		return err
	}
	if room != nil && !room(3*len(body)) { // about what a record needs: the alerts twice, once in base64
		return bury(tx, &d, now, "the outbox is full")
	}
	return insert(b, id, &d)
}

// waiting returns the last delivery of a lane if it may still change: the first may be on its way.
func waiting(b *bbolt.Bucket, keys [][]byte, damaged Damaged) (last *Delivery) {
	readable := 0
	for _, k := range keys {
		d := &Delivery{}
		if err := get(b.Get(k), d); err != nil {
			damaged("deliveries", k, err)
			continue
		}
		readable++
		d.key = k
		last = d
	}
	if readable < 2 || last.Part {
		return nil
	}
	return last
}

func rewriteBody(b *bbolt.Bucket, e *Endpoint, d *Delivery, n alert.Notification, now int64) error {
	body, ok, err := e.encode(&n)
	if err != nil || !ok {
		return err
	}
	d.Notification, d.Body, d.Created = n, body, now // the news has its 72 hours
	return put(b, d.key, d)
}

// insert puts a delivery at the end of its lane, and names it unless it has a name.
func insert(b *bbolt.Bucket, id laneID, d *Delivery) error {
	seq, err := b.NextSequence()
	if err != nil {
		return err
	}
	if d.ID == "" {
		d.ID = newID(d, seq)
	}
	d.key = binary.BigEndian.AppendUint64(bytes.Clone(id[:]), seq)
	return put(b, d.key, d)
}

// split replaces a delivery by its halves, in its place: their keys lie between it and whatever comes next.
func split(tx *bbolt.Tx, d *Delivery, halves [2]Delivery) error {
	b := tx.Bucket(bucketDeliveries)
	if err := b.Delete(d.key); err != nil {
		return err
	}
	for i := range halves {
		if err := put(b, append(bytes.Clone(d.key), byte(i+1)), &halves[i]); err != nil {
			return err
		}
	}
	return nil
}

// Pending returns the deliveries, the oldest of a lane first.
func Pending(tx *bbolt.Tx, damaged Damaged) (ds []Delivery, err error) {
	err = each(tx.Bucket(bucketDeliveries), "deliveries", damaged, func(k []byte, d *Delivery) error {
		d.key = bytes.Clone(k)
		ds = append(ds, *d)
		return nil
	})
	return ds, err
}
