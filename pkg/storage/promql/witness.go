package promql

import (
	"context"
	"sync"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// witness is a storage that remembers which samples a query read: the evidence for the freshness rule.
type witness struct {
	storage.Queryable
	mu         sync.Mutex
	selections []*selection
}

// selection is what one selector of the query read.
type selection struct {
	end      int64 // newest instant it may read, offset included
	matchers []*labels.Matcher
	series   []*inputs
}

// inputs are the times of the samples of one series, in order.
type inputs struct {
	labels labels.Labels
	times  []mark
}

// mark is a time in milliseconds, doubled, plus one for a staleness marker.
type mark int64

func (m mark) t() int64    { return int64(m >> 1) }
func (m mark) stale() bool { return m&1 == 1 }

func (w *witness) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := w.Queryable.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	return &witnessQuerier{q, w}, nil
}

type witnessQuerier struct {
	storage.Querier
	witness *witness
}

func (q *witnessQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	s := &selection{matchers: ms}
	if hints != nil {
		s.end = hints.End
	}
	q.witness.mu.Lock()
	q.witness.selections = append(q.witness.selections, s)
	q.witness.mu.Unlock()
	return &witnessSet{q.Querier.Select(ctx, sorted, hints, ms...), s}
}

type witnessSet struct {
	storage.SeriesSet
	selection *selection
}

func (s *witnessSet) At() storage.Series {
	inner := s.SeriesSet.At()
	in := &inputs{labels: inner.Labels(), times: make([]mark, 0, 24)}
	s.selection.series = append(s.selection.series, in)
	return &witnessSeries{inner, in}
}

type witnessSeries struct {
	storage.Series
	inputs *inputs
}

func (s *witnessSeries) Iterator(reuse chunkenc.Iterator) chunkenc.Iterator {
	it, ok := reuse.(*witnessIterator)
	if !ok {
		it = &witnessIterator{Iterator: reuse}
	}
	it.Iterator = s.Series.Iterator(it.Iterator)
	it.inputs = s.inputs
	s.inputs.times = s.inputs.times[:0]
	return it
}

type witnessIterator struct {
	chunkenc.Iterator
	inputs    *inputs
	histogram *histogram.FloatHistogram
}

func (it *witnessIterator) Next() chunkenc.ValueType { return it.note(it.Iterator.Next()) }

//nolint:govet // the method of Prometheus' iterators, not that of io.Seeker
func (it *witnessIterator) Seek(t int64) chunkenc.ValueType { return it.note(it.Iterator.Seek(t)) }

func (it *witnessIterator) note(vt chunkenc.ValueType) chunkenc.ValueType {
	var m mark
	switch vt {
	case chunkenc.ValNone:
		return vt
	case chunkenc.ValFloat:
		t, v := it.At()
		m = mark(t << 1)
		if value.IsStaleNaN(v) {
			m |= 1
		}
	default:
		var t int64
		t, it.histogram = it.AtFloatHistogram(it.histogram)
		m = mark(t << 1)
		if value.IsStaleNaN(it.histogram.Sum) {
			m |= 1
		}
	}
	// Seek may stay where it is.
	if n := len(it.inputs.times); n == 0 || m.t() > it.inputs.times[n-1].t() {
		it.inputs.times = append(it.inputs.times, m)
	}
	return vt
}
