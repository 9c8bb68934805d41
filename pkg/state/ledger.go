// Package state keeps what must survive: the ledger, an embedded transactional store with the last tick, the hourly
// summaries and whatever belongs into the tick's transaction, and the snapshot, a checksummed file with the state of
// the models. A snapshot is a cache: with the points recorded after it, it gives the models back to the bit.
package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/baseliner/baseliner/pkg/baseline"
)

// Buckets of this package; others in the same file belong to the outbox.
var (
	metaBucket      = []byte("meta")
	seriesBucket    = []byte("series")
	summariesBucket = []byte("summaries")
)

// ErrLocked says that another process uses the storage.
var ErrLocked = errors.New("storage is in use by another process")

// Ledger is the transactional store. It is safe for concurrent use; writers wait for each other.
type Ledger struct{ db *bbolt.DB }

// Options of the ledger.
type Options struct {
	// NoSync leaves it to the kernel when a commit reaches the disk: the death of the process still loses nothing, the
	// loss of power may. For simulations and tests.
	NoSync bool
}

// OpenLedger opens or creates the ledger in dir. It is also the lock of the whole directory: a second process gets
// ErrLocked.
func OpenLedger(dir string, o Options) (*Ledger, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create storage %s: %w", dir, err)
	}
	path := filepath.Join(dir, "ledger.db")
	db, err := bbolt.Open(path, 0o640, &bbolt.Options{
		Timeout: 200 * time.Millisecond, NoSync: o.NoSync, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	l := &Ledger{db}
	err = l.Update(func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{metaBucket, seriesBucket, summariesBucket} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = l.splitDays()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	return l, nil
}

// DB gives the store to those who keep their own buckets in it.
func (l *Ledger) DB() *bbolt.DB { return l.db }

// Update runs f in a read-write transaction: all of it is kept, or nothing.
func (l *Ledger) Update(f func(*bbolt.Tx) error) error { return l.db.Update(f) }

// View runs f in a read-only transaction.
func (l *Ledger) View(f func(*bbolt.Tx) error) error { return l.db.View(f) }

// Close releases the lock.
func (l *Ledger) Close() error { return l.db.Close() }

// PutTime stores a time (unix milliseconds) under a name.
func PutTime(tx *bbolt.Tx, name string, t int64) error {
	return tx.Bucket(metaBucket).Put([]byte(name), binary.BigEndian.AppendUint64(nil, uint64(t)))
}

// Time reads what PutTime stored; ok is false when there is nothing.
func Time(tx *bbolt.Tx, name string) (t int64, ok bool) {
	v := tx.Bucket(metaBucket).Get([]byte(name))
	if len(v) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(v)), true
}

// PutMeta stores a small record under a name.
func PutMeta(tx *bbolt.Tx, name string, v []byte) error {
	return tx.Bucket(metaBucket).Put([]byte(name), v)
}

// DropMeta forgets what PutMeta stored.
func DropMeta(tx *bbolt.Tx, name string) error { return tx.Bucket(metaBucket).Delete([]byte(name)) }

// Meta reads what PutMeta stored; nil when there is nothing. The slice is valid during the transaction only.
func Meta(tx *bbolt.Tx, name string) []byte { return tx.Bucket(metaBucket).Get([]byte(name)) }

// hoursPerRecord summaries share a record, a third of a day. Records of a whole day would be five to a page, and the store halves
// pages that are that coarse wherever they grow: they stay half empty for ever.
const hoursPerRecord = 8

func summaryKey(id SeriesID, hour int32) []byte {
	return binary.BigEndian.AppendUint32(id[:len(id):len(id)], uint32(hour/hoursPerRecord))
}

// recordNumber counts the records of a series since 1970.
func recordNumber(key []byte) int32 { return int32(binary.BigEndian.Uint32(key[len(SeriesID{}):])) }

// PutSummary stores the summary of an hour, replacing the one it had.
func PutSummary(tx *bbolt.Tx, id SeriesID, s *baseline.Summary) error {
	b := tx.Bucket(summariesBucket)
	b.FillPercent = 0.95 // a series grows at its end only: halving its pages would leave them so for ever
	key := summaryKey(id, s.Hour)
	old := b.Get(key)
	record := make([]byte, 0, len(old)+baseline.SummaryBytes)
	placed := false
	for len(old) > 0 {
		one, n, err := baseline.DecodeSummary(s.Day(), old)
		if err != nil {
			return err
		}
		if !placed && one.Hour >= s.Hour {
			record, placed = s.Append(record), true
		}
		if one.Hour != s.Hour {
			record = append(record, old[:n]...)
		}
		old = old[n:]
	}
	if !placed {
		record = s.Append(record)
	}
	return b.Put(key, record)
}

// MergeSummary stores the summary of an hour unless there is one of it that saw more: of two sources of one series, and
// of an hour that was seen twice, the better one is kept. They never add.
func MergeSummary(tx *bbolt.Tx, id SeriesID, s *baseline.Summary) error {
	known, err := Summaries(tx, id, s.Hour, s.Hour+1)
	if err != nil {
		return err
	}
	if len(known) > 0 && baseline.Better(&known[0], s) == &known[0] {
		return nil
	}
	return PutSummary(tx, id, s)
}

// Summaries returns the history of a series in [from, to) hours since 1970, oldest first.
func Summaries(tx *bbolt.Tx, id SeriesID, from, to int32) ([]baseline.Summary, error) {
	var out []baseline.Summary
	c := tx.Bucket(summariesBucket).Cursor()
	prefix := string(id[:])
	for k, v := c.Seek(summaryKey(id, max(from, 0))); k != nil && string(k[:len(id)]) == prefix; k, v = c.Next() {
		for len(v) > 0 {
			s, n, err := baseline.DecodeSummary(recordNumber(k)*hoursPerRecord/24, v)
			if err != nil {
				return nil, err
			}
			v = v[n:]
			if s.Hour >= to {
				return out, nil
			}
			if s.Hour >= from {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// DropSummaries forgets the summaries of a series before the hour.
func DropSummaries(tx *bbolt.Tx, id SeriesID, before int32) error {
	c := tx.Bucket(summariesBucket).Cursor()
	prefix := string(id[:])
	limit := string(summaryKey(id, before))
	for k, _ := c.Seek(id[:]); k != nil && string(k[:len(id)]) == prefix && string(k) < limit; k, _ = c.Next() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}
