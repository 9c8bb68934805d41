package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"go.etcd.io/bbolt"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// Names of the ledger's records.
const (
	lastTickKey   = "last_tick"
	identitiesKey = "identities"
)

// Herald takes the transitions of a tick into the tick's transaction.
type Herald interface {
	// Put keeps the transitions; those it knows already are ignored.
	Put(tx *bbolt.Tx, now int64, ts []Transition) error
	// Committed is called after the transaction; Put may have been called several times when it failed.
	Committed()
	// Stranded is called when the transaction failed, with what the next one will put again. What was stranded before
	// may be among it.
	Stranded(ts []Transition, why error)
	// Firing calls f for every alert that has not been resolved.
	Firing(f func(labels map[string]string, startsAt int64))
}

// Transition is the begin or the end of an alert, or that it pages by now.
type Transition struct {
	Words
	Firing           bool
	Escalated        bool   // it fires since before, told not to page, and pages now
	Graver           bool   // an incident that was told as a lesser one
	StartsAt, EndsAt int64  // unix milliseconds; EndsAt is 0 while it fires
	Incident         string // that it is part of
	Updated          int64  // when nothing but the words changed; else 0
}

// Options of an instance. Everything is required but the last block.
type Options struct {
	Dir     string // of the storage: snapshots
	Ledger  *state.Ledger
	Live    *tsdb.DB
	History *tsdb.DB
	Engine  *promql.Engine
	Herald  Herald

	Annotations   *Annotations // whose windows nothing is learnt from
	Unlearned     *Unlearned   // further windows
	Silenced      Silenced
	Ties          Ties              // what incidents are told by
	Topology      *Topology         // who calls whom, in place of that of Ties
	Samples       storage.Queryable // what signals are evaluated on; Live by default
	Remote        *promql.Remote    // evaluates signals instead of Engine, if not nil
	Recorder      storage.Appendable
	Late          func() int64 // samples so far that came after the tick they belong to; nil: nobody counts them
	Intervals     promql.Intervals
	External      map[string]string // labels of every alert
	Page          *url.URL          // of this instance's pages
	SnapshotEvery time.Duration     // 15 minutes by default
	HistoryKeep   time.Duration     // 60 days by default
	Logger        *slog.Logger
	Registerer    prometheus.Registerer
}

// Instance is a core with its stores. Tick, Reload and Snapshot are for one goroutine, the driver's; the views are for
// any.
type Instance struct {
	o        Options
	metrics  *metrics
	eval     *Evaluator
	recorder *Recorder
	known    map[state.SeriesID]bool

	mu      sync.RWMutex // guards core and what follows against readers
	core    *Core
	last    int64             // newest tick
	failing map[string]string // signal → last error

	snapshotAt   int64
	snapshotSize int   // bytes of the last one
	historyTo    int64 // hours before this one are in history
	pruned       int64 // day of the last pruning
	lateTo       int64 // hours before this one are closed to what comes late
	lateSeen     int64 // late samples by then; −1 after a restart, when some may have come before
	relearning   atomic.Bool
	beside       func(work func(context.Context, Between)) // runs long work beside the ticks; nil: at once, as when simulated
	// What a failed commit left for the next one.
	transitions []Transition
	incidents   []state.Incident
	closed      []Closed
	dropped     []*Series
	summed      int // losses, at this tick

	upSince, downSince int64 // the hole in our own samples, unix milliseconds
}

