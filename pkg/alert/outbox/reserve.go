package outbox

import (
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	// reserveBytes is enough for thousands of notifications.
	reserveBytes = 4 << 20
	// probeBytes is what a probe of the disk writes: a block.
	probeBytes = 4 << 10
)

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

// probe tries to write a little, so that a full disk is noticed before an alert has to be written.
func (r *Reserve) probe() error {
	if r == nil {
		return nil
	}
	path := r.Path + ".probe" // a new file each time: an old one has its space already
	err := os.WriteFile(path, make([]byte, probeBytes), 0o600)
	_ = os.Remove(path) // what cannot be removed is overwritten by the next one
	return err
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
		d.noteDisk(&d.writing, nil)
	case isStorage(err):
		d.noteDisk(&d.writing, err)
		d.metrics.writeErrors.Inc()
	}
}

// Probe looks whether the disk takes anything, without waiting for something to write.
func (d *Deliverer) Probe() {
	err := d.reserve.probe()
	if was := d.Unwritable(); err != nil && was == nil {
		d.logger.Error("the disk takes nothing: alerts will be sent from memory", "err", err)
	} else if err == nil && was != nil && d.writing.Load() == nil {
		d.logger.Info("the disk takes writes again")
	}
	d.noteDisk(&d.probing, err)
}

// Unwritable says why alerts cannot be stored at the moment, nil when they can.
func (d *Deliverer) Unwritable() error {
	for _, p := range [...]*atomic.Pointer[error]{&d.writing, &d.probing} {
		if err := p.Load(); err != nil {
			return *err
		}
	}
	return nil
}

func (d *Deliverer) noteDisk(which *atomic.Pointer[error], err error) {
	if err == nil {
		which.Store(nil)
	} else {
		which.Store(&err)
	}
	unwritable := 0.0
	if d.Unwritable() != nil {
		unwritable = 1
	}
	d.metrics.unwritable.Set(unwritable)
}

// isStorage tells a disk that does not take anything from a decision not to write.
func isStorage(err error) bool {
	var refused *encodeError
	return !errors.Is(err, ErrNoSuchLetter) && !errors.Is(err, ErrSuperseded) && !errors.As(err, &refused)
}
