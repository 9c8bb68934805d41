package outbox

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// What happened is written before anything else is done with a queue. While the disk takes nothing, it is kept in memory
// and written later: nobody is told the same again and again, and what waits behind is not held up.

// accept ends a delivery.
func (d *Deliverer) accept(q *queue, p *Delivery) {
	d.metrics.delivered.WithLabelValues(p.Endpoint).Inc()
	if p.key == nil {
		d.forgetMemory(q, p)
		return
	}
	q.unsaved = nil
	err := d.update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(bucketDeliveries).Delete(p.key); err != nil || !d.deadLanes[q.id] {
			return err
		}
		return supersede(tx, p.Endpoint, p.GroupKey, d.Damaged)
	})
	if err != nil {
		d.logger.Error("acknowledgement was not written; a crash would repeat the notification", "endpoint", p.Endpoint, "group", p.GroupKey, "id", p.ID, "err", err)
		d.overs.Lock()
		d.over[string(p.key)] = true
		d.overs.Unlock()
	}
}

// save keeps the outcome of an attempt that is to be repeated.
func (d *Deliverer) save(q *queue, p *Delivery) {
	if p.key == nil {
		if len(q.memory) > 0 && q.memory[0].ID == p.ID {
			q.memory[0] = p
		}
		return
	}
	q.unsaved = nil
	if err := d.update(func(tx *bbolt.Tx) error { return put(tx.Bucket(bucketDeliveries), p.key, p) }); err != nil {
		d.logger.Error("outcome of an attempt was not written; a crash would forget it", "endpoint", p.Endpoint, "group", p.GroupKey, "id", p.ID, "err", err)
		q.unsaved = p
	}
}

// give gives a delivery up.
func (d *Deliverer) give(q *queue, p *Delivery, why string) {
	err := d.update(func(tx *bbolt.Tx) error { return bury(tx, p, d.now().UnixMilli(), why) })
	if err != nil {
		d.logger.Error("dead letter was not written; the delivery stays in the outbox", "endpoint", p.Endpoint, "group", p.GroupKey, "id", p.ID, "err", err)
		p.NextTry = d.now().Add(longDelay).UnixMilli()
		d.save(q, p)
		return
	}
	if p.key == nil {
		d.forgetMemory(q, p)
	} else {
		q.unsaved = nil
	}
	d.buried(p, why)
}

// buried counts a dead letter.
func (d *Deliverer) buried(p *Delivery, why string) {
	d.dead[p.Endpoint]++
	d.deadLanes[laneOf(p.Endpoint, p.GroupKey)] = true
	d.metrics.dead.WithLabelValues(p.Endpoint).Inc()
	d.metrics.letters.WithLabelValues(p.Endpoint).Set(float64(d.dead[p.Endpoint]))
	d.logger.Error("notification was given up and kept as a dead letter", "endpoint", p.Endpoint, "group", p.GroupKey, "id", p.ID, "why", why, "attempts", p.Attempts, "last_error", p.LastError)
	d.onDead()
}

func (d *Deliverer) isOver(key []byte) bool {
	d.overs.Lock()
	defer d.overs.Unlock()
	return d.over[string(key)]
}

// settle deletes in a transaction what is over and could not be deleted before.
func (d *Deliverer) settle(tx *bbolt.Tx) error {
	d.overs.Lock()
	defer d.overs.Unlock()
	if len(d.over) == 0 {
		return nil
	}
	var keys []string
	for k := range d.over {
		if err := tx.Bucket(bucketDeliveries).Delete([]byte(k)); err != nil {
			return err
		}
		keys = append(keys, k)
	}
	tx.OnCommit(func() {
		d.overs.Lock()
		defer d.overs.Unlock()
		for _, k := range keys {
			delete(d.over, k)
		}
	})
	return nil
}

// update writes, and first what could not be written before.
func (d *Deliverer) update(f func(tx *bbolt.Tx) error) error {
	return d.Write(func(tx *bbolt.Tx) error {
		if err := d.settle(tx); err != nil {
			return err
		}
		return f(tx)
	})
}

// forgetMemory drops a delivery that is over and was never on disk.
func (d *Deliverer) forgetMemory(q *queue, p *Delivery) {
	for i, m := range q.memory {
		if m.ID == p.ID && bytes.Equal(m.Body, p.Body) {
			q.memory = append(q.memory[:i:i], q.memory[i+1:]...)
			d.inMemory--
			d.metrics.memory.Set(float64(d.inMemory))
			return
		}
	}
}
