package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/state"
)

// Marks in the ledger of summaries that models do not know yet, by who wrote them.
const (
	unfoldedBackfill = "unfolded_backfill"
	unfoldedLate     = "unfolded_late"
)

// seriesAtOnce is how many series are merged between two ticks: a few milliseconds each.
const seriesAtOnce = 16

// Between runs a function between two ticks of a running instance and returns its error.
type Between func(func() error) error

// Finish merges what a backfill learnt into an instance that stands still.
func (in *Instance) Finish(ctx context.Context, b *Backfill) error {
	if err := b.Checkpoint(ctx); err != nil {
		return err
	}
	if err := b.mergeAll(in.core); err != nil {
		return err
	}
	if err := in.resume(b.Last); err != nil {
		return err
	}
	return in.settle(b.mark)
}

// Fill fills history of the running instance: points hands the ticks of the past to step, in the order of time, and what they
// teach is merged when it returns. Ticks and pages go on meanwhile. keep counts from now. Without an error everything is
// stored; else what is stored already is found again when it is repeated.
func (in *Instance) Fill(ctx context.Context, now time.Time, between Between, points func(b *Backfill) error) (b *Backfill, err error) {
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
	behind, err := in.marked(b.mark)
	if err != nil {
		return b, err
	}
	if err := points(b); err != nil {
		return b, err
	}
	return b, in.merge(ctx, b, behind, between)
}

// merge takes over what a backfill learnt. behind says that the ledger held more already that no model knows: the mark stays.
func (in *Instance) merge(ctx context.Context, b *Backfill, behind bool, between Between) error {
	if err := in.mergeSeries(ctx, b, between); err != nil {
		return err
	}
	return between(func() error {
		in.mu.Lock()
		err := b.mergeSignals(in.core)
		in.mu.Unlock()
		if err != nil {
			return err
		}
		if behind {
			return in.Snapshot()
		}
		return in.settle(b.mark)
	})
}

// marked tells whether somebody before left summaries that no model knows.
func (in *Instance) marked(mark string) (found bool, err error) {
	err = in.o.Ledger.View(func(tx *bbolt.Tx) error {
		found = state.Meta(tx, mark) != nil
		return nil
	})
	return found, err
}

// mergeSeries takes over what a backfill learnt of series, some of them between two ticks. The models do not know all that
// the ledger has until it returns.
func (in *Instance) mergeSeries(ctx context.Context, b *Backfill, between Between) error {
	if err := b.Checkpoint(ctx); err != nil {
		return err
	}
	one := func(of *Signal, sr *Series) error {
		in.mu.Lock() // pages read between two series
		defer in.mu.Unlock()
		return b.merge(in.core, of, sr)
	}
	for _, of := range b.scratch.signals {
		for some := range slices.Chunk(of.series, seriesAtOnce) {
			err := between(func() error {
				if len(in.closed) > 0 {
					return errors.New("the ledger has not taken every hour yet: try again")
				}
				for _, sr := range some {
					if err := one(of, sr); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// settle saves the models that know all that was marked.
func (in *Instance) settle(marks ...string) error {
	if err := in.Snapshot(); err != nil {
		return err
	}
	return in.o.Ledger.Update(func(tx *bbolt.Tx) error {
		for _, mark := range marks {
			if err := state.DropMeta(tx, mark); err != nil {
				return err
			}
		}
		return nil
	})
}

// catchUp folds every series anew when a process ended between writing summaries of the past and folding them. The recent course
// stays.
func (in *Instance) catchUp() (marks []string, err error) {
	for _, mark := range []string{unfoldedBackfill, unfoldedLate} {
		found, err := in.marked(mark)
		if err != nil {
			return nil, err
		}
		if found {
			marks = append(marks, mark)
		}
	}
	if len(marks) == 0 {
		return nil, nil
	}
	in.o.Logger.Info("history that was filled is not in the models yet; they are folded anew", "series", in.core.Size())
	return marks, in.o.Ledger.View(func(tx *bbolt.Tx) error {
		for _, s := range in.core.signals {
			for _, sr := range s.series {
				_, history, err := s.recall(tx, in.core.forgotten, sr.ID, s.Label(sr), wholeHistory)
				if err != nil {
					return fmt.Errorf("read history of %s: %w", s.Def.Name, err)
				}
				sr.model.Refold(history)
			}
		}
		return nil
	})
}
