package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/promql"
)

// recover brings the core to the newest recorded tick: snapshot, then the points recorded after it. Without a snapshot
// the models are folded from their summaries.
func (in *Instance) recover(ctx context.Context, core *Core) error {
	in.core = core
	changed := map[string]bool{}
	var lastTick int64
	err := in.o.Ledger.View(func(tx *bbolt.Tx) error {
		lastTick, _ = state.Time(tx, lastTickKey)
		return changedSince(tx, core, changed)
	})
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	at, payload, found, damaged, err := state.LoadSnapshot(in.o.Dir)
	if err != nil {
		return err
	}
	for _, d := range damaged {
		if errors.Is(d, state.ErrOlder) {
			in.metrics.snapshots.WithLabelValues("older").Inc()
			in.o.Logger.Info("snapshot was written by an older version; models are folded anew from the summaries", "err", d)
			continue
		}
		in.metrics.snapshots.WithLabelValues("damaged").Inc()
		in.o.Logger.Error("snapshot is damaged and was put aside", "err", d)
	}
	if found {
		if _, err := core.UnmarshalBinary(payload); err != nil {
			in.metrics.snapshots.WithLabelValues("damaged").Inc()
			in.o.Logger.Error("snapshot cannot be used; models are made anew from history", "err", err)
			found = false
			if core, err = in.newCore(definitions(core)); err != nil {
				return err
			}
			in.core = core
		}
		in.snapshotAt = at
	}
	if !found {
		// Two hours of recording give the recent course back; what is older is in the summaries.
		at = max(lastTick-2*hourMillis, 0)
	}
	refolded, err := in.refold(core, at)
	if err != nil {
		return err
	}
	in.last = max(at, 0)
	replayed := 0
	err = Replay(ctx, in.o.Live, core, at, changed, func(out Output) error {
		replayed++
		in.last = out.T
		if len(out.Events) == 0 && len(out.Closed) == 0 && len(out.Stories) == 0 && out.T <= lastTick {
			return nil
		}
		return in.commit(ctx, &out, max(out.T, lastTick))
	})
	if err != nil {
		return err
	}
	if in.last = max(in.last, lastTick); in.last > 0 {
		in.lateSeen = -1
	}
	marks, err := in.catchUp()
	if err != nil {
		return err
	}
	if err := in.resolveOrphans(ctx); err != nil {
		return err
	}
	in.o.Logger.Info("state recovered", "snapshot", found, "ticks_replayed", replayed, "series", core.Size(), "series_from_history", refolded, "last_tick", clockText(in.last))
	return in.settle(marks...)
}

func definitions(core *Core) []signal.Definition {
	defs := make([]signal.Definition, len(core.signals))
	for i, s := range core.signals {
		defs[i] = s.Def
	}
	return defs
}

// changedSince names the signals whose recorded points belong to another definition.
func changedSince(tx *bbolt.Tx, core *Core, changed map[string]bool) error {
	text := state.Meta(tx, identitiesKey)
	if text == nil {
		return nil
	}
	before := map[string]string{}
	if err := json.Unmarshal(text, &before); err != nil {
		return fmt.Errorf("decode identities: %w", err)
	}
	for _, s := range core.signals {
		if id, ok := before[s.Def.Name]; ok && id != s.identity {
			changed[s.Def.Name] = true
		}
	}
	return nil
}

