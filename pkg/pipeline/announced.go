package pipeline

import (
	"cmp"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
)

// Firing implements Herald: what the grouping knows, and what it has yet to see.
func (a *Announcer) Firing(f func(labels map[string]string, startsAt int64)) {
	for _, e := range a.open() {
		if !e.Meta() {
			f(e.Labels, e.StartsAt)
		}
	}
}

func (a *Announcer) open() []alert.Episode {
	a.mu.Lock()
	defer a.mu.Unlock()
	open := map[string]alert.Episode{}
	a.machine.Firing(func(e *alert.Episode) { open[e.Key()] = *e })
	queued, _, err := a.queued()
	if err != nil {
		a.logger.Error("queued transitions cannot be read", "err", err)
	}
	queued = append(queued, a.stranded...)
	for i := range queued {
		t := &queued[i]
		if t.Firing {
			open[t.Key()] = alert.Episode{Transition: *t, Fingerprint: alert.Fingerprint(t.Labels)}
		} else {
			delete(open, t.Key())
		}
	}
	out := slices.Collect(maps.Values(open))
	slices.SortFunc(out, func(x, y alert.Episode) int {
		return cmp.Or(cmp.Compare(x.StartsAt, y.StartsAt), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	return out
}

// Episodes returns those that fire, and those that ended since the start, for the pages.
func (a *Announcer) Episodes() (firing, over []alert.Episode) {
	firing = a.open()
	a.mu.Lock()
	defer a.mu.Unlock()
	return firing, append([]alert.Episode(nil), a.recent...)
}

// queued reads what the machine has not seen.
func (a *Announcer) queued() (ts []alert.Transition, last []byte, err error) {
	err = a.db.View(func(tx *bbolt.Tx) (err error) {
		ts, last, err = outbox.Queued(tx, a.taken, a.deliverer.Damaged)
		return err
	})
	a.again = nil
	if len(a.handled) > 0 {
		ts = slices.DeleteFunc(ts, func(t alert.Transition) bool {
			id := t.ID()
			if a.handled[id] {
				a.again = append(a.again, id)
			}
			return a.handled[id]
		})
	}
	return ts, last, err
}
