package pipeline

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/state"
)

// Bounds on what is kept.
const (
	maxUnlearned     = 10_000
	maxUnlearnedText = 4096
)

// Unlearned keeps the windows that people unlearned, in the ledger. It is safe for concurrent use.
type Unlearned struct {
	ledger *state.Ledger
	kept   prometheus.Gauge

	mu  sync.Mutex // of writers
	now atomic.Pointer[[]state.Unlearned]
}

// NewUnlearned reads what the ledger holds. logger and reg may be nil.
func NewUnlearned(ledger *state.Ledger, logger *slog.Logger, reg prometheus.Registerer) (*Unlearned, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	u := &Unlearned{ledger: ledger, kept: prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_unlearned_windows", Help: "Windows that were unlearned and not undone."})}
	if reg != nil {
		reg.MustRegister(u.kept)
	}
	var all []state.Unlearned
	err := ledger.View(func(tx *bbolt.Tx) (err error) {
		all, err = state.AllUnlearned(tx, func(id string, err error) {
			logger.Error("unlearned window is damaged and passed over", "id", id, "err", err)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read unlearned windows: %w", err)
	}
	u.publish(all)
	return u, nil
}

// InvalidError says that what was asked for cannot be meant.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *InvalidError) Unwrap() error { return e.Err }

func invalid(format string, args ...any) error { return &InvalidError{fmt.Errorf(format, args...)} }

func (u *Unlearned) publish(list []state.Unlearned) {
	slices.SortFunc(list, func(x, y state.Unlearned) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.ID, y.ID)) })
	u.now.Store(&list)
	u.kept.Set(float64(len(list)))
}

// List returns all windows by their start. They are read-only.
func (u *Unlearned) List() []state.Unlearned { return *u.now.Load() }

// Put keeps a window and gives it an id. It is on disk when Put returns; models know it once the instance reconsiders,
// or at its next start. What cannot be meant is refused.
func (u *Unlearned) Put(one state.Unlearned) (state.Unlearned, error) {
	if one.From >= one.To {
		return one, invalid("to is not after from: the window holds nothing")
	}
	if one.From < 0 {
		return one, invalid("the window begins before 1970")
	}
	if one.Reason = strings.TrimSpace(one.Reason); len(one.Reason) > maxUnlearnedText || len(one.Match) > maxUnlearnedText {
		return one, invalid("reason or match is longer than %d bytes", maxUnlearnedText)
	}
	if _, err := parseMatch(one.Match); err != nil {
		return one, &InvalidError{err}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.List()) >= maxUnlearned {
		return one, invalid("there are %d windows already: undo some, or unlearn longer ones", maxUnlearned)
	}
	one.ID = strings.ToLower(rand.Text())[:10]
	err := u.ledger.Update(func(tx *bbolt.Tx) error {
		one.Tick, _ = state.Time(tx, lastTickKey)
		return state.PutUnlearned(tx, &one)
	})
	if err != nil {
		return one, fmt.Errorf("keep window: %w", err)
	}
	u.publish(append(slices.Clone(u.List()), one))
	return one, nil
}

// Undo forgets a window; found is false when there is none of that id.
func (u *Unlearned) Undo(id string) (one state.Unlearned, found bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.IndexFunc(u.List(), func(x state.Unlearned) bool { return x.ID == id })
	if i < 0 {
		return one, false, nil
	}
	one = u.List()[i]
	if err := u.ledger.Update(func(tx *bbolt.Tx) error { return state.DropUnlearned(tx, id) }); err != nil {
		return one, true, fmt.Errorf("undo window: %w", err)
	}
	u.publish(slices.Delete(slices.Clone(u.List()), i, i+1))
	return one, true, nil
}

// sources are the lists as they are now.
func (in *Instance) sources() (from sources) {
	if in.o.Unlearned != nil {
		from.unlearned = in.o.Unlearned.now.Load()
	}
	if in.o.Annotations != nil {
		from.notes = in.o.Annotations.now.Load()
	}
	return from
}

// forgets reads what is not to be learnt from now on.
func (in *Instance) forgets() *Forgotten {
	from := in.sources()
	var unlearned []state.Unlearned
	var notes []state.Annotation
	if from.unlearned != nil {
		unlearned = *from.unlearned
	}
	if from.notes != nil {
		notes = from.notes.list
	}
	f := NewForgotten(unlearned, notes, func(id string, err error) {
		in.o.Logger.Error("unlearned window cannot be understood and is passed over", "id", id, "err", err)
	})
	f.sources = from
	return f
}

// keepUp reconsiders when a list has changed. A tick is judged all the same when that fails.
func (in *Instance) keepUp() {
	if in.core.forgotten.sources == in.sources() {
		return
	}
	if _, err := in.Reconsider(); err != nil {
		in.o.Logger.Error("what was unlearned is not in the models yet; the next tick tries again", "err", err)
	}
}

// Reconsider takes over what was unlearned, undone or annotated since it was asked last: the series concerned are folded
// anew from their history, and their recent course begins anew. It belongs between two ticks; every tick begins with it. n
// counts the series.
func (in *Instance) Reconsider() (n int, err error) {
	now := in.forgets()
	changed := slices.DeleteFunc(now.changed(in.core.forgotten), func(s forgotten) bool { return s.From > in.last })
	if len(changed) > 0 && len(in.closed) > 0 {
		return 0, errors.New("the ledger has not taken every hour yet; the next tick tries again")
	}
	var jobs []refolding
	for _, s := range in.core.signals {
		for _, sr := range s.series {
			if label := s.Label(sr); slices.ContainsFunc(changed, func(w forgotten) bool { return w.about(label) }) {
				jobs = append(jobs, refolding{s, sr, wholeHistory})
			}
		}
	}
	err = relearn(in.o.Ledger, now, jobs, func(j refolding, m *baseline.Model, _ []baseline.Summary) {
		in.mu.Lock()
		defer in.mu.Unlock()
		j.series.model.Relearn(m)
	})
	if err != nil {
		return 0, err
	}
	in.mu.Lock()
	in.core.SetForgotten(now)
	in.mu.Unlock()
	if len(jobs) > 0 {
		in.o.Logger.Info("series were folded anew without what is not to be learnt", "series", len(jobs), "windows", len(now.spans))
	}
	return len(jobs), in.Snapshot()
}
