package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

const dayMillis = 24 * hourMillis

// A block of history holds a day, or up to so many days while it has fewer points than are worth one.
const (
	blockDays   = 5
	blockPoints = 10_000
)

// Backfill fills history from the past: the same steps as live, with nobody told. It writes hourly summaries to the
// ledger and values to blocks of the history store; then the models are made anew from all summaries there are. Doing
// it again with the same points changes nothing. One that is cut short leaves a mark: the next start folds what it left.
type Backfill struct {
	ledger  *state.Ledger
	mark    string      // in the ledger, as long as models do not know all that is in there
	dir     string      // of the history store
	keep    int64       // milliseconds of history that is kept
	newest  int64       // what is older than newest − keep is learnt but not stored
	base    *Core       // of the instance: what it knows is gone on with
	guard   sync.Locker // of base, where it lives; else nil
	until   int64       // of an instance that lives: history after its last tick is its own
	scratch *Core
	known   map[state.SeriesID]bool
	closed  []Closed

	day    int64 // the first of the block
	stored int   // points in it
	block  *tsdb.BlockWriter
	app    *appender
	refs   map[*Series]*[5]storage.SeriesRef
	grains map[*Series]float64

	First, Last int64 // ticks taken
	Points      int   // observed
	Silent      int   // missing
}

// NewBackfill prepares to fill the history of the definitions. newest is the last instant that will come.
func NewBackfill(ledger *state.Ledger, historyDir string, keep time.Duration, newest int64, base *Core, defs []signal.Definition) (*Backfill, error) {
	core, err := NewCore(defs)
	if err != nil {
		return nil, err
	}
	core.SetForgotten(base.forgotten)
	core.SetSilenced(base.silenced)
	core.marks = base.marks
	return &Backfill{
		ledger: ledger, mark: unfoldedBackfill, dir: historyDir, keep: keep.Milliseconds(), newest: newest, base: base, scratch: core,
		known: map[state.SeriesID]bool{}, refs: map[*Series]*[5]storage.SeriesRef{}, grains: map[*Series]float64{},
	}, nil
}

// Core gives the signals that inputs refer to.
func (b *Backfill) Core() *Core { return b.scratch }

// Step takes the next tick. Ticks come in the order of time.
func (b *Backfill) Step(ctx context.Context, t int64, inputs []Input) error {
	if b.First == 0 {
		b.First = t
		b.continueBudgets(t)
	}
	b.Last = t
	for _, in := range inputs {
		if err := b.recall(in, t); err != nil {
			return err
		}
	}
	out := b.scratch.Step(t, inputs)
	b.closed = append(b.closed, out.Closed...)
	if len(b.closed) >= 20_000 {
		if err := b.flushSummaries(); err != nil {
			return err
		}
	}
	for i := range out.Judged {
		if out.Judged[i].Verdict.Missing == series.Observed {
			b.Points++
		} else {
			b.Silent++
		}
	}
	if t < b.newest-b.keep || b.until > 0 && t > b.until {
		return nil
	}
	return b.store(ctx, &out)
}

// continueBudgets goes on from what the budgets of the instance know, if all of that is older than t.
func (b *Backfill) continueBudgets(t int64) {
	if b.guard != nil {
		b.guard.Lock()
		defer b.guard.Unlock()
	}
	b.scratch.eachBudget(b.base, func(to, from *detect.Budget) {
		if from.Hour <= t/hourMillis {
			to.BudgetState = from.BudgetState
		}
	})
	for _, s := range b.scratch.signals {
		if o := b.base.byName[s.Def.Name]; o != nil && o.identity == s.identity && o.budget.Hour <= t/hourMillis {
			s.realised = o.realised
		}
	}
}

// recall gives a series that is met for the first time the history it has from before.
func (b *Backfill) recall(in Input, t int64) error {
	for _, o := range in.Observations {
		if o.Point.Missing != series.Observed || in.Signal.find(o.Labels) != nil {
			continue
		}
		if err := b.flushSummaries(); err != nil { // among them may be its own
			return err
		}
		sr := in.Signal.add(o.Labels)
		if b.adopt(in.Signal, sr, t) {
			continue
		}
		err := b.ledger.View(func(tx *bbolt.Tx) error {
			_, before, err := in.Signal.recall(tx, b.scratch.forgotten, sr.ID, in.Signal.Label(sr), in.Signal.realHour(int32(in.Signal.modelTime(t)/hourMillis)))
			sr.model.Refold(before)
			return err
		})
		if err != nil {
			return fmt.Errorf("read history of %s: %w", in.Signal.Def.Name, err)
		}
	}
	return nil
}

