package state

import (
	"cmp"
	"encoding/binary"
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

// Incidents returns all of them, the newest first.
func Incidents(tx *bbolt.Tx) (all []Incident, err error) {
	b := tx.Bucket(incidentsBucket)
	if b == nil {
		return nil, nil
	}
	err = b.ForEach(func(k, v []byte) error {
		if len(v) >= 8 {
			all = append(all, Incident{string(k), int64(binary.BigEndian.Uint64(v)), slices.Clone(v[8:])})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Incident) int { return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(a.ID, b.ID)) })
	return all, err
}

// DropIncidents forgets those that began before the instant, and all but the newest keep.
func DropIncidents(tx *bbolt.Tx, before int64, keep int) error {
	all, err := Incidents(tx)
	if err != nil {
		return err
	}
	for i, in := range all {
		if in.Start < before || i >= keep {
			if err := tx.Bucket(incidentsBucket).Delete([]byte(in.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}
