package outbox

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// keepExpired is how long a silence that is over is still listed, in milliseconds: five days, as in Alertmanager.
const keepExpired = 5 * 24 * 60 * 60 * 1000

// ErrNoSuchSilence says that an id names none.
var ErrNoSuchSilence = errors.New("no such silence")

// PutSilence keeps a silence, and forgets those that have been over for days.
func PutSilence(tx *bbolt.Tx, s *alert.Silence, now int64, damaged Damaged) error {
	b := tx.Bucket(bucketSilences)
	all, err := Silences(tx, damaged)
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].EndsAt < now-keepExpired {
			if err := b.Delete([]byte(all[i].ID)); err != nil {
				return err
			}
		}
	}
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
