package outbox

import (
	"errors"
	"log/slog"
	"os"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// reserveBytes is enough for thousands of notifications.
const reserveBytes = 4 << 20

// Reserve is space on disk that is given back when the disk is full, so that alerts still find some. A nil one does
// nothing.
type Reserve struct{ Path string }

// restore takes the space again once the disk has room.
func (r *Reserve) restore(logger *slog.Logger) {
	if r == nil {
		return
	}
	if st, err := os.Stat(r.Path); err == nil && st.Size() == reserveBytes {
		return
	}
	err := os.WriteFile(r.Path, make([]byte, reserveBytes), 0o600) // written, not only sized: the blocks have to be ours
	if err != nil {
		_ = os.Remove(r.Path) // half a reserve is in the way of others; it is tried again
		logger.Debug("reserve of the outbox could not be taken; it is tried again", "err", err)
	}
}

// release gives the space back, and says whether there was any.
func (r *Reserve) release() bool { return r != nil && os.Remove(r.Path) == nil }

// full says whether an error is one of space.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, berrors.ErrMaxSizeReached)
}

// Write runs f in a transaction of the store. On a full disk the reserve is released and f runs again. Whether writing
// works is a metric.
func (d *Deliverer) Write(f func(tx *bbolt.Tx) error) error {
	err := d.db.Update(f)
	if err != nil && full(err) && d.reserve.release() {
		d.logger.Error("disk is full; the reserve of the outbox was released", "err", err)
		err = d.db.Update(f)
	}
	d.Stored(err)
	return err
}

// Stored takes up whether a transaction could be stored, its own or one of others in the same store.
func (d *Deliverer) Stored(err error) {
	switch {
	case err == nil:
		d.metrics.unwritable.Set(0)
	case isStorage(err):
		d.metrics.unwritable.Set(1)
		d.metrics.writeErrors.Inc()
	}
}

// isStorage tells a disk that does not take anything from a decision not to write.
func isStorage(err error) bool {
	var refused *encodeError
	return !errors.Is(err, ErrNoSuchLetter) && !errors.Is(err, ErrSuperseded) && !errors.As(err, &refused)
}
