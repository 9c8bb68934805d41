package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/baseliner/baseliner/pkg/series"
)

// How many ticks are evaluated by one range query: enough to pay for it, few enough to hold; of a server that is far away
// a day, at a minute, for which it holds the samples and we the values.
const (
	embeddedTicks = 120
	remoteTicks   = 1440

	embeddedPoints = 100_000 // with few series a span may be longer
)

// span is how many ticks are evaluated at once.
func (e *Evaluator) span(core *Core) int64 {
	if e.Remote != nil {
		return remoteTicks
	}
	return int64(min(max(embeddedPoints/max(core.Size(), 1), embeddedTicks), remoteTicks))
}

// EachTick evaluates the core's signals at every tick of [from, to] by range queries and hands the inputs to f, tick by
// tick: what Tick would have seen, at a fraction of the price. interval is that of ticks in milliseconds.
func (e *Evaluator) EachTick(ctx context.Context, core *Core, from, to, interval int64, f func(t int64, inputs []Input) error) error {
	from = (from + interval - 1) / interval * interval
	for spanTicks := e.span(core); from <= to; from, spanTicks = from+spanTicks*interval, e.span(core) {
		end := min(from+(spanTicks-1)*interval, to/interval*interval)
		observations, err := e.observe(ctx, core, from, end, interval, spanTicks) // by signal, then by tick
		if err != nil {
			return err
		}
		for k := int64(0); from+k*interval <= end; k++ {
			t := from + k*interval
			inputs := make([]Input, 0, len(core.signals))
			for i, s := range core.signals {
				if due(s, t) {
					inputs = append(inputs, Input{Signal: s, Observations: observations[i][k], Otherwise: series.NoData})
				}
			}
			if err := f(t, inputs); err != nil {
				return err
			}
		}
	}
	return nil
}

// observe evaluates every signal over a span, several at once.
func (e *Evaluator) observe(ctx context.Context, core *Core, from, to, interval, ticks int64) ([][][]Observation, error) {
	out := make([][][]Observation, len(core.signals))
	errs := make([]error, len(core.signals))
	one := func(i int) {
		s := core.signals[i]
		out[i] = make([][]Observation, ticks)
		if s.daily() {
			out[i], errs[i] = e.days(ctx, s, from, to, interval, ticks)
			return
		}
		step := s.Def.Interval.Milliseconds()
		first := (from + step - 1) / step * step
		if first > to {
			return
		}
		results, err := e.Span(ctx, first, to, s)
		if err != nil {
			errs[i] = fmt.Errorf("signal %s: %w", s.Def.Name, err)
			return
		}
		for _, r := range results {
			for _, p := range r.Points {
				k := (p.T - from) / interval
				out[i][k] = append(out[i][k], Observation{r.Labels, p})
			}
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(e.parallel(), len(core.signals)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(core.signals) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if one(i); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return out, errors.Join(append(errs, ctx.Err())...)
}

// days evaluates a daily signal at the ends of the days in a span.
func (e *Evaluator) days(ctx context.Context, s *Signal, from, to, interval, ticks int64) ([][]Observation, error) {
	out := make([][]Observation, ticks)
	for t := s.nextDue(from); t <= to; t = s.nextDue(t + 1) {
		results, err := e.Span(ctx, t, t, s)
		if err != nil {
			return nil, fmt.Errorf("signal %s: %w", s.Def.Name, err)
		}
		for _, r := range results {
			k := (t - from) / interval
			out[k] = append(out[k], Observation{r.Labels, r.Points[0]})
		}
	}
	return out, nil
}
