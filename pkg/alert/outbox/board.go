package outbox

import (
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// PutBoard keeps episodes that Alertmanagers are to be told of, as they are now.
func PutBoard(tx *bbolt.Tx, es []alert.Episode) error {
	for i := range es {
		if err := put(tx.Bucket(bucketBoard), []byte(es[i].Key()), &es[i]); err != nil {
			return err
		}
	}
	return nil
}

// DropBoard forgets episodes that every Alertmanager knows to be over.
func DropBoard(tx *bbolt.Tx, es []alert.Episode) error {
	for i := range es {
		if err := tx.Bucket(bucketBoard).Delete([]byte(es[i].Key())); err != nil {
			return err
		}
	}
	return nil
}

// LoadBoard reads what PutBoard stored.
func LoadBoard(tx *bbolt.Tx, damaged Damaged) (es []alert.Episode, err error) {
	err = each(tx.Bucket(bucketBoard), "board", damaged, func(_ []byte, e *alert.Episode) error {
		es = append(es, *e)
		return nil
	})
	return es, err
}

// Bury keeps a body that nobody takes as a dead letter of an endpoint, in a transaction of its own.
func (d *Deliverer) Bury(p Delivery, why string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.Created = d.now().UnixMilli()
	err := d.update(func(tx *bbolt.Tx) error { return bury(tx, &p, p.Created, why) })
	if err == nil {
		d.buried(&p, why)
	}
	return err
}
