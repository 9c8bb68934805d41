package outbox

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// KeepExpired is how long a silence that is over is still known, in milliseconds: five days, as in Alertmanager.
const KeepExpired = 5 * 24 * 60 * 60 * 1000

// foreignKey is the one record of the silences of others.
var foreignKey = []byte("all")

// ErrNoSuchSilence says that an id names none.
var ErrNoSuchSilence = errors.New("no such silence")

// PutSilence keeps a silence, known since now, and forgets those that have been over for days.
func PutSilence(tx *bbolt.Tx, s *alert.Silence, now int64, damaged Damaged) error {
	b := tx.Bucket(bucketSilences)
	all, err := Silences(tx, damaged)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].EndsAt < now-KeepExpired {
			if err := b.Delete([]byte(all[i].ID)); err != nil {
				return err
			}
		}
	}
	s.Since = now
	return put(b, []byte(s.ID), s)
}

// ExpireSilence ends a silence now.
func ExpireSilence(tx *bbolt.Tx, id string, now int64) error {
	b := tx.Bucket(bucketSilences)
	var s alert.Silence
	record := b.Get([]byte(id))
	if record == nil {
		return fmt.Errorf("%w: %s", ErrNoSuchSilence, id)
	}
	if err := get(record, &s); err != nil {
		return fmt.Errorf("read silence %s: %w", id, err)
	}
	s.EndsAt = min(s.EndsAt, now)
	s.StartsAt = min(s.StartsAt, s.EndsAt)
	return put(b, []byte(id), &s)
}

// Silences returns all that are kept, those that are over as well, by id.
func Silences(tx *bbolt.Tx, damaged Damaged) (out []alert.Silence, err error) {
	err = each(tx.Bucket(bucketSilences), "silences", damaged, func(_ []byte, s *alert.Silence) error {
		out = append(out, *s)
		return nil
	})
	return out, err
}

// SaveForeign keeps the silences of others, instead of those kept before.
func SaveForeign(tx *bbolt.Tx, ss []alert.Silence) error {
	b := tx.Bucket(bucketForeign)
	return put(b, foreignKey, ss)
}

// LoadForeign reads what SaveForeign stored.
func LoadForeign(tx *bbolt.Tx, damaged Damaged) (ss []alert.Silence, err error) {
	err = each(tx.Bucket(bucketForeign), "foreign silences", damaged, func(_ []byte, all *[]alert.Silence) error {
		ss = append(ss, *all...)
		return nil
	})
	return ss, err
}
