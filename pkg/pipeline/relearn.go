package pipeline

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/state"
)

// wholeHistory is an hour that never comes.
const wholeHistory = 1<<31 - 1

// recall reads the summaries of a series before an hour: all there are, and those among them that it may learn from, in
// the hours of its model. Every model that is made from history is made from what recall returns.
func (s *Signal) recall(tx *bbolt.Tx, f *Forgotten, id state.SeriesID, label Label, before int32) (all, kept []baseline.Summary, err error) {
	if all, err = state.Summaries(tx, id, 0, before); err != nil {
		return nil, nil, err
	}
	return all, s.learnt(f.keep(append([]baseline.Summary(nil), all...), label, s.spanOf)), nil
}

// refolding is a series to be made anew from its history before an hour.
type refolding struct {
	signal *Signal
	series *Series
	before int32
}

// twin is a model of the series that knows nothing but what was lent to it.
func (j *refolding) twin() *baseline.Model {
	if j.series.model == nil { // not one of the core's yet
		return j.signal.newModel()
	}
	return j.series.model.Twin()
}

// relearn makes new models from the history in the ledger, several at once, and hands them over one at a time, in any
// order. all is the history, forgotten hours included.
func relearn(ledger *state.Ledger, f *Forgotten, jobs []refolding, take func(j refolding, m *baseline.Model, all []baseline.Summary)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex // of take and failed
	var failed error
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				j := jobs[i]
				m := j.twin()
				var all []baseline.Summary
				err := ledger.View(func(tx *bbolt.Tx) error {
					var kept []baseline.Summary
					var err error
					all, kept, err = j.signal.recall(tx, f, j.series.ID, j.signal.Label(j.series), j.before)
					m.Refold(kept)
					return err
				})
				mu.Lock()
				if err != nil && failed == nil {
					failed = fmt.Errorf("read history of %s: %w", j.signal.Def.Name, err)
				}
				if err == nil {
					take(j, m, all)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}
