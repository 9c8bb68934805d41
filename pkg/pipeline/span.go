package pipeline

import (
	"context"
	"fmt"

	"github.com/baseliner/baseliner/pkg/series"
)

// spanTicks is how many ticks are evaluated by one range query: enough to pay for it, few enough to hold.
const spanTicks = 120

// EachTick evaluates the core's signals at every tick of [from, to] by range queries and hands the inputs to f, tick by
// tick: what Tick would have seen, at a fraction of the price. interval is that of ticks in milliseconds.
func (e *Evaluator) EachTick(ctx context.Context, core *Core, from, to, interval int64, f func(t int64, inputs []Input) error) error {
	from = (from + interval - 1) / interval * interval
	for ; from <= to; from += spanTicks * interval {
		end := min(from+(spanTicks-1)*interval, to/interval*interval)
		observations := make([][][]Observation, len(core.signals)) // by signal, then by tick
		for i, s := range core.signals {
			observations[i] = make([][]Observation, spanTicks)
			step := s.Def.Interval.Milliseconds()
			first := (from + step - 1) / step * step
			if first > end {
				continue
			}
			results, err := e.Span(ctx, first, end, s)
			if err != nil {
				return fmt.Errorf("signal %s: %w", s.Def.Name, err)
			}
			for _, r := range results {
				for _, p := range r.Points {
					k := (p.T - from) / interval
					observations[i][k] = append(observations[i][k], Observation{r.Labels, p})
				}
			}
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
