package pipeline

import (
	"context"
	"errors"
	"path/filepath"
	"time"
)

// Fill fills history of the running instance: points hands the ticks of the past to step, in the order of time, and what they
// teach is merged when it returns. between runs a function between two ticks: recording goes on meanwhile. keep counts from
// now. Without an error everything is stored; else what is stored already is found again when it is repeated.
func (in *Instance) Fill(ctx context.Context, now time.Time, between func(func() error) error, points func(b *Backfill) error) (b *Backfill, err error) {
	err = between(func() (err error) {
		if err = in.FlushHistory(ctx); err != nil {
			return err
		}
		b, err = NewBackfill(in.o.Ledger, filepath.Join(in.o.Dir, "history"), in.o.HistoryKeep, now.UnixMilli(), in.core, definitions(in.core))
		if err == nil {
			b.guard, b.until = in.mu.RLocker(), in.last
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer b.Abort()
	if err := points(b); err != nil {
		return b, err
	}
	return b, between(func() error {
		if len(in.closed) > 0 {
			return errors.New("the ledger has not taken every hour yet: try again")
		}
		in.mu.Lock()
		err := b.Finish(ctx, in.core)
		in.mu.Unlock()
		if err != nil {
			return err
		}
		return in.Snapshot()
	})
}
