package tsdb

import (
	"context"
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
)

// Read returns the samples in [from, to] of the series with exactly these labels, in the order of time, without
// staleness markers.
func Read(ctx context.Context, store storage.Queryable, from, to int64, ls labels.Labels) (out []Sample, err error) {
	q, err := store.Querier(from, to)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ls, err)
	}
	defer q.Close()
	var ms []*labels.Matcher
	ls.Range(func(l labels.Label) { ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value)) })
	set := q.Select(ctx, false, nil, ms...)
	for set.Next() {
		s := set.At()
		if !labels.Equal(s.Labels(), ls) {
			continue
		}
		it := s.Iterator(nil)
		for vt := it.Next(); vt != 0; vt = it.Next() {
			if t, v := it.At(); t >= from && t <= to && !value.IsStaleNaN(v) {
				out = append(out, Sample{t, v})
			}
		}
		if err := it.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", ls, err)
		}
	}
	if err := set.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", ls, err)
	}
	return out, nil
}