// Open recovers the state of the definitions from snapshot, recording and history.
func Open(ctx context.Context, defs []signal.Definition, o Options) (*Instance, error) {
	if o.Samples == nil {
		o.Samples = o.Live
	}
	if o.Recorder == nil {
		o.Recorder = o.Live
	}
	if o.SnapshotEvery == 0 {
		o.SnapshotEvery = 15 * time.Minute
	}
	if o.HistoryKeep == 0 {
		o.HistoryKeep = 60 * 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	in := &Instance{
		o: o, metrics: newMetrics(o.Registerer), known: map[state.SeriesID]bool{}, failing: map[string]string{},
		recorder: &Recorder{Store: o.Recorder},
	}
	in.eval = &Evaluator{Engine: o.Engine, Store: o.Samples, Remote: o.Remote, Intervals: func() promql.Intervals { return in.o.Intervals }}
	core, err := in.newCore(defs)
	if err != nil {
		return nil, err
	}
	if err := in.recover(ctx, core); err != nil {
		return nil, err
	}
	return in, nil
}

// newCore builds the signals with what the instance knows beside them.
func (in *Instance) newCore(defs []signal.Definition) (*Core, error) {
	core, err := NewCore(defs)
	if err != nil {
		return nil, err
	}
	core.SetForgotten(in.forgets())
	core.SetSilenced(in.o.Silenced)
	ties := in.o.Ties
	if in.o.Topology != nil {
		ties.Topology = in.o.Topology.At
	}
	core.TellStories(ties)
	if in.o.Annotations != nil {
		core.marks = in.o.Annotations.Marks
	}
	return core, nil
}

// LastTick returns the newest tick, 0 before the first.
func (in *Instance) LastTick() int64 {
	in.mu.RLock()
	defer in.mu.RUnlock()
	return in.last
}

// Down tells the instance that no samples came in between the two instants: what is missing there is our own fault and
// not the source's.
func (in *Instance) Down(since, until int64) { in.downSince, in.upSince = since, until }

// SetTies takes over what incidents are told by, with the next Reload.
func (in *Instance) SetTies(t Ties) { in.o.Ties = t }

// Tick evaluates, judges and commits one instant. It returns an error only when nothing was committed.
func (in *Instance) Tick(ctx context.Context, t int64) error {
	ctx, span := otel.Tracer("baseliner").Start(ctx, "tick", trace.WithAttributes(attribute.Int64("tick_unix_milliseconds", t)))
	defer span.End()
	phase := in.stopwatch()
	in.keepUp()

	var signals []*Signal
	for _, s := range in.core.signals {
		if due(s, t) {
			signals = append(signals, s)
		}
	}
	evaluated := in.evaluate(ctx, t, signals)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("tick %s: %w", clockText(t), err) // half an evaluation is none
	}
	inputs := make([]Input, len(evaluated))
	for i := range evaluated {
		in.report(&evaluated[i])
		in.ownUp(&evaluated[i].Input, t, evaluated[i].Offset)
		inputs[i] = evaluated[i].Input
	}
	in.lookAround(ctx, t)
	phase("evaluate")

	in.mu.Lock()
	out := in.core.Step(t, inputs)
	in.last = t
	in.mu.Unlock()
	phase("step")

	// From here on the tick has happened. Without its record a restart will not know these points; the alerts are
	// told all the same.
	if err := in.recorder.Record(ctx, &out); err != nil {
		in.metrics.commitErrors.WithLabelValues("live").Inc()
		in.o.Logger.Error("tick was not recorded; a restart would not know its points", "tick", clockText(t), "err", err)
	}
	phase("record")
	err := in.commit(ctx, &out, t)
	phase("commit")
	in.count(&out)
	in.housekeeping(ctx, t)
	return err
}

// commit puts the tick into the ledger. What fails is kept for the next tick.
func (in *Instance) commit(ctx context.Context, out *Output, lastTick int64) error {
	in.collect(ctx, out)
	err := in.o.Ledger.Update(func(tx *bbolt.Tx) error {
		if err := putClosed(tx, in.closed, in.known, state.MergeSummary); err != nil {
			return err
		}
		for _, sr := range in.dropped {
			if err := state.DropSeries(tx, sr.ID); err != nil {
				return err
			}
		}
		if err := in.o.Herald.Put(tx, out.T, in.transitions); err != nil {
			return err
		}
		if err := putIncidents(tx, in.incidents); err != nil {
			return err
		}
		return state.PutTime(tx, lastTickKey, lastTick)
	})
	if err != nil {
		clear(in.known) // it may name series that were rolled back
		in.metrics.commitErrors.WithLabelValues("ledger").Inc()
		in.o.Herald.Stranded(in.transitions, err)
		return fmt.Errorf("commit tick %s: %w", clockText(out.T), err)
	}
	in.o.Herald.Committed()
	for _, sr := range in.dropped {
		delete(in.known, sr.ID)
	}
	in.transitions, in.incidents, in.closed, in.dropped = nil, nil, nil, nil
	return nil
}

func (in *Instance) collect(ctx context.Context, out *Output) {
	in.summed = 0
	for i := range out.Events {
		t := in.transition(ctx, &out.Events[i], out.T)
		in.transitions = append(in.transitions, t)
		firing := "resolved"
		switch {
		case t.Escalated:
			firing = "paging"
		case t.Firing:
			firing = "firing"
			if out.Events[i].Quiet {
				in.metrics.quiet.WithLabelValues(out.Events[i].Signal.team.name).Inc()
			}
		}
		in.metrics.transitions.WithLabelValues(firing, t.Labels["type"]).Inc()
		in.o.Logger.Info("alert", "summary", t.Annotations["summary"], "state", firing, "signal", t.Labels["signal"], "severity", t.Labels["severity"], "tick", clockText(out.T))
	}
	for i := range out.Stories {
		in.tellStory(ctx, &out.Stories[i], out.T)
	}
	for i := range out.Updates {
		t := in.transition(ctx, &out.Updates[i], out.T)
		t.Updated = out.T
		in.transitions = append(in.transitions, t)
	}
	in.closed = append(in.closed, out.Closed...)
	in.dropped = append(in.dropped, out.Dropped...)
}

