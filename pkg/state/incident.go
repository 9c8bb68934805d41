package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"go.etcd.io/bbolt"
)

var incidentsBucket = []byte("incidents")

// Incident is what is kept of one: when it began (unix milliseconds), and the rest as its owner wrote it.
type Incident struct {
	ID    string
	Start int64
	Text  []byte
}

// PutIncident stores an incident, replacing the one of the same id.
func PutIncident(tx *bbolt.Tx, in *Incident) error {
	b, err := tx.CreateBucketIfNotExists(incidentsBucket)
	if err != nil {
		return err
	}
	return b.Put([]byte(in.ID), append(binary.BigEndian.AppendUint64(nil, uint64(in.Start)), in.Text...))
}

// EachIncident gives those that began before the instant, the newest first, until f wants no more. Only begins are read of what it does
// not come to. The text is valid until f returns.
func EachIncident(tx *bbolt.Tx, before int64, f func(in *Incident) (more bool)) error {
	b := tx.Bucket(incidentsBucket)
	if b == nil {
		return nil
	}
	var all []Incident
	err := b.ForEach(func(k, v []byte) error {
		if len(v) < 8 {
			return nil
		}
		if start := int64(binary.BigEndian.Uint64(v)); start < before {
			all = append(all, Incident{string(k), start, v[8:]})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Incident) int { return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(a.ID, b.ID)) })
	for i := range all {
		if !f(&all[i]) {
			break
		}
	}
	return err
}

// FindIncident returns the one of an id; nil when there is none.
func FindIncident(tx *bbolt.Tx, id string) *Incident {
	b := tx.Bucket(incidentsBucket)
	if b == nil {
		return nil
	}
	v := b.Get([]byte(id))
	if len(v) < 8 {
		return nil
	}
	return &Incident{id, int64(binary.BigEndian.Uint64(v)), slices.Clone(v[8:])}
}

// DropIncidents forgets those that began before the instant, and all but the newest keep.
func DropIncidents(tx *bbolt.Tx, before int64, keep int) error {
	var old []string
	n := 0
	err := EachIncident(tx, math.MaxInt64, func(in *Incident) bool {
		if in.Start < before || n >= keep {
			old = append(old, in.ID)
		}
		n++
		return true
	})
	for _, id := range old {
		err = errors.Join(err, tx.Bucket(incidentsBucket).Delete([]byte(id)))
	}
	return err
}
