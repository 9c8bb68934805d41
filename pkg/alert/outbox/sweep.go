package outbox

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// buryAtOnce is how many deliveries one transaction gives up.
const buryAtOnce = 256

// loadQueues reads everything that waits, once.
func (d *Deliverer) loadQueues() error {
	queues := map[laneID]*queue{}
	err := d.Write(func(tx *bbolt.Tx) error { return adopt(tx, d.Damaged) })
	if err != nil {
		d.logger.Error("deliveries of an older version cannot be taken over; they wait", "err", err)
	}
	err = d.db.View(func(tx *bbolt.Tx) error {
		d.queues = queues
		c := tx.Bucket(bucketDeliveries).Cursor()
		for k, _ := c.First(); len(k) > 0; {
			if len(k) < len(laneID{})+8 { // of an older version
				k, _ = c.Next()
				continue
			}
			id := laneID(k[:len(laneID{})])
			q := &queue{id: id, index: -1}
			queues[id] = q
			d.look(tx, q)
			past := bytes.Clone(id[:])
			for i := len(past) - 1; i >= 0; i-- { // the first key behind the lane
				if past[i]++; past[i] != 0 {
					break
				}
			}
			if bytes.Compare(past, k) < 0 {
				break
			}
			k, _ = c.Seek(past)
		}
		return d.countLetters(tx)
	})
	if err != nil {
		d.queues = nil
	}
	return err
}

// adopt takes over deliveries of a version that had no lanes: keys of eight bytes.
func adopt(tx *bbolt.Tx, damaged Damaged) error {
	b := tx.Bucket(bucketDeliveries)
	var old []Delivery
	err := b.ForEach(func(k, record []byte) error {
		if len(k) != 8 {
			return nil
		}
		d := Delivery{key: bytes.Clone(k)}
		if err := get(record, &d); err != nil {
			damaged("deliveries", k, err)
			return nil
		}
		old = append(old, d)
		return nil
	})
	for i := range old {
		if err = b.Delete(old[i].key); err != nil {
			return err
		}
		old[i].Part = true // it cannot take up news
		if err = insert(b, laneOf(old[i].Endpoint, old[i].GroupKey), &old[i]); err != nil {
			return err
		}
	}
	return err
}

func (d *Deliverer) countLetters(tx *bbolt.Tx) error {
	ls, err := DeadLetters(tx, d.Damaged)
	if err != nil {
		return err
	}
	before := d.dead
	d.dead, d.deadLanes = map[string]int{}, map[laneID]bool{}
	for name := range before {
		d.metrics.letters.WithLabelValues(name).Set(0)
	}
	for i := range ls {
		d.dead[ls[i].Endpoint]++
		d.deadLanes[laneOf(ls[i].Endpoint, ls[i].GroupKey)] = true
	}
	for name, n := range d.dead {
		d.metrics.letters.WithLabelValues(name).Set(float64(n))
	}
	if !maps.Equal(before, d.dead) {
		d.onDead()
	}
	return nil
}

// sweep looks after what no attempt does: what is too old, whose endpoint is gone, and the space.
func (d *Deliverer) sweep(now time.Time) error {
	nowMs := now.UnixMilli()
	type end struct {
		q   *queue
		why string
		all bool // everything in the queue, not its first delivery alone
	}
	var ends []end
	for _, q := range d.queues {
		e := d.endpoints[q.endpoint]
		switch {
		case q.busy: // an attempt may yet succeed
		case e == nil:
			ends = append(ends, end{q, "its endpoint is no longer configured", true})
		case e.disabled:
			ends = append(ends, end{q, "its endpoint answered 410 Gone", true})
		case q.created > 0 && d.expired(e, q, q.created, 0, nowMs):
			ends = append(ends, end{q, tooOld, false})
		}
	}
	slices.SortFunc(ends, func(a, b end) int { return bytes.Compare(a.q.id[:], b.q.id[:]) })
	for part := range slices.Chunk(ends, buryAtOnce) {
		var gone []*Delivery
		var why []string
		err := d.update(func(tx *bbolt.Tx) error {
			gone, why = nil, nil
			for _, x := range part {
				for _, p := range d.given(tx, x.q, x.all) {
					if err := bury(tx, p, nowMs, x.why); err != nil {
						return err
					}
					gone, why = append(gone, p), append(why, x.why)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, p := range gone {
			d.buried(p, why[i])
		}
		err = d.db.View(func(tx *bbolt.Tx) error {
			for _, x := range part {
				x.q.unsaved = nil
				if x.all {
					d.inMemory -= len(x.q.memory)
					x.q.memory = nil
				} else if x.q.stored == 0 && len(x.q.memory) > 0 {
					d.inMemory--
					x.q.memory = x.q.memory[1:]
				}
				d.look(tx, x.q)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for name, e := range d.endpoints {
		d.metrics.pending.WithLabelValues(name).Set(float64(e.waits))
		open := 0.0
		if e.circuit.open() {
			open = 1
		}
		d.metrics.circuit.WithLabelValues(name).Set(open)
	}
	d.overs.Lock()
	unwritten := len(d.over)
	d.overs.Unlock()
	if unwritten > 0 {
		if err := d.update(func(*bbolt.Tx) error { return nil }); err != nil {
			d.logger.Error("acknowledgements still cannot be written; a crash would repeat the notifications", "notifications", unwritten, "err", err)
		}
	}
	d.metrics.bytes.Set(float64(d.bytes.Load()))
	d.reserve.restore(d.logger)
	return d.evict(nowMs)
}

// given returns the deliveries of a queue that are given up.
func (d *Deliverer) given(tx *bbolt.Tx, q *queue, all bool) (ds []*Delivery) {
	for _, k := range lane(tx, q.id, nil) { // what is over has been deleted in this transaction
		p := &Delivery{}
		if err := get(tx.Bucket(bucketDeliveries).Get(k), p); err != nil {
			d.Damaged("deliveries", k, err)
			continue
		}
		p.key = k
		if ds = append(ds, p); !all {
			return ds
		}
	}
	for _, m := range q.memory {
		if ds = append(ds, m); !all {
			return ds
		}
	}
	return ds
}

// evict forgets dead letters beyond age and space. Their last trace is the log.
func (d *Deliverer) evict(now int64) error {
	if len(d.dead) == 0 {
		return nil
	}
	l := d.plan.Load().limits
	var evicted []DeadLetter
	needed := false
	err := d.db.View(func(tx *bbolt.Tx) error {
		total, b := int64(0), tx.Bucket(bucketDead)
		if _, v := b.Cursor().First(); v != nil {
			var first DeadLetter
			needed = get(v, &first) == nil && l.DeadMaxAge > 0 && first.Buried < now-l.DeadMaxAge.Milliseconds()
		}
		return b.ForEach(func(_, v []byte) error {
			total += int64(len(v))
			needed = needed || l.DeadMaxBytes > 0 && total > l.DeadMaxBytes
			return nil
		})
	})
	if err != nil || !needed {
		return err
	}
	err = d.update(func(tx *bbolt.Tx) (err error) {
		evicted, err = evict(tx, now, l.DeadMaxAge.Milliseconds(), l.DeadMaxBytes, d.Damaged)
		if err != nil {
			return err
		}
		return d.countLetters(tx)
	})
	if err != nil {
		return err
	}
	for i := range evicted {
		e := &evicted[i]
		d.metrics.evicted.WithLabelValues(e.Endpoint).Inc()
		d.logger.Error("dead letter is forgotten: it is too old, or there are too many", "endpoint", e.Endpoint, "group", e.GroupKey, "id", e.ID, "body", string(e.Body))
	}
	return nil
}
