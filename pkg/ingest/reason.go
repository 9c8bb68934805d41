package ingest

import (
	"errors"

	"github.com/prometheus/prometheus/storage"
)

// Reason says why a sample was refused. It is the value of a metric label.
type Reason string

// The reasons. The first two are the guard's, the others the store's.
const (
	TooFarInFuture Reason = "too_far_in_future" // later than now and the allowance: a wrong clock at the source
	TooFarInPast   Reason = "too_far_in_past"   // before the floor: a clock that was never set
	OutOfBounds    Reason = "out_of_bounds"     // older than the store takes in order
	TooOld         Reason = "too_old"           // older than the store takes out of order
	OutOfOrder     Reason = "out_of_order"      // older than the newest of its series
	Duplicate      Reason = "duplicate"         // another value at a time that has one
	Invalid        Reason = "invalid"           // anything else: labels, a broken histogram, a store that is closed
)

// reasons lists them all, so that every counter exists from the start.
var reasons = [...]Reason{TooFarInFuture, TooFarInPast, OutOfBounds, TooOld, OutOfOrder, Duplicate, Invalid}

// ReasonOf names the store's reason for an error of its appender, or "" when the sample was written: err is nil or is
// only about what came along with it (exemplars).
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	switch {
	case errors.Is(err, (*storage.AppendPartialError)(nil)):
		return ""
	case errors.Is(err, storage.ErrOutOfBounds):
		return OutOfBounds
	case errors.Is(err, storage.ErrTooOldSample):
		return TooOld
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return OutOfOrder
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return Duplicate
	default:
		return Invalid
	}
}
