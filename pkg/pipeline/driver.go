package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// Driver runs an instance in real time: the only place where its ticks meet a clock.
type Driver struct {
	in       *Instance
	schedule Schedule
	clock    func() (wall, mono int64) // unix milliseconds, and milliseconds since the start that no clock change moves
	logger   *slog.Logger
	work     chan func()
	seen     atomic.Int64 // monotonic milliseconds of the last turn of the loop
	unset    bool
}

// NewDriver drives in every interval, each tick delay late. now carries a monotonic reading, as time.Now does.
func NewDriver(in *Instance, interval, delay time.Duration, now func() time.Time, logger *slog.Logger) *Driver {
	began := now()
	return &Driver{
		in: in, logger: logger, work: make(chan func()),
		clock: func() (wall, mono int64) {
			t := now()
			return t.UnixMilli(), t.Sub(began).Milliseconds()
		},
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
	_, mono := d.clock()
	idle := time.Duration(mono-d.seen.Load()) * time.Millisecond
	if limit := interval*3/2 + 10*time.Second; d.seen.Load() > 0 && idle > limit {
		return fmt.Errorf("the tick that began %s ago has not ended", idle.Round(time.Second))
	}
	return nil
}

// Run ticks until the context ends, and leaves a snapshot behind.
func (d *Driver) Run(ctx context.Context) error {
	var beside sync.WaitGroup
	d.in.beside = func(work func(context.Context, Between)) {
		beside.Go(func() { work(ctx, func(f func() error) error { return d.Do(ctx, f) }) })
	}
	defer func() {
		beside.Wait()
		if err := d.in.Snapshot(); err != nil {
			d.logger.Error("last snapshot was not written; the next start steps through more recorded points", "err", err)
		}
	}()
	for {
		timer := time.NewTimer(d.turn(ctx))
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

// turn runs the tick that is due, if any, and says how long there is nothing to do.
func (d *Driver) turn(ctx context.Context) (wait time.Duration) {
	wall, mono := d.clock()
	d.seen.Store(max(mono, 1))
	d.complain(wall)
	p := d.schedule.Next(wall, mono)
	if p.Jump != 0 {
		d.logger.Warn("the wall clock jumped; nothing is judged or learnt until it has run true for five minutes", "jump", p.Jump)
	}
	d.in.Missed(p.Missed, p.Reason)
	if p.Tick != 0 {
		d.tick(ctx, p.Tick)
	}
	return max(p.Wait, 0)
}

// tick has its interval as its time.
func (d *Driver) tick(ctx context.Context, t int64) {
	bounded, cancel := context.WithTimeout(ctx, max(time.Duration(d.schedule.Interval)*time.Millisecond, time.Second))
	defer cancel()
	if err := d.in.Tick(bounded, t); err != nil && ctx.Err() == nil {
		if bounded.Err() != nil {
			d.in.Missed(1, series.Overrun)
		}
		d.logger.Error("tick failed", "tick", clockText(t), "err", err)
	}
}

func (d *Driver) complain(wall int64) {
	if unset := wall < clockUnset; unset != d.unset {
		d.unset = unset
		if unset {
			d.logger.Error("the clock is not set; nothing is judged until it is", "now", clockText(wall))
		} else {
			d.logger.Info("the clock is set", "now", clockText(wall))
		}
	}
}