// refold adds the series of the ledger that the core does not know, and makes their models from their summaries; and
// those of signals that are outdated, up to the hour of at, the last tick they have seen.
func (in *Instance) refold(core *Core, at int64) (n int, err error) {
	byIdentity := map[string]*Signal{}
	for _, s := range core.signals {
		byIdentity[s.identity] = s
	}
	var jobs []refolding
	err = in.o.Ledger.View(func(tx *bbolt.Tx) error {
		return state.EachSeries(tx, func(id state.SeriesID, k state.Known, lastSeen int64) error {
			in.known[id] = true
			s := byIdentity[k.Identity]
			if s == nil {
				return nil
			}
			sr := s.find(series.FromMap(k.Labels))
			switch {
			case sr == nil:
				jobs = append(jobs, refolding{s, &Series{Labels: series.FromMap(k.Labels), ID: id, lastSeen: lastSeen}, wholeHistory})
			case s.outdated:
				jobs = append(jobs, refolding{s, sr, int32(at / hourMillis)})
			}
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("read history: %w", err)
	}
	err = relearn(in.o.Ledger, core.forgotten, jobs, func(j refolding, m *baseline.Model, all []baseline.Summary) {
		if len(all) == 0 {
			return
		}
		n++
		sr := j.signal.find(j.series.Labels)
		if sr == nil {
			sr = j.signal.add(j.series.Labels)
			sr.missing = series.Downtime
			sr.remember(all, j.series.lastSeen)
		}
		sr.model.Relearn(m)
	})
	if err != nil {
		return n, err
	}
	for _, s := range core.signals {
		s.outdated = false
	}
	return n, nil
}

// remember dates a series that is known from its summaries alone.
func (sr *Series) remember(history []baseline.Summary, lastSeen int64) {
	first, last := history[0].At(), history[len(history)-1].At()
	sr.lastSeen = max(sr.lastSeen, lastSeen, last)
	if sr.absence.First == 0 {
		sr.absence.First, sr.absence.Last = first, sr.lastSeen
	}
}

// resolveOrphans ends the alerts that nothing holds up any more: their signal was removed or redefined.
func (in *Instance) resolveOrphans(ctx context.Context) error {
	type episode struct {
		labels string
		start  int64
	}
	in.summed = 0
	held := map[episode]*Occurrence{}
	hold := func(o Occurrence, start int64) {
		o.Event.Kind, o.Event.StartsAt = detect.Begin, start
		held[episode{series.FromMap(identity(&o, in.o.External)).Key(), start}] = &o
	}
	for _, s := range in.core.signals {
		if s.absence.Firing {
			hold(Occurrence{Signal: s, Absent: true}, s.absence.StartAt)
		}
		if s.uncovered.Firing {
			hold(Occurrence{Signal: s, Coverage: s.shortfall()}, s.uncovered.StartAt)
		}
		for _, sr := range s.series {
			if sr.anomaly.Phase == detect.Firing {
				o := Occurrence{Signal: s, Series: sr, Quiet: sr.quiet}
				o.Event.Dir = sr.anomaly.Dir
				hold(o, sr.anomaly.StartsAt)
			}
			if sr.absence.Firing {
				hold(Occurrence{Signal: s, Series: sr, Absent: true}, sr.absence.StartAt)
			}
		}
	}
	followed := map[episode]*incident.Incident{}
	for _, story := range in.core.stories.tracker.Open {
		if story.Told() {
			labels := maps.Clone(in.o.External)
			if labels == nil {
				labels = map[string]string{}
			}
			maps.Copy(labels, story.Labels)
			followed[episode{series.FromMap(labels).Key(), story.StartsAt}] = story
		}
	}
	in.o.Herald.Firing(func(labels map[string]string, startsAt int64) {
		e := episode{series.FromMap(labels).Key(), startsAt}
		if followed[e] != nil {
			delete(followed, e)
			return
		}
		if held[e] != nil {
			delete(held, e)
			return
		}
		a := map[string]string{
			"summary":     labels["alertname"] + ": no longer watched",
			"description": "The signal " + labels["signal"] + " was removed, or redefined and learns anew. Nobody checks whether this is over.",
		}
		if labels["type"] == "incident" {
			a["description"] = "The incident is not followed any more: its anomalies are told one by one."
		}
		in.transitions = append(in.transitions, Transition{
			Words: Words{Labels: maps.Clone(labels), Annotations: a}, StartsAt: startsAt, EndsAt: max(in.last, startsAt),
		})
	})
	// What fires and nobody was told of: its labels changed with the configuration, or the ledger failed when it began.
	untold := slices.SortedFunc(maps.Keys(held), func(a, b episode) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.labels, b.labels))
	})
	for _, e := range untold {
		o := held[e]
		if sr := o.Series; sr != nil {
			if o.Verdict = sr.verdict; sr.stepped == 0 {
				o.Verdict = unseen(series.Point{T: in.last, Missing: series.Downtime})
				o.Verdict.Expectation = sr.model.Expect(o.Signal.modelTime(in.last))
			}
		}
		in.transitions = append(in.transitions, in.transition(ctx, o, in.last))
	}
	for _, story := range in.core.stories.tracker.Open { // in their order
		if slices.Contains(slices.Collect(maps.Values(followed)), story) {
			in.tellStory(ctx, &StoryChange{Change: incident.Change{Incident: story, Began: true}}, in.last)
		}
	}
	if err := in.closeIncidents(); err != nil {
		return err
	}
	if len(in.transitions)+len(in.incidents) == 0 {
		return nil
	}
	return in.commit(ctx, &Output{T: in.last}, in.last)
}

// Reload takes over a new set of definitions: signals that are still what they were keep their state, others learn anew
// from the history they have. With an error nothing has changed.
func (in *Instance) Reload(defs []signal.Definition, external map[string]string, intervals promql.Intervals) error {
	core, err := in.newCore(defs)
	if err != nil {
		return err
	}
	b, err := in.core.AppendBinary(nil)
	if err != nil {
		return err
	}
	if _, err := core.UnmarshalBinary(b); err != nil {
		return err
	}
	if _, err := in.refold(core, in.last); err != nil {
		return err
	}
	core.takeVerdicts(in.core)
	in.mu.Lock()
	in.core, in.o.External, in.o.Intervals = core, external, intervals
	in.mu.Unlock()
	in.forgetFigures()
	in.recorder.refs = nil // they belong to the old series
	// The definitions are in force; what a disk refuses now, the next ticks write.
	if err := in.resolveOrphans(context.Background()); err != nil {
		in.o.Logger.Error("alerts of signals that are gone were not ended yet; the next tick tries again", "err", err)
	}
	if err := in.Snapshot(); err != nil {
		in.o.Logger.Error("snapshot was not written; a restart steps through more recorded points", "err", err)
	}
	return nil
}

// takeVerdicts carries over what pages show until the next tick.
func (c *Core) takeVerdicts(from *Core) {
	for _, s := range c.signals {
		old := from.byName[s.Def.Name]
		if old == nil || old.identity != s.identity {
			continue
		}
		if old.counted != 0 {
			s.figures, s.counted = old.figures, -1 // to be counted with the next tick
		}
		for _, sr := range s.series {
			if o := old.byKey[sr.key]; o != nil {
				sr.stepped, sr.verdict, sr.gate, sr.withheld = o.stepped, o.verdict, o.gate, o.withheld
			}
		}
	}
}

// Core gives the state to those who change it between ticks: backfill.
func (in *Instance) Core() *Core { return in.core }

// resume moves the clock of the instance forward to a tick that another source has filled.
func (in *Instance) resume(t int64) error {
	if t <= in.last {
		return nil
	}
	in.last = t
	return in.o.Ledger.Update(func(tx *bbolt.Tx) error { return state.PutTime(tx, lastTickKey, t) })
}
