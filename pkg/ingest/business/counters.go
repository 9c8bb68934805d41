package business

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"go.etcd.io/bbolt"
)

const (
	// keepIDs is for how long the id of an event is remembered.
	keepIDs = 7 * 24 * time.Hour
	// keepCounter is how long a counter without events is written on.
	keepCounter = 30 * 24 * time.Hour
)

var (
	bucketCounters = []byte("business_counters") // labels as JSON → value, time of the last sample, time of the last event
	bucketIDs      = []byte("business_ids")      // id → time it came
	bucketIDsByAge = []byte("business_ids_by_age")
)

// counter is what events of one series have come to.
type counter struct {
	labels labels.Labels
	value  float64
	t      int64 // of its newest sample, unix milliseconds
	event  int64 // when the last event came
	start  int64 // of a counter that is new: when it was zero; else 0
}

// counters keeps them on disk. Its methods are safe for concurrent use.
type counters struct {
	db *bbolt.DB

	mtx   sync.Mutex
	known map[string]*counter
}

// openCounters reads what there is.
func openCounters(db *bbolt.DB) (*counters, error) {
	c := &counters{db: db, known: map[string]*counter{}}
	err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketCounters, bucketIDs, bucketIDsByAge} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketCounters).ForEach(func(k, v []byte) error {
			var one counter
			if err := one.labels.UnmarshalJSON(k); err != nil || len(v) != 24 {
				return fmt.Errorf("counter %s is damaged", k)
			}
			one.value = math.Float64frombits(binary.BigEndian.Uint64(v))
			one.t, one.event = int64(binary.BigEndian.Uint64(v[8:])), int64(binary.BigEndian.Uint64(v[16:]))
			c.known[one.labels.String()] = &one
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("open business counters: %w", err)
	}
	return c, nil
}

// add counts events in one transaction, each id once, and returns the counters that changed. They change now, whenever
// the events were: what was written of a counter is not written anew. Of an error nothing is counted.
func (c *counters) add(events []line, now time.Time) (changed []counter, repeated int, err error) {
	c.mtx.Lock()
	defer c.mtx.Unlock()
	next := map[string]*counter{}
	err = c.db.Update(func(tx *bbolt.Tx) error {
		repeated = 0
		clear(next)
		ids, byAge := tx.Bucket(bucketIDs), tx.Bucket(bucketIDsByAge)
		if err := forget(ids, byAge, now.Add(-keepIDs)); err != nil {
			return err
		}
		for _, e := range events {
			if e.id != "" {
				if ids.Get([]byte(e.id)) != nil {
					repeated++
					continue
				}
				age := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
				if err := ids.Put([]byte(e.id), age); err != nil {
					return err
				}
				if err := byAge.Put(append(age, e.id...), nil); err != nil {
					return err
				}
			}
			key := e.labels.String()
			one := next[key]
			if one == nil {
				one = &counter{labels: e.labels}
				if before := c.known[key]; before != nil {
					*one = *before
				}
				next[key] = one
			}
			one.value += e.value
		}
		for key, one := range next {
			one.t, one.event, one.start = now.UnixMilli(), now.UnixMilli(), 0
			if before := c.known[key]; before != nil {
				one.t = max(one.t, before.t+1)
			} else {
				one.start = now.Add(-time.Minute).UnixMilli() // it was zero: the first events count
			}
			if err := put(tx, one); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("store business events: %w", err)
	}
	for key, one := range next {
		c.known[key] = one
		changed = append(changed, *one)
	}
	return changed, repeated, nil
}

func put(tx *bbolt.Tx, one *counter) error {
	key, err := one.labels.MarshalJSON()
	if err != nil {
		return err
	}
	v := binary.BigEndian.AppendUint64(nil, math.Float64bits(one.value))
	v = binary.BigEndian.AppendUint64(v, uint64(one.t))
	v = binary.BigEndian.AppendUint64(v, uint64(one.event))
	return tx.Bucket(bucketCounters).Put(key, v)
}

// forget drops ids that came before a time.
func forget(ids, byAge *bbolt.Bucket, before time.Time) error {
	limit := uint64(before.UnixMilli())
	cursor := byAge.Cursor()
	for k, _ := cursor.First(); len(k) >= 8 && binary.BigEndian.Uint64(k) < limit; k, _ = cursor.First() {
		if err := ids.Delete(k[8:]); err != nil {
			return err
		}
		if err := cursor.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// at returns every counter as of now, for those that have a newer sample nothing. Times are not stored: a restart may
// write one again, the same value.
func (c *counters) at(now time.Time) []counter {
	c.mtx.Lock()
	defer c.mtx.Unlock()
	var out []counter
	for _, one := range c.known {
		if one.t < now.UnixMilli() && now.UnixMilli()-one.event < keepCounter.Milliseconds() {
			one.t, one.start = now.UnixMilli(), 0
			out = append(out, *one)
		}
	}
	return out
}
