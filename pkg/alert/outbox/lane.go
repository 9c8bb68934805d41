package outbox

import (
	"container/heap"
	"encoding/binary"
	"math"

	"go.etcd.io/bbolt"
)

// queue is what waits for one endpoint and group. What it holds lies on disk; this is what a round has to know of it.
type queue struct {
	id              laneID
	endpoint, group string
	stored          int         // deliveries on disk
	bytes           int64       // of them
	memory          []*Delivery // that could not be written, behind those
	unsaved         *Delivery   // the first on disk, when the outcome of its last attempt could not be written
	due             int64       // when the first may be sent
	created         int64       // of the first
	order           uint64      // of the first: its sequence
	first           string      // its id
	tried           bool        // the first was, and its endpoint was at fault
	lastTry         int64       // of the first
	seen            int         // failures of the endpoint when this became the first
	counted         int         // deliveries, as its endpoint knows
	busy            bool        // an attempt is on its way
	index           int         // in the heap of its endpoint, -1 when in none
}

func (q *queue) empty() bool { return q.stored == 0 && len(q.memory) == 0 }

// is takes up what the first delivery says.
func (q *queue) is(first *Delivery) {
	q.endpoint, q.group, q.due, q.created = first.Endpoint, first.GroupKey, first.NextTry, first.Created
	q.first = first.ID
	q.tried, q.lastTry = first.Attempts > 0 && first.Refusals == 0, first.LastTry
}

// hurry makes a queue due that waited only because its endpoint did not work. All that is due then is due alike, so that
// the oldest are sent first.
func (q *queue) hurry(worked int64) {
	if q.due < worked || q.tried && q.lastTry <= worked {
		q.due = worked
	}
}

// schedule is a heap of queues, the one that is due first on top, the oldest of those.
type schedule []*queue

func (s schedule) Len() int { return len(s) }
func (s schedule) Less(i, j int) bool {
	if s[i].due != s[j].due {
		return s[i].due < s[j].due
	}
	return s[i].order < s[j].order
}

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *schedule) Push(x any) {
	q := x.(*queue)
	q.index = len(*s)
	*s = append(*s, q)
}

func (s *schedule) Pop() any {
	old := *s
	q := old[len(old)-1]
	q.index = -1
	*s = old[:len(old)-1]
	return q
}

func (s *schedule) init() { heap.Init(s) }

func (s *schedule) put(q *queue) {
	if q.index >= 0 {
		heap.Fix(s, q.index)
	} else {
		heap.Push(s, q)
	}
}

func (s *schedule) remove(q *queue) {
	if q.index >= 0 {
		heap.Remove(s, q.index)
	}
}

// read looks up what is stored of a queue.
func (d *Deliverer) read(tx *bbolt.Tx, q *queue) {
	b := tx.Bucket(bucketDeliveries)
	before := q.bytes
	q.stored, q.bytes, q.created, q.first = 0, 0, 0, ""
	for _, k := range lane(tx, q.id, d.isOver) {
		record := b.Get(k)
		q.bytes += int64(len(record))
		if q.created == 0 {
			var head Delivery
			if err := get(record, &head); err != nil {
				d.Damaged("deliveries", k, err)
				continue
			}
			if q.unsaved != nil && string(q.unsaved.key) == string(k) {
				head = *q.unsaved
			}
			q.is(&head)
			q.order = binary.BigEndian.Uint64(k[len(laneID{}):])
		}
		q.stored++
	}
	if q.stored == 0 && len(q.memory) > 0 {
		q.is(q.memory[0])
		q.order = math.MaxUint64
	}
	d.bytes.Add(q.bytes - before)
}

// first returns the delivery of a queue that is to be sent next, nil when there is none.
func (d *Deliverer) first(q *queue) (out *Delivery, err error) {
	if q.unsaved != nil {
		return q.unsaved, nil
	}
	err = d.db.View(func(tx *bbolt.Tx) error {
		for _, k := range lane(tx, q.id, d.isOver) {
			p := &Delivery{}
			if err := get(tx.Bucket(bucketDeliveries).Get(k), p); err != nil {
				d.Damaged("deliveries", k, err)
				continue
			}
			p.key = k
			out = p
			return nil
		}
		return nil
	})
	if out == nil && len(q.memory) > 0 {
		out = q.memory[0]
	}
	return out, err
}
