package pipeline

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/state"
)

const (
	learnedKey = "learned_ties"
	// learnedAfter is how long after its decision a relation ties anomalies together: by then it is in the ledger, so that a
	// replay knows at every tick what was known then.
	learnedAfter = 10 * time.Minute
	learnedKept  = 3 // weeks
)

// LearnedTies are the pairs of signals that the frozen families of the last weeks hold for related: what moves together in
// ordinary weeks is one story when it breaks. It is safe for concurrent use.
type LearnedTies struct {
	ledger *state.Ledger
	weeks  atomic.Pointer[[]learnedWeek]
}

// learnedWeek is what one family decided.
type learnedWeek struct {
	End   int64       `json:"end"`   // of its weeks, hours since 1970
	Since int64       `json:"since"` // unix milliseconds from which on it counts
	Pairs [][2]string `json:"pairs"` // signals, each pair and all of them sorted
}

// NewLearnedTies reads what was decided before.
func NewLearnedTies(ledger *state.Ledger) (*LearnedTies, error) {
	k := &LearnedTies{ledger: ledger}
	var weeks []learnedWeek
	err := ledger.View(func(tx *bbolt.Tx) error {
		if b := state.Meta(tx, learnedKey); b != nil {
			return json.Unmarshal(b, &weeks)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read learned ties: %w", err)
	}
	k.weeks.Store(&weeks)
	return k, nil
}

// Learned tells whether two signals were known to move together at the instant t, unix milliseconds.
func (k *LearnedTies) Learned(a, b string, t int64) bool {
	for _, w := range slices.Backward(*k.weeks.Load()) {
		if w.Since <= t {
			_, found := slices.BinarySearchFunc(w.Pairs, pairOf(a, b), comparePairs)
			return found
		}
	}
	return false
}

// keep takes over what a family has decided at the instant now, unless a family of that week is known.
func (k *LearnedTies) keep(l *Learnt, now int64) error {
	weeks := *k.weeks.Load()
	if l.Family.Tested == 0 || len(weeks) > 0 && weeks[len(weeks)-1].End >= l.Family.End {
		return nil
	}
	week := learnedWeek{End: l.Family.End, Since: now + learnedAfter.Milliseconds(), Pairs: [][2]string{}}
	for _, s := range l.Family.Studies {
		for i := range s.Pairs {
			if p := &s.Pairs[i]; p.Shown && p.Grade >= correlate.Plausible {
				week.Pairs = append(week.Pairs, pairOf(l.Members[s.Outcome].Def.Name, l.Members[p.Driver].Def.Name))
			}
		}
	}
	slices.SortFunc(week.Pairs, comparePairs)
	week.Pairs = slices.Compact(week.Pairs)
	next := append(slices.Clone(weeks[max(0, len(weeks)-learnedKept+1):]), week)
	b, err := json.Marshal(next)
	if err == nil {
		err = k.ledger.Update(func(tx *bbolt.Tx) error { return state.PutMeta(tx, learnedKey, b) })
	}
	if err != nil {
		return fmt.Errorf("keep learned ties: %w", err)
	}
	k.weeks.Store(&next)
	return nil
}

func pairOf(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

func comparePairs(a, b [2]string) int { return slices.Compare(a[:], b[:]) }