// adopt goes on from what the instance knows of a series, if all of that is older than t.
func (b *Backfill) adopt(to *Signal, sr *Series, t int64) bool {
	if b.guard != nil {
		b.guard.Lock()
		defer b.guard.Unlock()
	}
	s := b.base.byName[to.Def.Name]
	if s == nil || s.identity != to.identity {
		return false
	}
	from := s.find(sr.Labels)
	if from == nil || from.lastSeen == 0 || from.lastSeen >= t {
		return false
	}
	sr.model.Adopt(from.model)
	sr.lastSeen, sr.absence, sr.crossing = from.lastSeen, from.absence, from.crossing
	if from.coverage != nil {
		known := *from.coverage
		sr.coverage = &known
	}
	return true
}

func (b *Backfill) store(ctx context.Context, out *Output) error {
	if day := out.T / dayMillis; b.block == nil || day != b.day && (b.stored >= blockPoints || day/blockDays != b.day/blockDays) {
		if err := b.flushBlock(ctx); err != nil {
			return err
		}
		w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), b.dir, 2*dayMillis)
		if err != nil {
			return fmt.Errorf("write history: %w", err)
		}
		b.day, b.stored, b.block, b.app = day, 0, w, &appender{Appender: w.Appender(ctx)}
		clear(b.refs) // they belong to the block
	}
	for i := range out.Judged {
		j := &out.Judged[i]
		v := j.Verdict
		if v.Missing != series.Observed {
			continue
		}
		b.stored++
		refs := b.refs[j.Series]
		if refs == nil {
			refs = new([5]storage.SeriesRef)
			b.refs[j.Series] = refs
		}
		step := j.Signal.Def.Interval.Milliseconds()
		if past := out.T % hourMillis; past >= hourMillis/2 && past < hourMillis/2+step || step >= hourMillis || b.grains[j.Series] == 0 {
			b.grains[j.Series] = grain(v.Lower, v.Upper, v.Center, historySteps)
			if v.Known {
				for k, x := range [...]float64{v.Center, v.Lower, v.Upper} {
					b.app.put(&refs[k+1], out.T, roundTo(x, b.grains[j.Series]), func() labels.Labels { return j.labels(bands[k]) })
				}
			}
		}
		b.app.put(&refs[0], out.T, roundTo(v.Value, b.grains[j.Series]), func() labels.Labels { return j.labels(metricValue) })
		if v.Denominator != 0 {
			b.app.put(&refs[4], out.T, roundCount(v.Denominator), func() labels.Labels { return j.labels(metricDenominator) })
		}
	}
	return b.app.err
}

