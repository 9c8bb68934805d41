package pipeline

import (
	"context"
	"encoding/json"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/state"
)

// housekeeping is what a tick leaves for later; its failures cost no alert.
func (in *Instance) housekeeping(ctx context.Context, t int64) {
	if err := in.copyHistory(ctx, t); err != nil {
		in.metrics.commitErrors.WithLabelValues("history").Inc()
		in.o.Logger.Error("history was not written; the next tick tries again", "err", err)
	}
	if err := in.closeHour(ctx, t); err != nil {
		in.o.Logger.Error("late samples are stored and not learnt", "err", err)
	}
	if t-in.snapshotAt >= in.o.SnapshotEvery.Milliseconds() {
		if err := in.Snapshot(); err != nil {
			in.o.Logger.Error("snapshot was not written; a restart steps through more recorded points", "err", err)
		}
	}
	if day := t / dayMillis; day != in.pruned {
		in.pruned = day
		if err := in.prune(t); err != nil {
			in.o.Logger.Error("old summaries were not dropped; the ledger grows until they are", "err", err)
		}
	}
}

// copyHistory derives history up to the last hour that is complete. Where to begin is asked of the stores, not
// remembered: what history held in memory is derived again after a restart.
func (in *Instance) copyHistory(ctx context.Context, t int64) error {
	final := (t - finalAfter) / hourMillis // first hour that is not complete
	if in.historyTo == 0 {
		oldest, ok := in.o.Live.Oldest()
		if !ok {
			return nil
		}
		newest, _ := in.o.History.Newest()
		in.historyTo = max(oldest, newest) / hourMillis
	}
	for ; in.historyTo < final; in.historyTo++ {
		if err := CopyHour(ctx, in.o.Live, in.o.History, in.historyTo); err != nil {
			return err
		}
		in.metrics.history.Set(float64((in.historyTo + 1) * hourMillis / 1000))
	}
	return nil
}

// FlushHistory writes to disk what the history store holds in memory, for those who are to write beside it, and the
// hours that are not complete up to the last tick: once there is something newer, the store takes them no more.
func (in *Instance) FlushHistory(ctx context.Context) error {
	if err := in.copyHistory(ctx, in.last); err != nil {
		return err
	}
	for hour := in.historyTo; hour > 0 && hour <= in.last/hourMillis; hour++ {
		if err := copyHour(ctx, in.o.Live, in.o.History, hour, min(in.last, (hour+1)*hourMillis-1)); err != nil {
			return err
		}
	}
	return in.o.History.Flush()
}

// keepDays is how long the days of daily signals are kept, in milliseconds: two years, in the room of a month of hours.
const keepDays = 730 * dayMillis

// prune drops what history keeps no longer, and the series of signals that are not configured any more.
func (in *Instance) prune(t int64) error {
	before := func(keep int64) int32 { return int32((t - keep) / hourMillis) }
	hours, days := before(in.o.HistoryKeep.Milliseconds()), before(max(in.o.HistoryKeep.Milliseconds(), keepDays))
	alive := map[state.SeriesID]bool{} // and whether it has one summary a day
	for _, s := range in.core.signals {
		for _, sr := range s.series {
			alive[sr.ID] = s.daily()
		}
	}
	return in.o.Ledger.Update(func(tx *bbolt.Tx) error {
		var all, gone []state.SeriesID
		err := state.EachSeries(tx, func(id state.SeriesID, _ state.Known, lastSeen int64) error {
			if _, ok := alive[id]; ok || t-lastSeen <= forgetAfter.Milliseconds() {
				all = append(all, id)
			} else {
				gone = append(gone, id)
			}
			return nil
		})
		for _, id := range all {
			if alive[id] {
				err = errors.Join(err, state.DropSummaries(tx, id, days))
			} else {
				err = errors.Join(err, state.DropSummaries(tx, id, hours))
			}
		}
		for _, id := range gone {
			err = errors.Join(err, state.DropSeries(tx, id))
			delete(in.known, id)
		}
		return errors.Join(err, in.forgetIncidents(tx, t))
	})
}

// Snapshot saves the state of the models.
func (in *Instance) Snapshot() error {
	if len(in.transitions)+len(in.closed)+len(in.dropped) > 0 {
		return errors.New("the ledger has not taken everything yet: a snapshot now would hide it from a restart")
	}
	in.mu.RLock()
	b, err := in.core.AppendBinary(make([]byte, 0, in.snapshotSize+in.snapshotSize/16)) // else it is copied ten times over
	in.mu.RUnlock()
	in.snapshotSize = len(b)
	if err == nil {
		err = state.SaveSnapshot(in.o.Dir, in.last, b)
	}
	if err != nil {
		in.metrics.snapshots.WithLabelValues("failed").Inc()
		return err
	}
	in.snapshotAt = in.last
	in.metrics.snapshots.WithLabelValues("written").Inc()
	in.metrics.snapshotTime.Set(float64(in.last) / 1000)
	ids := map[string]string{}
	for _, s := range in.core.signals {
		ids[s.Def.Name] = s.identity
	}
	text, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return in.o.Ledger.Update(func(tx *bbolt.Tx) error { return state.PutMeta(tx, identitiesKey, text) })
}
