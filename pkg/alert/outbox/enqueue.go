package outbox

import (
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// Enqueue puts a notification on its way to every endpoint of its receiver, in the caller's transaction: it leaves once
// that is committed.
func (d *Deliverer) Enqueue(tx *bbolt.Tx, now int64, n *alert.Notification) error {
	p := d.plan.Load()
	if p == nil {
		return nil
	}
	if err := d.settle(tx); err != nil {
		return err
	}
	added := 0
	room := func(bytes int) bool {
		added += bytes
		return p.limits.MaxBytes <= 0 || d.bytes.Load()+int64(added) <= p.limits.MaxBytes
	}
	for _, e := range p.receivers[n.Receiver] {
		letters := tx.Bucket(bucketDead).Sequence()
		err := add(tx, e, now, n, room, d.Damaged)
		if err != nil {
			return err
		}
		id := laneOf(e.Name, n.GroupKey)
		spilt := tx.Bucket(bucketDead).Sequence() != letters
		tx.OnCommit(func() {
			if spilt {
				d.logger.Error("notification was kept as a dead letter at once: the outbox is full, or it cannot be encoded; baseliner dlq list says which", "endpoint", e.Name, "group", n.GroupKey, "max_bytes", p.limits.MaxBytes)
				d.metrics.dead.WithLabelValues(e.Name).Inc()
				d.recount.Store(true)
			}
			d.touch(id)
		})
	}
	return nil
}

// encodeError is a notification that a template or an encoder does not take.
type encodeError struct{ error }

func (e *encodeError) Unwrap() error { return e.error }

// encode gives the body of a notification.
func (e *Endpoint) encode(n *alert.Notification) (body []byte, ok bool, err error) {
	body, ok, err = e.Encode(n)
	if err != nil {
		err = &encodeError{err}
	}
	return body, ok, err
}

// Remember takes notifications that could not be written: they are sent from memory, and written once that is possible.
func (d *Deliverer) Remember(now int64, ns []alert.Notification) {
	d.mu.Lock()
	defer d.Wake()
	defer d.mu.Unlock()
	p := d.plan.Load()
	if p == nil {
		return
	}
	if d.queues == nil {
		if err := d.loadQueues(); err != nil {
			d.logger.Error("outbox cannot be read; what is sent from memory may overtake it", "err", err)
			d.queues = map[laneID]*queue{}
		}
	}
	for i := range ns {
		for _, e := range p.receivers[ns[i].Receiver] {
			if err := d.remember(e, now, &ns[i]); err != nil {
				d.logger.Error("notification cannot be encoded and is dropped", "endpoint", e.Name, "group", ns[i].GroupKey, "err", err)
			}
		}
	}
	d.metrics.memory.Set(float64(d.inMemory))
}

func (d *Deliverer) remember(e *Endpoint, now int64, n *alert.Notification) error {
	news, ok := *n, true
	if !e.SendResolved {
		news, ok = n.OnlyFiring()
	}
	if !ok {
		return nil
	}
	id := laneOf(e.Name, n.GroupKey)
	q := d.queues[id]
	if q == nil {
		q = &queue{id: id, index: -1, endpoint: e.Name, group: n.GroupKey}
		d.queues[id] = q
	}
	// The last of several is not on its way and takes up what is new, as on disk.
	last := len(q.memory) - 1
	merge := last > 0 || last == 0 && q.stored > 0
	if merge {
		news = q.memory[last].Notification.Merge(&news)
	}
	body, ok, err := e.encode(&news)
	if err != nil || !ok {
		return err
	}
	m := &Delivery{Endpoint: e.Name, GroupKey: n.GroupKey, Notification: news, Body: body, Created: now}
	m.ID = newID(m, uint64(d.inMemory))
	if merge {
		m.ID = q.memory[last].ID
		q.memory[last] = m
	} else {
		q.memory = append(q.memory, m)
		d.inMemory++
	}
	d.touch(id)
	return nil
}

// Flush writes what is in memory only. It fails as long as that is not possible.
func (d *Deliverer) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inMemory == 0 {
		return nil
	}
	var saved []*queue
	keys := map[*Delivery][]byte{}
	err := d.update(func(tx *bbolt.Tx) error {
		for _, q := range d.queues {
			for _, m := range q.memory {
				c := *m
				if err := insert(tx.Bucket(bucketDeliveries), q.id, &c); err != nil {
					return err
				}
				keys[m] = c.key
			}
			if len(q.memory) > 0 {
				saved = append(saved, q)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for m, k := range keys {
		m.key = k
	}
	for _, q := range saved {
		q.memory = nil
		d.touch(q.id)
	}
	d.inMemory = 0
	d.metrics.memory.Set(0)
	return nil
}
