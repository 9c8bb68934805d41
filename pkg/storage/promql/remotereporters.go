package promql

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// count tells every point how many exporters stand behind it, as reporters does: per selector, those whose newest sample is at
// most one and a half intervals old. The server counts them, by the labels that results have; where those are rewritten on the
// way, or nothing fits, every result is taken to stand on all. A selector behind whose results there is one exporter each is
// asked about again after twice the time, at last once an hour.
func (q *remoteQuery) count(ctx context.Context, r *Remote, lookback time.Duration, results []Result, from, to, step int64) error {
	if len(results) == 0 {
		return nil
	}
	q.mtx.Lock()
	defer q.mtx.Unlock()
	names := resultNames(results)
	byKey := make(map[string]int, len(results))
	for i := range results {
		byKey[keyOf(results[i].Labels.Get, names)] = i
	}
	var leaves []*requirement
	q.need.eachLeaf(func(leaf *requirement) { leaves = append(leaves, leaf) })
	for _, leaf := range leaves {
		s := q.selectors[leaf.selector]
		s.whole = s.whole || len(leaf.kin) > 0
		counts, err := s.exporters(ctx, r, lookback, names, byKey, from, to, step)
		if err != nil {
			return err
		}
		for i := range results {
			for k := range results[i].Points {
				p := &results[i].Points[k]
				n := counts(i, p.T)
				p.Reporters = uint16(min(int(p.Reporters)+n, math.MaxUint16))
			}
		}
	}
	return nil
}

// exporters asks how many stand behind each result at each tick.
func (s *remoteSelector) exporters(ctx context.Context, r *Remote, lookback time.Duration, names []string, byKey map[string]int, from, to, step int64) (func(result int, t int64) int, error) {
	if from >= s.countedAt && to-s.countedAt < s.pause {
		return func(int, int64) int { return 1 }, nil
	}
	if s.whole {
		names = nil
	}
	m, err := r.matrix(ctx, s.countText(names), lookback, from, to, step)
	if err != nil {
		return nil, err
	}
	counts := map[int]map[int64]int{} // by result; everyResult for all
	most := 0
	for _, one := range m {
		at := everyResult
		if !s.whole {
			i, ok := byKey[keyOf(fromModel(one.Metric).Get, names)]
			if !ok {
				continue
			}
			at = i
		}
		ticks := make(map[int64]int, len(one.Values))
		for _, v := range one.Values {
			ticks[int64(v.Timestamp)] = int(v.Value)
			most = max(most, int(v.Value))
		}
		counts[at] = ticks
	}
	if len(counts) == 0 && len(m) > 0 { // what results are called by is not what inputs are called by
		s.whole = true
		return s.exporters(ctx, r, lookback, nil, byKey, from, to, step)
	}
	s.countedAt = to
	if s.pause = 2 * max(s.pause, step/2); most != 1 {
		s.pause = 0
	}
	s.pause = min(s.pause, time.Hour.Milliseconds())
	return func(result int, t int64) int {
		if s.whole {
			result = everyResult
		}
		return counts[result][t]
	}, nil
}

// countText is the query for the number of exporters by those labels. An exporter is a job and an instance; where a series has
// no instance, itself.
func (s *remoteSelector) countText(names []string) string {
	names = slices.Clone(names)
	for i, n := range names {
		if !model.LegacyValidation.IsValidLabelName(n) {
			names[i] = strconv.Quote(n)
		}
	}
	by := strings.Join(names, ",")
	fresh := func(matcher string) string {
		text := strings.TrimSuffix(s.bare, "}") + "," + matcher + "}"
		if s.offset != 0 {
			text += " offset " + promDuration(s.offset)
		}
		return fmt.Sprintf("timestamp(%s) >= time() - %g", text, float64(s.offset.Milliseconds()+s.interval*3/2)/1000)
	}
	exporters := strings.Join(append(names, "job", "instance"), ",")
	return fmt.Sprintf("count by (%s) (max by (%s) (%s) or (%s))", by, exporters, fresh(`instance!=""`), fresh(`instance=""`))
}
