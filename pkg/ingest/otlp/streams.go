package otlp

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/baseliner/baseliner/pkg/ingest"
)

const (
	// remembered is how many streams are known by heart. All are in the store: more only cost reading them again.
	remembered = 100_000
	// lastSeenWithin is how far back the store is asked what a stream has come to.
	lastSeenWithin = 48 * time.Hour
)

// streams knows what increments have added up to. The sums are samples of the store, written in the same transaction as
// the points they came from, so that a restart, even by kill -9, goes on exactly where the stream was: a point that comes
// a second time is not newer than the last and is not counted twice.
type streams struct {
	store storage.Queryable

	mtx  sync.Mutex // held by the one request that adds
	last map[string]total
}

// total is the newest sum of a stream.
type total struct {
	t int64
	v float64
	h *histogram.FloatHistogram // nil: a number
}

// summing is an appender that adds what it is given to what its series have come to.
type summing struct {
	*appender
	guard   *ingest.Guard
	streams *streams
	pending map[string]total
	key     []byte
}

// begin waits for its turn. end must follow.
func (s *streams) begin(app *appender, guard *ingest.Guard) *summing {
	s.mtx.Lock()
	return &summing{appender: app, guard: guard, streams: s, pending: map[string]total{}}
}

func (s *summing) end() { s.streams.mtx.Unlock() }

// keep remembers the new sums once they are stored.
func (s *summing) keep() {
	if len(s.streams.last)+len(s.pending) > remembered {
		clear(s.streams.last)
	}
	maps.Copy(s.streams.last, s.pending)
}

// Append implements storage.AppenderV2.
func (s *summing) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	if value.IsStaleNaN(v) || h != nil && value.IsStaleNaN(h.Sum) || ls.Get("__name__") == "target_info" {
		return s.appender.Append(ref, ls, st, t, v, h, fh, opts)
	}
	s.key = ls.Bytes(s.key)
	before, known := s.pending[string(s.key)]
	if !known {
		before, known = s.streams.last[string(s.key)]
	}
	if !known {
		var err error
		if before, known, err = s.streams.read(ls, t); err != nil {
			return 0, err
		}
	}
	if known && t <= before.t {
		why := &ingest.RefusedError{Reason: ingest.NotNewer, Detail: fmt.Sprintf(
			"an increment up to %s is not newer than the last one of its stream", time.UnixMilli(t).UTC().Format(time.RFC3339Nano))}
		s.guard.Refuse(why, 1)
		s.refuse(ls, h != nil, opts, why)
		return 0, nil
	}
	if known {
		st = 0 // of the increment, not of the sum
	}
	sum := total{t: t, v: before.v + v}
	if h != nil {
		if err := h.Validate(); err != nil { // or adding it up would be anybody's guess
			s.guard.Refuse(&ingest.RefusedError{Reason: ingest.Invalid, Detail: err.Error()}, 1)
			s.refuse(ls, true, opts, err)
			return 0, nil
		}
		sum = total{t: t, h: h.ToFloat(nil)}
		if before.h != nil {
			// The sum is of the same kind even where the increment has another resolution.
			added, _, _, err := before.h.Copy().Add(sum.h)
			if err != nil {
				s.guard.Refuse(&ingest.RefusedError{Reason: ingest.Invalid, Detail: err.Error()}, 1)
				s.refuse(ls, true, opts, err)
				return 0, nil
			}
			sum.h = added
		}
		sum.h.CounterResetHint = histogram.UnknownCounterReset
		sum.h = sum.h.Compact(0)
		fh = sum.h.Copy()
	}
	if ref, ok := s.offer(ref, ls, st, t, sum.v, nil, fh, opts); ok {
		s.pending[string(s.key)] = sum
		return ref, nil
	}
	return 0, nil
}

// read asks the store what a series came to before now.
func (s *streams) read(ls labels.Labels, now int64) (out total, known bool, err error) {
	q, err := s.store.Querier(now-lastSeenWithin.Milliseconds(), math.MaxInt64)
	if err != nil {
		return out, false, fmt.Errorf("read what %s came to: %w", ls, err)
	}
	defer q.Close()
	matchers := make([]*labels.Matcher, 0, ls.Len())
	ls.Range(func(l labels.Label) {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
	})
	set := q.Select(context.Background(), false, nil, matchers...)
	for set.Next() {
		if !labels.Equal(set.At().Labels(), ls) {
			continue // it has more labels
		}
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind == chunkenc.ValFloat {
				if t, v := it.At(); !value.IsStaleNaN(v) {
					out, known = total{t: t, v: v}, true
				}
				continue
			}
			if t, h := it.AtFloatHistogram(nil); !value.IsStaleNaN(h.Sum) {
				out, known = total{t: t, h: h}, true
			}
		}
		if it.Err() != nil {
			return out, false, fmt.Errorf("read what %s came to: %w", ls, it.Err())
		}
	}
	return out, known, set.Err()
}
