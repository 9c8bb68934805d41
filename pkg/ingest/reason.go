package ingest

import (
	"errors"

	"github.com/prometheus/prometheus/storage"
)

// Reason says why a sample was refused. It is the value of a metric label.
type Reason string

// The reasons. The first eight are the guard's, the others the store's.
const (
	TooFarInFuture Reason = "too_far_in_future" // later than now and the allowance: a wrong clock at the source
	TooFarInPast   Reason = "too_far_in_past"   // before the floor: a clock that was never set
	SeriesLimit    Reason = "series_limit"      // a series nobody knows yet, while there are as many as may be
	MemoryLimit    Reason = "memory_limit"      // a series nobody knows yet, while memory is nearly used up
	LabelLimit     Reason = "label_limit"       // more labels than a series may have
	LabelTooLong   Reason = "label_too_long"    // a label's name or value is longer than it may be
	BadLabels      Reason = "bad_labels"        // no metric name, a name twice, text that is not UTF-8
	NotNewer       Reason = "not_newer"         // an increment (OTLP's delta) that is not newer than the last of its stream
	OutOfBounds    Reason = "out_of_bounds"     // older than the store takes in order
	TooOld         Reason = "too_old"           // older than the store takes out of order
	OutOfOrder     Reason = "out_of_order"      // older than the newest of its series
	Duplicate      Reason = "duplicate"         // another value at a time that has one
	Invalid        Reason = "invalid"           // anything else: labels, a broken histogram, a store that is closed
)

// reasons lists them all, so that every counter exists from the start.
var reasons = [...]Reason{
	TooFarInFuture, TooFarInPast, SeriesLimit, MemoryLimit, LabelLimit, LabelTooLong, BadLabels, NotNewer, OutOfBounds, TooOld, OutOfOrder, Duplicate, Invalid,
}

// RefusedError is the error of a sample that the guard does not let in. To scraping and everybody else who knows the errors
// of Prometheus' storages it is a sample out of bounds: the fault of the sample, not of those around it.
type RefusedError struct {
	Reason Reason
	Detail string // what is wrong and what would change it
}

// Error implements error.
func (r *RefusedError) Error() string { return r.Detail }

// Is makes a refusal what callers of a storage know.
func (r *RefusedError) Is(target error) bool { return target == storage.ErrOutOfBounds }

// ReasonOf names the store's reason for an error of its appender, or "" when the sample was written: err is nil or is
// only about what came along with it (exemplars).
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if r, ok := errors.AsType[*RefusedError](err); ok {
		return r.Reason
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
