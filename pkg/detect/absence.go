package detect

import (
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// DefaultAbsentFor is how long a whole signal may be silent before that is an alert.
const DefaultAbsentFor = 10 * time.Minute

// settled is how long something must have lived before its silence means anything.
const settled = time.Hour

// Absence notices that a series, or a whole signal, went silent. The zero value has seen nothing.
type Absence struct {
	First   int64 // first observed point, unix milliseconds
	Last    int64 // last one
	Silent  int64 // milliseconds of silence that the source is to blame for
	Stepped int64 // last step
	Firing  bool
	StartAt int64
}

// Step takes the next tick. Silence counts only while its reason speaks of the source: what we missed ourselves, a
// value that is not a number or a ratio of nothing says nothing about it. Ticks come every interval; what lies between
// two that are further apart was our own downtime.
func (a *Absence) Step(after, interval time.Duration, t int64, missing series.Missing) (Event, bool) {
	after = patience(after, interval)
	elapsed := min(t-a.Stepped, interval.Milliseconds())
	a.Stepped = t
	switch {
	case missing == series.Observed:
		if a.First == 0 {
			a.First = t
		}
		a.Last, a.Silent = t, 0
		return a.end(t)
	case !missing.SourceGone():
		if missing == series.NotANumber || missing == series.ZeroDenominator {
			a.Last, a.Silent = t, 0 // it lives
			return a.end(t)
		}
		return Event{}, false
	case a.First == 0 || a.Firing:
		return Event{}, false
	}
	a.Silent += elapsed
	if a.Silent < after.Milliseconds() || a.Last-a.First < settled.Milliseconds() {
		return Event{}, false
	}
	a.Firing, a.StartAt = true, t-a.Silent
	return Event{Kind: Begin, StartsAt: a.StartAt}, true
}

// After is what is known once a past that others watched is filled in up to a later instant: nobody was told of its silences,
// and what was told of here fires until the next step.
func (a Absence) After(past Absence) Absence {
	past.Silent, past.Firing, past.StartAt = 0, a.Firing, a.StartAt
	return past
}

// patience is how long silence has to last: where points are far apart, one that does not come is not enough.
func patience(after, interval time.Duration) time.Duration { return max(after, interval*3/2) }

func (a *Absence) end(t int64) (Event, bool) {
	if !a.Firing {
		return Event{}, false
	}
	a.Firing = false
	return Event{Kind: End, StartsAt: a.StartAt, EndsAt: t}, true
}
