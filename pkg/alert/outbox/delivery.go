package outbox

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// Delivery is a body on its way to one endpoint. Once written, the body never changes: a retry sends the same bytes.
type Delivery struct {
	Endpoint  string `json:"endpoint"` // receiver/index of its webhook
	GroupKey  string `json:"groupKey"`
	Body      []byte `json:"body"`
	Created   int64  `json:"created"` // unix milliseconds, as all times here
	Attempts  int    `json:"attempts"`
	NextTry   int64  `json:"nextTry"`
	LastError string `json:"lastError,omitempty"`

	seq uint64
}

// Enqueue adds a delivery behind those of its endpoint and group.
func Enqueue(tx *bbolt.Tx, d Delivery) error {
	b := tx.Bucket(bucketDeliveries)
	seq, err := sequence(b)
	if err != nil {
		return err
	}
	return put(b, seq, &d)
}

// Pending returns the deliveries, oldest first.
func Pending(tx *bbolt.Tx, damaged Damaged) (ds []Delivery, err error) {
	err = each(tx.Bucket(bucketDeliveries), "deliveries", damaged, func(k []byte, d *Delivery) error {
		d.seq = binary.BigEndian.Uint64(k)
		ds = append(ds, *d)
		return nil
	})
	return ds, err
}

// DeadLetters returns what was given up, oldest first.
func DeadLetters(tx *bbolt.Tx, damaged Damaged) (ds []Delivery, err error) {
	err = each(tx.Bucket(bucketDead), "dead_letters", damaged, func(_ []byte, d *Delivery) error {
		ds = append(ds, *d)
		return nil
	})
	return ds, err
}

func (d *Delivery) key() []byte { return binary.BigEndian.AppendUint64(nil, d.seq) }

// accepted ends a delivery.
func accepted(tx *bbolt.Tx, d *Delivery) error { return tx.Bucket(bucketDeliveries).Delete(d.key()) }

// tried stores the outcome of an attempt.
func tried(tx *bbolt.Tx, d *Delivery) error { return put(tx.Bucket(bucketDeliveries), d.key(), d) }

// giveUp moves a delivery to the dead letters.
func giveUp(tx *bbolt.Tx, d *Delivery) error {
	if err := accepted(tx, d); err != nil {
		return err
	}
	b := tx.Bucket(bucketDead)
	seq, err := sequence(b)
	if err != nil {
		return err
	}
	if err := put(b, seq, d); err != nil {
		return fmt.Errorf("keep dead letter: %w", err)
	}
	return nil
}