func (b *Backfill) flushBlock(ctx context.Context) error {
	if b.block == nil {
		return nil
	}
	w := b.block
	b.block = nil
	defer w.Close()
	if err := b.app.Commit(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	if _, err := w.Flush(ctx); err != nil {
		return fmt.Errorf("write history block: %w", err)
	}
	return nil
}

func (b *Backfill) flushSummaries() error {
	if len(b.closed) == 0 {
		return nil
	}
	if err := b.put(b.closed); err != nil {
		return fmt.Errorf("write summaries: %w", err)
	}
	b.closed = b.closed[:0]
	return nil
}

// put stores hours that no model of the instance knows yet.
func (b *Backfill) put(closed []Closed) error {
	return b.ledger.Update(func(tx *bbolt.Tx) error {
		if err := state.PutMeta(tx, b.mark, []byte{1}); err != nil {
			return err
		}
		return putClosed(tx, closed, b.known, state.PutSummary)
	})
}

// putClosed stores hours that became final, and the series they belong to where known does not have them yet.
func putClosed(tx *bbolt.Tx, closed []Closed, known map[state.SeriesID]bool, put func(*bbolt.Tx, state.SeriesID, *baseline.Summary) error) error {
	for i := range closed {
		c := &closed[i]
		if !known[c.Series.ID] || c.Summary.Hour%24 == 0 { // and renew the time of the last sight once a day
			k := state.Known{Signal: c.Signal.Def.Name, Identity: c.Signal.identity, Labels: c.Series.Labels.Map()}
			if err := state.PutSeries(tx, c.Series.ID, k, c.Series.lastSeen); err != nil {
				return err
			}
			known[c.Series.ID] = true
		}
		if err := put(tx, c.Series.ID, &c.Summary); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoint stores what was taken so far, hours that are still open apart: a backfill that begins a few hours before and
// takes the rest comes to the same.
func (b *Backfill) Checkpoint(ctx context.Context) error {
	return errors.Join(b.flushBlock(ctx), b.flushSummaries())
}

// Abort releases what an unfinished block holds.
func (b *Backfill) Abort() {
	if b.block != nil {
		_ = b.block.Close() // its files are temporary
		b.block = nil
	}
}

// mergeAll merges what was learnt into core, the state of an instance that stands still.
func (b *Backfill) mergeAll(core *Core) error {
	for _, from := range b.scratch.signals {
		for _, sr := range from.series {
			if err := b.merge(core, from, sr); err != nil {
				return err
			}
		}
	}
	return b.mergeSignals(core)
}

// counterpart is a signal of the instance that is still the one that was filled.
func counterpart(core *Core, from *Signal) (*Signal, error) {
	to := core.byName[from.Def.Name]
	if to == nil || to.identity != from.identity {
		return nil, fmt.Errorf("signal %s is not the one that was filled", from.Def.Name)
	}
	return to, nil
}

// mergeSignals merges what is known of signals as a whole, after their series.
func (b *Backfill) mergeSignals(core *Core) error {
	for _, from := range b.scratch.signals {
		to, err := counterpart(core, from)
		if err != nil {
			return err
		}
		if first := to.absence.First; to.absence.Last < from.absence.Last {
			to.absence = to.absence.After(from.absence)
			if first > 0 {
				to.absence.First = min(first, from.absence.First)
			}
		}
	}
	core.completeBudgets(b.scratch)
	return nil
}

// merge folds the whole history of a series anew. The recent course is that of whichever saw the later point.
func (b *Backfill) merge(core *Core, of *Signal, from *Series) error {
	to, err := counterpart(core, of)
	if err != nil {
		return err
	}
	sr := to.find(from.Labels)
	if sr == nil {
		sr = to.add(from.Labels)
	}
	if c := from.coverage; c != nil && (sr.coverage == nil || sr.coverage.Hours < c.Hours) {
		known := *c
		known.Lost, known.Held = false, 0 // nobody was told
		sr.coverage = &known
	}
	if sr.lastSeen < from.lastSeen {
		sr.model.Adopt(from.model)
		sr.absence = sr.absence.After(from.absence)
		sr.crossing, sr.missing, sr.lastSeen = from.crossing, from.missing, from.lastSeen
		if sr.anomaly.Phase != detect.Firing { // what fires was told, and the next tick ends it; what was open in the past was not
			sr.anomaly = detect.State{Stepped: from.lastSeen}
		}
	} else if err := b.closeRest(to, sr, from); err != nil {
		return err
	}
	var history []baseline.Summary
	err = b.ledger.View(func(tx *bbolt.Tx) (err error) {
		_, history, err = to.recall(tx, core.forgotten, sr.ID, to.Label(sr), wholeHistory) // as it is by now
		return err
	})
	if err != nil {
		return fmt.Errorf("read history of %s: %w", to.Def.Name, err)
	}
	sr.model.Refold(history)
	return nil
}

// closeRest stores the last hours of a past that ends before what the instance has seen, unless it knows them itself.
func (b *Backfill) closeRest(to *Signal, sr, from *Series) error {
	var rest []Closed
	err := b.ledger.View(func(tx *bbolt.Tx) error {
		for _, s := range from.model.Rest() {
			open := s.Hour
			s.Hour = to.realHour(s.Hour)
			known, err := state.Summaries(tx, sr.ID, s.Hour, s.Hour+1)
			if err != nil {
				return err
			}
			if m := sr.model; len(known) == 0 && (m.Open.N == 0 || m.Open.Hour != open) {
				rest = append(rest, Closed{to, sr, s})
			}
		}
		return nil
	})
	if err == nil && len(rest) > 0 { // a transaction that writes nothing waits for the disk all the same
		err = b.put(rest)
	}
	if err != nil {
		return fmt.Errorf("write summaries of %s: %w", to.Def.Name, err)
	}
	return nil
}