func (in *Instance) transition(ctx context.Context, o *Occurrence, t int64) Transition {
	out := Transition{
		Words: Describe(o, t, in.o.External, in.o.Page), Firing: o.Event.Kind != detect.End, Escalated: o.Event.Kind == detect.Grow,
		StartsAt: o.Event.StartsAt, EndsAt: o.Event.EndsAt, Incident: o.Incident,
	}
	if !o.Absent && o.Coverage == nil {
		to := t
		if !out.Firing {
			to = o.Event.EndsAt
		}
		if l, ok := in.lossNow(ctx, o.Signal, o.Series, o.Event.StartsAt, to, lossesOfAlerts); ok {
			out.Annotations["impact"] = l.String()
		}
	}
	return out
}

// report counts what an evaluation could not give and logs when that changes.
func (in *Instance) report(ev *Evaluated) {
	name := ev.Signal.Def.Name
	if ev.Duplicates > 0 {
		in.metrics.duplicates.Add(float64(ev.Duplicates))
	}
	text := ""
	if ev.Err != nil {
		text = ev.Err.Error()
		in.metrics.failures.WithLabelValues(name).Inc()
	}
	if text == in.failing[name] {
		return
	}
	in.mu.Lock()
	in.failing[name] = text
	in.mu.Unlock()
	if text != "" {
		in.o.Logger.Warn("signal could not be evaluated; its series are missing until it can", "signal", name, "err", ev.Err)
	} else {
		in.o.Logger.Info("signal can be evaluated again", "signal", name)
	}
}

// ownUp takes the blame for what is missing because we were not there to see it.
func (in *Instance) ownUp(input *Input, t int64, offset time.Duration) {
	if t <= in.downSince || t-offset.Milliseconds() > in.upSince {
		return
	}
	blame := func(m *series.Missing) {
		if m.SourceGone() {
			*m = series.Downtime
		}
	}
	blame(&input.Otherwise)
	for i := range input.Observations {
		blame(&input.Observations[i].Point.Missing)
	}
}

func (in *Instance) count(out *Output) {
	in.metrics.ticks.Inc()
	in.metrics.lastTick.Set(float64(out.T) / 1000)
	var by [16]int
	for i := range out.Judged {
		by[out.Judged[i].Verdict.Missing&15]++
	}
	for m, n := range by {
		if n > 0 {
			in.metrics.points.WithLabelValues(series.Missing(m).String()).Add(float64(n))
		}
	}
	in.publish(out.T)
	for s, n := range in.states() {
		in.metrics.series.WithLabelValues(s).Set(float64(n))
	}
}

// states counts the series by where they stand.
func (in *Instance) states() map[string]int {
	states := map[string]int{"learning": 0, "thin": 0, "known": 0, "missing": 0}
	for _, s := range in.core.signals {
		for _, sr := range s.series {
			switch {
			case sr.missing != series.Observed:
				states["missing"]++
			case sr.verdict.Known:
				states["known"]++
			case sr.verdict.Why == baseline.Thin:
				states["thin"]++
			default:
				states["learning"]++
			}
		}
	}
	return states
}

// evaluate gives the signals most of the tick's time. One that needs longer has failed; the others have not.
func (in *Instance) evaluate(ctx context.Context, t int64, signals []*Signal) []Evaluated {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*4/5)
		defer cancel()
	}
	return in.eval.At(ctx, t, signals)
}

// Missed counts ticks that nobody evaluated.
func (in *Instance) Missed(n int64, reason series.Missing) {
	if n > 0 {
		in.metrics.missed.WithLabelValues(reason.String()).Add(float64(n))
		in.o.Logger.Warn("ticks were not evaluated; their points are missing", "ticks", n, "reason", reason.String())
	}
}

func (in *Instance) stopwatch() func(phase string) {
	last := time.Now()
	return func(phase string) {
		now := time.Now()
		in.metrics.duration.WithLabelValues(phase).Observe(now.Sub(last).Seconds())
		last = now
	}
}

// clockText prints an instant for people; the zero one is none.
func clockText(t int64) string {
	if t == 0 {
		return "none"
	}
	return time.UnixMilli(t).UTC().Format(time.RFC3339)
}
