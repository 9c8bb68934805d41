package promql

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/baseliner/baseliner/pkg/series"
)

// intervalOver is the stretch of samples that shows how far apart they come.
const intervalOver = 30 * time.Minute

// remoteQuery is an expression with what is known of its selectors. A server does not tell which samples stand behind a
// value, so it is asked for the time of the newest sample of every selector, at every tick: a value repeated or
// extrapolated after its source fell silent is missing, as with the embedded engine. Which of several series has stopped while
// others go on is seen by their number alone.
type remoteQuery struct {
	need   requirement
	offset time.Duration
	other  time.Duration // interval where nothing is seen

	mtx       sync.Mutex
	selectors []*remoteSelector // in the order of the requirement's leaves
	verdicts  map[int64]series.Missing
}

type remoteSelector struct {
	text   string // with its offset
	bare   string // without
	offset time.Duration

	interval   int64 // milliseconds between samples; asked for once an hour
	intervalAt int64
	bornAt     int64           // the first tick with data; 0: none yet
	asked      bool            // whether there was any before the first tick
	newest     map[int64]int64 // tick → time of the newest sample, of the span at hand
	silent     bool            // at the last tick
	whole      bool            // its exporters stand behind every result alike
	countedAt  int64           // the tick at which they were asked for
	pause      int64           // milliseconds after it in which one exporter is taken to stand behind each result
	run        int64           // since when there is no hole, as far as ticks show; 0: longer than we look
}

func newRemoteQuery(ast parser.Expr, interval time.Duration) *remoteQuery {
	q := &remoteQuery{need: requirements(ast), offset: longestOffset(ast), other: interval, verdicts: map[int64]series.Missing{}}
	parser.Inspect(ast, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		offset := s.OriginalOffset
		for _, p := range path {
			if sub, ok := p.(*parser.SubqueryExpr); ok {
				offset += sub.OriginalOffset
			}
		}
		one := &remoteSelector{bare: selectorText(s), offset: offset}
		one.text = one.bare
		if offset != 0 {
			one.text += " offset " + offset.String()
		}
		q.selectors = append(q.selectors, one)
		return nil
	})
	return q
}

func selectorText(s *parser.VectorSelector) string {
	matchers := make([]string, len(s.LabelMatchers))
	for i, m := range s.LabelMatchers {
		if matchers[i] = m.String(); m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			matchers[i] = fmt.Sprintf("__name__=%q", m.Value)
		}
	}
	return "{" + strings.Join(matchers, ",") + "}"
}

// keptVerdicts is for how many ticks it is remembered what was found.
const keptVerdicts = 20_000

// judge fetches the evidence for a span of ticks and says of each whether its values count. Spans come in the order of
// time; a tick that comes again, for another signal, is not judged again.
func (q *remoteQuery) judge(ctx context.Context, r *Remote, lookback time.Duration, from, to, step int64) (func(t int64) series.Missing, error) {
	q.mtx.Lock()
	defer q.mtx.Unlock()
	for _, s := range q.selectors {
		m, err := r.matrix(ctx, "max(timestamp("+s.text+"))", lookback, from, to, step)
		if err != nil {
			return nil, err
		}
		s.newest = make(map[int64]int64, (to-from)/step+1)
		for _, one := range m {
			for _, v := range one.Values {
				s.newest[int64(v.Timestamp)] = int64(math.Round(float64(v.Value) * 1000))
			}
		}
		if err := s.learn(ctx, r, q.other, from, to); err != nil {
			return nil, err
		}
	}
	if len(q.verdicts) > keptVerdicts {
		clear(q.verdicts)
	}
	span := make(map[int64]series.Missing, (to-from)/step+1)
	for t := from; t <= to; t += step {
		verdict, known := q.verdicts[t]
		if !known {
			for _, s := range q.selectors {
				s.advance(t)
			}
			verdict = q.check(q.need, t)
			q.verdicts[t] = verdict
		}
		span[t] = verdict
	}
	return func(t int64) series.Missing { return span[t] }, nil
}

// learn asks how far apart samples come and, once, whether there were any before.
func (s *remoteSelector) learn(ctx context.Context, r *Remote, other time.Duration, from, to int64) error {
	if s.interval == 0 || to-s.intervalAt >= time.Hour.Milliseconds() || to < s.intervalAt {
		n, err := r.number(ctx, fmt.Sprintf("max(count_over_time(%s[%s]%s))", s.bare, promDuration(intervalOver), offsetText(s.offset)), to)
		if err != nil {
			return err
		}
		s.interval, s.intervalAt = other.Milliseconds(), to
		if n >= 3 {
			s.interval = int64(float64(intervalOver.Milliseconds()) / n)
		}
	}
	if !s.asked {
		n, err := r.number(ctx, fmt.Sprintf("max(count_over_time(%s[%s]%s))", s.bare, promDuration(time.Duration(bornWithin)*time.Millisecond), offsetText(s.offset)), from)
		if err != nil {
			return err
		}
		if s.asked = true; n > 0 {
			s.bornAt = from - bornWithin
		}
	}
	return nil
}

func offsetText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return " offset " + promDuration(d)
}

// promDuration writes a duration as PromQL reads it.
func promDuration(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

func (q *remoteQuery) check(need requirement, t int64) series.Missing {
	switch need.kind {
	case nothing:
	case leaf:
		return q.selectors[need.selector].check(t, need.window)
	case all:
		for _, r := range need.of {
			if m := q.check(r, t); m != series.Observed {
				return m
			}
		}
	case either: // a side that never had data is no reason to doubt the other
		verdict := series.Observed
		for _, r := range need.of {
			if r.kind == nothing || !q.born(r, t) {
				continue
			}
			if verdict = q.check(r, t); verdict == series.Observed {
				break
			}
		}
		return verdict
	}
	return series.Observed
}

func (q *remoteQuery) born(need requirement, t int64) bool {
	if need.kind != leaf {
		for _, r := range need.of {
			if q.born(r, t) {
				return true
			}
		}
		return false
	}
	s := q.selectors[need.selector]
	return s.bornAt != 0 && s.bornAt <= t
}

// advance takes note of a tick.
func (s *remoteSelector) advance(t int64) {
	at, ok := s.newest[t]
	fresh := ok && t-s.offset.Milliseconds()-at <= 2*s.interval
	if ok && s.bornAt == 0 {
		s.bornAt, s.silent = t, true // until now
	}
	if fresh && s.silent {
		s.run = at
	}
	s.silent = !fresh
}

func (s *remoteSelector) check(t, window int64) series.Missing {
	at, ok := s.newest[t]
	switch {
	case !ok || t-s.offset.Milliseconds()-at > 2*s.interval:
		return series.Stale
	case window > 0 && s.run > t-s.offset.Milliseconds()-window+s.interval*11/10:
		return series.Gap
	}
	return series.Observed
}
