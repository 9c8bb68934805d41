package pipeline

import (
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
)

// Board is who is told of every episode as it is, without grouping: Alertmanagers.
type Board interface {
	Configured() bool
	Put(es []alert.Episode)
}

// SetBoard gives the announcer somebody to tell of every episode. Call it before Configure.
func (a *Announcer) SetBoard(b Board) { a.board = b }

// loadBoard tells the board what it knew before the restart, and what fires that it was never told.
func (a *Announcer) loadBoard() {
	if a.board == nil || !a.board.Configured() || a.boarded {
		return
	}
	a.boarded = true
	known := map[string]bool{}
	err := a.db.View(func(tx *bbolt.Tx) error {
		es, err := outbox.LoadBoard(tx, a.deliverer.Damaged)
		for i := range es {
			known[es[i].Key()] = true
		}
		a.board.Put(es)
		return err
	})
	if err != nil {
		a.logger.Error("what Alertmanagers were told cannot be read; they are told of what begins and ends from now on", "err", err)
	}
	a.machine.Firing(func(e *alert.Episode) {
		if !known[e.Key()] {
			a.unwritten = append(a.unwritten, *e)
		}
	})
	a.board.Put(a.unwritten)
}

// onBoard tells the board of transitions, at once: what it loses with the process is on disk by the queue.
func (a *Announcer) onBoard(ts []alert.Transition) (es []alert.Episode) {
	if a.board == nil || !a.board.Configured() {
		return nil
	}
	for i := range ts {
		es = append(es, alert.Episode{Transition: ts[i], Fingerprint: alert.Fingerprint(ts[i].Labels)})
	}
	a.board.Put(es)
	return es
}

// Unboard forgets episodes that the board need not tell of any more.
func (a *Announcer) Unboard(es []alert.Episode) {
	err := a.deliverer.Write(func(tx *bbolt.Tx) error { return outbox.DropBoard(tx, es) })
	if err != nil {
		a.logger.Error("what has ended was not forgotten; after a restart Alertmanagers would be told once more", "err", err)
	}
}
