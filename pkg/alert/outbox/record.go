// Package outbox keeps on disk what must not be lost on the way to a receiver: transitions until they are grouped, the
// state of the grouping, deliveries until they are accepted, and what was given up. Its functions work inside the
// caller's transaction, so that a tick and its alerts are kept together or not at all.
package outbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

var (
	bucketKnown      = []byte("alert_transitions") // id → time: told once, never again
	bucketQueue      = []byte("alert_queue")       // sequence → transition that the grouping has not seen
	bucketEpisodes   = []byte("alert_episodes")    // key → episode
	bucketGroups     = []byte("alert_groups")      // hash of the id → group
	bucketDeliveries = []byte("alert_deliveries")  // lane, sequence and part → delivery
	bucketBoard      = []byte("alert_board")       // key → episode that Alertmanagers are told of
	bucketSilences   = []byte("alert_silences")    // id → silence
	bucketForeign    = []byte("alert_foreign")     // the silences of Alertmanagers
	bucketFlaps      = []byte("alert_flaps")       // fingerprint → what came and went lately
	bucketSpent      = []byte("alert_spent")       // hash of the receiver → what it was told lately
	bucketWeek       = []byte("alert_week")        // what the next digest tells
	bucketPast       = []byte("alert_past")        // begin and fingerprint → what reports remember of it
	bucketDead       = []byte("alert_dead_letters")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Prepare creates what is missing.
func Prepare(tx *bbolt.Tx) error {
	for _, b := range [][]byte{bucketKnown, bucketQueue, bucketEpisodes, bucketGroups, bucketDeliveries, bucketBoard, bucketSilences, bucketForeign, bucketFlaps, bucketSpent, bucketWeek, bucketPast, bucketDead} {
		if _, err := tx.CreateBucketIfNotExists(b); err != nil {
			return fmt.Errorf("prepare outbox: %w", err)
		}
	}
	return nil
}

// Damaged is called for a record that cannot be read; it is passed over.
type Damaged func(bucket string, key []byte, err error)

// put stores a record with its checksum.
func put(b *bbolt.Bucket, key []byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode outbox record: %w", err)
	}
	return b.Put(key, binary.BigEndian.AppendUint32(text, crc32.Checksum(text, castagnoli)))
}

func get(record []byte, v any) error {
	n := len(record) - 4
	if n < 0 {
		return errors.New("cut short")
	}
	if crc32.Checksum(record[:n], castagnoli) != binary.BigEndian.Uint32(record[n:]) {
		return errors.New("checksum does not match")
	}
	return json.Unmarshal(record[:n], v)
}

// each reads the records of a bucket in the order of their keys.
func each[T any](b *bbolt.Bucket, name string, damaged Damaged, f func(key []byte, v *T) error) error {
	return b.ForEach(func(k, record []byte) error {
		v := new(T)
		if err := get(record, v); err != nil {
			damaged(name, k, err)
			return nil
		}
		return f(k, v)
	})
}

func sequence(b *bbolt.Bucket) ([]byte, error) {
	n, err := b.NextSequence()
	return binary.BigEndian.AppendUint64(nil, n), err
}

// PutTransitions keeps the transitions that are not known yet, and remembers them.
func PutTransitions(tx *bbolt.Tx, now int64, ts []alert.Transition) error {
	known, queue := tx.Bucket(bucketKnown), tx.Bucket(bucketQueue)
	for i := range ts {
		id := []byte(ts[i].ID())
		if known.Get(id) != nil {
			continue
		}
		if err := known.Put(id, binary.BigEndian.AppendUint64(nil, uint64(now))); err != nil {
			return err
		}
		seq, err := sequence(queue)
		if err != nil {
			return err
		}
		if err := put(queue, seq, &ts[i]); err != nil {
			return err
		}
	}
	return nil
}

// Queued returns the transitions that the grouping has not seen and that were put behind a key, oldest first, and the
// key of the last for Taken; nil when there are none.
func Queued(tx *bbolt.Tx, after []byte, damaged Damaged) (ts []alert.Transition, last []byte, err error) {
	b := tx.Bucket(bucketQueue)
	err = each(b, "queue", damaged, func(k []byte, t *alert.Transition) error {
		if bytes.Compare(k, after) > 0 {
			ts = append(ts, *t)
		}
		return nil
	})
	last, _ = b.Cursor().Last()
	return ts, bytes.Clone(last), err
}

// Taken drops the queue up to a key that Queued gave: the grouping has seen it, in this transaction. What was put
// since stays.
func Taken(tx *bbolt.Tx, last []byte) error {
	c := tx.Bucket(bucketQueue).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, last) <= 0; k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// IsKnown says whether a transition was put before.
func IsKnown(tx *bbolt.Tx, t *alert.Transition) bool {
	return tx.Bucket(bucketKnown).Get([]byte(t.ID())) != nil
}

// ForgetTransitions drops the memory of transitions told before the instant.
func ForgetTransitions(tx *bbolt.Tx, before int64) error {
	b := tx.Bucket(bucketKnown)
	var old [][]byte
	_ = b.ForEach(func(k, v []byte) error { // never fails: the function does not
		if len(v) == 8 && int64(binary.BigEndian.Uint64(v)) < before {
			old = append(old, append([]byte(nil), k...))
		}
		return nil
	})
	for _, k := range old {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// SaveMachine stores what changed in the machine. Clean it once the transaction is committed.
func SaveMachine(tx *bbolt.Tx, m *alert.Machine) error {
	save := func(bucket, key []byte, v any, gone bool) error {
		b := tx.Bucket(bucket)
		if gone {
			return b.Delete(key)
		}
		return put(b, key, v)
	}
	// Ids hold labels of any length; keys may not be longer than 32 KiB.
	hashed := func(id string) []byte {
		key := sha256.Sum256([]byte(id))
		return key[:]
	}
	return m.Delta(alert.Put{
		Episode:  func(key string, e *alert.Episode) error { return save(bucketEpisodes, []byte(key), e, e == nil) },
		Group:    func(id string, g *alert.Group) error { return save(bucketGroups, hashed(id), g, g == nil) },
		Flap:     func(fp string, f *alert.Flap) error { return save(bucketFlaps, []byte(fp), f, f == nil) },
		Spending: func(r string, s *alert.Spending) error { return save(bucketSpent, hashed(r), s, s == nil) },
		Week:     func(w *alert.Week) error { return save(bucketWeek, []byte("week"), w, w == nil) },
	})
}

// LoadMachine reads what SaveMachine stored, for Restore.
func LoadMachine(tx *bbolt.Tx, damaged Damaged) (s alert.Stored, err error) {
	var weeks []*alert.Week
	err = errors.Join(
		all(tx, bucketWeek, "week", damaged, &weeks),
		all(tx, bucketEpisodes, "episodes", damaged, &s.Episodes), all(tx, bucketGroups, "groups", damaged, &s.Groups),
		all(tx, bucketFlaps, "flaps", damaged, &s.Flaps), all(tx, bucketSpent, "spent", damaged, &s.Spent),
	)
	if len(weeks) > 0 {
		s.Week = weeks[0]
	}
	return s, err
}

// all gathers the records of a bucket.
func all[T any](tx *bbolt.Tx, bucket []byte, name string, damaged Damaged, into *[]*T) error {
	return each(tx.Bucket(bucket), name, damaged, func(_ []byte, v *T) error {
		*into = append(*into, v)
		return nil
	})
}
