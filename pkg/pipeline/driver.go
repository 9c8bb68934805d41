package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// Driver runs an instance in real time: the only place where its ticks meet a clock.
type Driver struct {
	in       *Instance
	schedule Schedule
	now      func() time.Time // with a monotonic reading
	began    time.Time
	logger   *slog.Logger
	work     chan func()
	seen     atomic.Int64 // monotonic milliseconds of the last turn of the loop
	unset    bool
}

// NewDriver drives in every interval, each tick delay late.
func NewDriver(in *Instance, interval, delay time.Duration, now func() time.Time, logger *slog.Logger) *Driver {
	return &Driver{
		in: in, now: now, began: now(), logger: logger, work: make(chan func()),
		schedule: Schedule{Interval: interval.Milliseconds(), Delay: delay.Milliseconds(), Last: in.LastTick()},
	}
}

// Do runs f between two ticks and returns its error.
func (d *Driver) Do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	select {
	case d.work <- func() { done <- f() }:
		return <-done
	case <-ctx.Done():
		return fmt.Errorf("wait for the running tick: %w", ctx.Err())
	}
}

// SetPace changes interval and delay. Call it inside Do.
func (d *Driver) SetPace(interval, delay time.Duration) {
	d.schedule.Interval, d.schedule.Delay = interval.Milliseconds(), delay.Milliseconds()
	d.schedule.Last = d.schedule.Last / d.schedule.Interval * d.schedule.Interval
}

// Stuck returns an error when no tick could have started for one and a half intervals.
func (d *Driver) Stuck(interval time.Duration) error {
	idle := time.Duration(d.mono()-d.seen.Load()) * time.Millisecond
	if limit := interval*3/2 + 10*time.Second; d.seen.Load() > 0 && idle > limit {
		return fmt.Errorf("the tick that began %s ago has not ended", idle.Round(time.Second))
	}
	return nil
}

func (d *Driver) mono() int64 { return d.now().Sub(d.began).Milliseconds() }

// Run ticks until the context ends, and leaves a snapshot behind.
func (d *Driver) Run(ctx context.Context) error {
	defer func() {
		if err := d.in.Snapshot(); err != nil {
			d.logger.Error("last snapshot was not written; the next start steps through more recorded points", "err", err)
		}
	}()
	for {
		d.seen.Store(d.mono())
		wall := d.now().UnixMilli()
		d.complain(wall)
		p := d.schedule.Next(wall, d.mono())
		if p.Jump != 0 {
			d.logger.Warn("the wall clock jumped; nothing is judged or learnt until it has run true for five minutes", "jump", p.Jump)
		}
		d.in.Missed(p.Missed, p.Reason)
		if p.Tick != 0 {
			d.tick(ctx, p.Tick)
			if ctx.Err() != nil {
				return nil
			}
			continue
		}
		timer := time.NewTimer(max(p.Wait, time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case f := <-d.work:
			timer.Stop()
			f()
		case <-timer.C:
		}
	}
}

// tick has its interval as its time.
func (d *Driver) tick(ctx context.Context, t int64) {
	bounded, cancel := context.WithTimeout(ctx, max(time.Duration(d.schedule.Interval)*time.Millisecond, time.Second))
	defer cancel()
	if err := d.in.Tick(bounded, t); err != nil && ctx.Err() == nil {
		if bounded.Err() != nil {
			d.in.Missed(1, series.Overrun)
		}
		d.logger.Error("tick failed", "tick", clock(t), "err", err)
	}
}

func (d *Driver) complain(wall int64) {
	if unset := wall < clockUnset; unset != d.unset {
		d.unset = unset
		if unset {
			d.logger.Error("the clock is not set; nothing is judged until it is", "now", clock(wall))
		} else {
			d.logger.Info("the clock is set", "now", clock(wall))
		}
	}
}
