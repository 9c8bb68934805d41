package state

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

var unlearnedBucket = []byte("unlearned")

// Unlearned is a window [From, To) that nothing is to be learnt from. Times are unix milliseconds.
type Unlearned struct {
	ID      string `json:"id"`
	From    int64  `json:"from"`
	To      int64  `json:"to"`
	Match   string `json:"match,omitempty"` // selector of the series it is about; all when empty
	Reason  string `json:"reason,omitempty"`
	Created int64  `json:"created"`
	Tick    int64  `json:"tick"` // last one that was judged without it; 0 when there was none
}

// PutUnlearned stores a window, replacing the one of the same id.
func PutUnlearned(tx *bbolt.Tx, u *Unlearned) error {
	b, err := tx.CreateBucketIfNotExists(unlearnedBucket)
	if err != nil {
		return err
	}
	v, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("encode window: %w", err)
	}
	return b.Put([]byte(u.ID), v)
}

// DropUnlearned undoes a window.
func DropUnlearned(tx *bbolt.Tx, id string) error {
	b := tx.Bucket(unlearnedBucket)
	if b == nil {
		return nil
	}
	return b.Delete([]byte(id))
}

// AllUnlearned returns all windows, in the order of their ids. One that cannot be read is passed over and told.
func AllUnlearned(tx *bbolt.Tx, damaged func(id string, err error)) ([]Unlearned, error) {
	b := tx.Bucket(unlearnedBucket)
	if b == nil {
		return nil, nil
	}
	var all []Unlearned
	err := b.ForEach(func(k, v []byte) error {
		var u Unlearned
		if err := json.Unmarshal(v, &u); err != nil || u.ID != string(k) {
			damaged(string(k), err)
			return nil
		}
		all = append(all, u)
		return nil
	})
	return all, err
}
