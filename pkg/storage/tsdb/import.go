package tsdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// importBatch is how many samples are committed at once.
const importBatch = 10_000

// Raw is a sample with the labels of its series.
type Raw struct {
	Labels labels.Labels
	T      int64
	V      float64
}

// Import makes a throw-away database in dir of samples in [first, last], whose series may come one after the other or
// interleaved, each in the order of time. It is one block: nothing is compacted and nothing expires. The caller closes
// it and removes the directory.
func Import(ctx context.Context, dir string, first, last int64, each func(add func(Raw) error) error) (_ *DB, err error) {
	// The writer takes samples up to half a block behind the newest.
	w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), dir, 4*(last-first+time.Hour.Milliseconds()))
	if err != nil {
		return nil, fmt.Errorf("open scratch database: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	app := w.Appender(ctx)
	refs := map[uint64]storage.SeriesRef{}
	n := 0
	err = each(func(s Raw) error {
		hash := s.Labels.Hash()
		ref, err := app.Append(refs[hash], s.Labels, s.T, s.V)
		if errors.Is(err, storage.ErrDuplicateSampleForTimestamp) || errors.Is(err, storage.ErrOutOfOrderSample) {
			return fmt.Errorf("%s at %s: %w", s.Labels, time.UnixMilli(s.T).UTC().Format(time.RFC3339Nano), err)
		}
		if err != nil {
			return err
		}
		refs[hash] = ref
		if n++; n%importBatch == 0 {
			if err := app.Commit(); err != nil {
				return err
			}
			app = w.Appender(ctx)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, errors.Join(err, app.Rollback())
	}
	if err := app.Commit(); err != nil {
		return nil, err
	}
	if _, err := w.Flush(ctx); err != nil {
		return nil, fmt.Errorf("write scratch block: %w", err)
	}
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = 0
	opts.NoLockfile = true
	opts.StripeSize = 512
	opts.WALSegmentSize = -1
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, opts, tsdb.NewDBStats())
	if err != nil {
		return nil, fmt.Errorf("open scratch database: %w", err)
	}
	db.DisableCompactions()
	return &DB{db}, nil
}
