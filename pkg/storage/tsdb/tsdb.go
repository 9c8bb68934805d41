// Package tsdb opens the two embedded Prometheus databases: live, with raw samples and results at full resolution for
// two days, and history, with what is left of them for two months. Both are sized for a sidecar: small buffers, few
// lock stripes, compressed logs. What they promise: a commit survives the death of the process; the loss of power may
// cost the samples that the kernel had not written yet.
package tsdb

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/baseliner/baseliner/pkg/series"
)

// Options of a database.
type Options struct {
	Dir       string
	Name      string // "live" or "history": a label of its metrics
	Retention time.Duration
	MaxBytes  int64         // of blocks; 0 is no limit
	Block     time.Duration // of the smallest block; 0 is two hours
	// OutOfOrder is how far behind the newest sample of the database a sample may come.
	OutOfOrder time.Duration
	// NoLog does without a write-ahead log: what is not in a block yet is gone after a restart. For what can be derived.
	NoLog bool
	// SamplesPerChunk is how many samples share the head of a chunk; 0 is Prometheus' default.
	SamplesPerChunk int

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DB is an embedded database. Its methods are safe for concurrent use.
type DB struct{ *tsdb.DB }

// Open opens or creates a database and repairs what a crash left.
func Open(o Options) (*DB, error) {
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = o.Retention.Milliseconds()
	opts.MaxBytes = o.MaxBytes
	opts.WALSegmentSize = 4 << 20 // whole segments are dropped: small ones keep the log near what is needed
	opts.WALCompression = compression.Snappy
	if o.NoLog {
		opts.WALSegmentSize = -1
	}
	if o.SamplesPerChunk > 0 {
		opts.SamplesPerChunk = o.SamplesPerChunk
	}
	opts.StripeSize = 2048
	// Isolation hides what a commit has half written. Signals are evaluated well behind the newest sample: they would not
	// see it anyway, and it costs 200 bytes a series.
	opts.IsolationDisabled = true
	opts.HeadChunksWriteBufferSize = 128 << 10
	opts.OutOfOrderTimeWindow = o.OutOfOrder.Milliseconds()
	opts.NoLockfile = true // the ledger's lock covers the whole directory
	// Series that ended leave memory when a fifth of all has, not with the next block in an hour or two: pods come and go.
	opts.StaleSeriesCompactionThreshold = 0.2
	// Where a counter says when it began it began at zero: its first value is an increase.
	opts.EnableSTAsZeroSample = true
	if o.Block > 0 {
		opts.MinBlockDuration = o.Block.Milliseconds()
	}
	opts.MaxBlockDuration = max(opts.MinBlockDuration, o.Retention.Milliseconds()/10)
	var reg prometheus.Registerer
	if o.Registerer != nil {
		reg = prometheus.WrapRegistererWith(prometheus.Labels{"store": o.Name}, o.Registerer)
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	db, err := tsdb.Open(o.Dir, logger.With("store", o.Name), reg, opts, tsdb.NewDBStats())
	if err != nil {
		return nil, fmt.Errorf("open %s store %s: %w", o.Name, o.Dir, err)
	}
	return &DB{db}, nil
}

// Newest returns the time of the newest sample in unix milliseconds; ok is false in an empty database.
func (db *DB) Newest() (t int64, ok bool) {
	newest := int64(math.MinInt64)
	if h := db.Head(); h.NumSeries() > 0 {
		newest = h.MaxTime()
	}
	for _, b := range db.Blocks() {
		newest = max(newest, b.MaxTime()-1)
	}
	return newest, newest > math.MinInt64
}

// Oldest returns the time of the oldest sample in unix milliseconds; ok is false in an empty database.
func (db *DB) Oldest() (t int64, ok bool) {
	oldest := int64(math.MaxInt64)
	if h := db.Head(); h.NumSeries() > 0 {
		oldest = h.MinTime()
	}
	for _, b := range db.Blocks() {
		oldest = min(oldest, b.MinTime())
	}
	return oldest, oldest < math.MaxInt64
}

// TakeLate takes samples that are up to d older than the newest one from now on.
func (db *DB) TakeLate(d time.Duration) error {
	c := &config.Config{StorageConfig: config.StorageConfig{TSDBConfig: &config.TSDBConfig{OutOfOrderTimeWindow: d.Milliseconds()}}}
	if err := db.ApplyConfig(c); err != nil {
		return fmt.Errorf("take late samples: %w", err)
	}
	return nil
}

// Flush writes what is in memory to a block.
func (db *DB) Flush() error {
	h := db.Head()
	if h.NumSeries() == 0 {
		return nil
	}
	if err := db.CompactHead(tsdb.NewRangeHead(h, h.MinTime(), h.MaxTime())); err != nil {
		return fmt.Errorf("write head to a block: %w", err)
	}
	return nil
}

// Sample is one stored value.
type Sample struct {
	T int64
	V float64
}

// Each calls f for every series with that metric name, its samples in [from, to] in the order of time. The samples are
// only valid during the call.
func (db *DB) Each(ctx context.Context, metric string, from, to int64, f func(labels.Labels, []Sample) error, more ...*labels.Matcher) error {
	return Each(ctx, db, metric, from, to, f, more...)
}

// Each is DB.Each for any storage.
func Each(ctx context.Context, store storage.Queryable, metric string, from, to int64, f func(labels.Labels, []Sample) error, more ...*labels.Matcher) error {
	q, err := store.Querier(from, to)
	if err != nil {
		return fmt.Errorf("read %s: %w", metric, err)
	}
	defer q.Close()
	set := q.Select(ctx, true, nil, append([]*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, metric)}, more...)...)
	var buf []Sample
	for set.Next() {
		s := set.At()
		buf = buf[:0]
		it := s.Iterator(nil)
		for vt := it.Next(); vt != 0; vt = it.Next() {
			t, v := it.At()
			if t >= from && t <= to {
				buf = append(buf, Sample{t, v})
			}
		}
		if err := it.Err(); err != nil {
			return fmt.Errorf("read %s: %w", s.Labels(), err)
		}
		if len(buf) == 0 {
			continue
		}
		if err := f(s.Labels(), buf); err != nil {
			return err
		}
	}
	if err := set.Err(); err != nil {
		return fmt.Errorf("read %s: %w", metric, err)
	}
	return nil
}

// ToPrometheus converts labels and adds the metric's name and further pairs of name and value.
func ToPrometheus(ls series.Labels, pairs ...string) labels.Labels {
	b := labels.NewScratchBuilder(len(ls) + len(pairs)/2)
	for _, l := range ls {
		b.Add(l.Name, l.Value)
	}
	for i := 0; i < len(pairs); i += 2 {
		b.Add(pairs[i], pairs[i+1])
	}
	b.Sort()
	return b.Labels()
}

// FromPrometheus converts labels without those named.
func FromPrometheus(ls labels.Labels, without ...string) series.Labels {
	out := make(series.Labels, 0, ls.Len())
	ls.Range(func(l labels.Label) {
		if slices.Contains(without, l.Name) {
			return
		}
		out = append(out, series.Label{Name: l.Name, Value: l.Value})
	})
	return out
}

// Metrics returns the names of all metrics that have samples.
func (db *DB) Metrics(ctx context.Context) (map[string]bool, error) {
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("read names of metrics: %w", err)
	}
	defer q.Close()
	names, _, err := q.LabelValues(ctx, model.MetricNameLabel, nil)
	if err != nil {
		return nil, fmt.Errorf("read names of metrics: %w", err)
	}
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		seen[n] = true
	}
	return seen, nil
}
