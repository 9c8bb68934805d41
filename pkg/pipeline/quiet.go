package pipeline

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/series"
)

// Quiet names the silence or the maintenance window that covers labels at an instant, "" for none: what it covers is not
// told, and is not to be learnt. It is cheap, and safe for concurrent use.
func (a *Announcer) Quiet(labels map[string]string, t int64) string {
	return a.quiet.Load().By(labels, t)
}

// Silenced is Quiet for the core, which asks for every point of a tick.
func (a *Announcer) Silenced(ls series.Labels, t int64) string {
	return a.hushed(t).by(ls)
}

// OwnQuiet is Quiet without the silences of Alertmanagers, for them.
func (a *Announcer) OwnQuiet(labels map[string]string, t int64) string {
	return a.ownQuiet.Load().By(labels, t)
}

// Silences lists the silences, those that ended lately as well.
func (a *Announcer) Silences() (out []alert.Silence, err error) {
	err = a.db.View(func(tx *bbolt.Tx) error {
		out, err = outbox.Silences(tx, a.deliverer.Damaged)
		return err
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(out, a.foreign...), err
}

// AddSilence keeps a silence and returns its id.
func (a *Announcer) AddSilence(s alert.Silence, now int64) (id string, err error) {
	if err := s.Compile(); err != nil {
		return "", err
	}
	s.ID, s.Source = alert.NewSilenceID(), ""
	a.mu.Lock()
	defer a.mu.Unlock()
	err = a.deliverer.Write(func(tx *bbolt.Tx) error { return outbox.PutSilence(tx, &s, now, a.deliverer.Damaged) })
	if err != nil {
		return "", fmt.Errorf("keep silence: %w", err)
	}
	return s.ID, a.hush()
}

// ExpireSilence ends a silence, or returns outbox.ErrNoSuchSilence.
func (a *Announcer) ExpireSilence(id string, now int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.deliverer.Write(func(tx *bbolt.Tx) error { return outbox.ExpireSilence(tx, id, now) }); err != nil {
		return err
	}
	return a.hush()
}

// SetMaintenance takes over the recurring windows of the configuration.
func (a *Announcer) SetMaintenance(ws []alert.Window) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.maintenance = ws
	return a.hush()
}

// SetForeign takes over the silences that Alertmanagers list; unheard are the origins of those that did not answer, whose
// silences stay as they are. They are kept: a restart has to know what was silenced when the points that it steps through
// were learnt. An error says that they are known in memory alone.
func (a *Announcer) SetForeign(heard []alert.Silence, unheard map[string]bool, now int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	heard = slices.DeleteFunc(slices.Clone(heard), func(s alert.Silence) bool { return s.Compile() != nil })
	next, changed := alert.Reconcile(a.foreign, heard, unheard, now, outbox.KeepExpired)
	if !changed && !a.foreignUnsaved {
		return nil
	}
	a.foreign = next
	err := a.deliverer.Write(func(tx *bbolt.Tx) error { return outbox.SaveForeign(tx, next) })
	if a.foreignUnsaved = err != nil; err != nil {
		err = fmt.Errorf("keep silences of Alertmanagers: %w", err)
	}
	return errors.Join(err, a.hush())
}

// hush puts silences and maintenance in force.
func (a *Announcer) hush() error {
	var own []alert.Silence
	err := a.db.View(func(tx *bbolt.Tx) (err error) {
		own, err = outbox.Silences(tx, a.deliverer.Damaged)
		return err
	})
	compiled := make([]alert.Silence, 0, len(own)+len(a.foreign))
	for _, s := range own {
		if s.Compile() == nil { // one that was expired before it began is none
			compiled = append(compiled, s)
		}
	}
	a.ownQuiet.Store(&alert.Quiet{Silences: compiled, Maintenance: a.maintenance})
	all := slices.Clone(compiled)
	for _, s := range a.foreign {
		if s.Compile() == nil { // one that ended as soon as it was known is none
			all = append(all, s)
		}
	}
	q := &alert.Quiet{Silences: all, Maintenance: a.maintenance}
	a.quiet.Store(q)
	a.machine.SetQuiet(q)
	a.Poke()
	return err
}
