package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// DefaultFuture is how far ahead of our clock a sample may be.
const DefaultFuture = 10 * time.Minute

// DefaultFloor is the earliest time a sample may have. A machine whose clock was never set believes in 1970.
var DefaultFloor = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// bornWithin is how long before its first sample a counter may have begun for that to matter: what began earlier has
// counted in ranges that are over.
const bornWithin = time.Hour

// GuardOptions configure a Guard. The zero value of a field is its default.
type GuardOptions struct {
	Future     time.Duration         // allowance for clocks ahead of ours; DefaultFuture
	Floor      time.Time             // DefaultFloor
	Limits     Limits                // none
	Series     func() uint64         // how many series the store has in memory; required by Limits.Series
	LateAfter  time.Duration         // samples this much older than now are counted as late; 0 counts none
	Ceiling    *Ceiling              // of memory; nil is none
	Now        func() time.Time      // time.Now
	Registerer prometheus.Registerer // nil: the counters are registered nowhere
	Logger     *slog.Logger          // nil discards
}

// Limits bound what a series may be, and how many there may be. 0 is no limit.
type Limits struct {
	Series          int // known to the store: more are refused, those that are known go on
	Labels          int // of a series
	LabelNameBytes  int
	LabelValueBytes int
}

// Guard stands in front of a store. A single sample from next year would make a TSDB refuse everything that comes after
// it, and a first one from 1970 would make it begin there: such samples are refused here, alone, with an error that
// scraping and remote-write take as the fault of the sample and not of the batch around it.
//
// It is safe for concurrent use if the store is.
type Guard struct {
	next     storage.AppendableV2
	now      func() time.Time
	future   time.Duration
	floor    int64
	limits   Limits
	series   func() uint64
	memory   *Ceiling
	teller   teller
	accepted prometheus.Counter
	lateness int64 // milliseconds
	late     atomic.Int64
	rejected map[Reason]prometheus.Counter
}

var _ storage.AppendableV2 = (*Guard)(nil)

// NewGuard returns a guard in front of next.
func NewGuard(next storage.AppendableV2, o GuardOptions) *Guard {
	if o.Future == 0 {
		o.Future = DefaultFuture
	}
	if o.Floor.IsZero() {
		o.Floor = DefaultFloor
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	factory := promauto.With(o.Registerer)
	g := &Guard{
		next:   next,
		now:    o.Now,
		future: o.Future,
		floor:  o.Floor.UnixMilli(),
		limits: o.Limits,
		series: o.Series,
		memory: o.Ceiling,
		teller: teller{logger: o.Logger, last: map[Reason]time.Time{}},
		accepted: factory.NewCounter(prometheus.CounterOpts{
			Name: "baseliner_ingest_samples_total",
			Help: "Samples written to the live store.",
		}),
		rejected: make(map[Reason]prometheus.Counter, len(reasons)),
		lateness: o.LateAfter.Milliseconds(),
	}
	if g.lateness > 0 {
		factory.NewCounterFunc(prometheus.CounterOpts{
			Name: "baseliner_ingest_late_samples_total",
			Help: "Samples that came after the tick they belong to was evaluated: stored, and learnt when their hour closes.",
		}, func() float64 { return float64(g.late.Load()) })
	}
	rejected := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "baseliner_ingest_rejected_samples_total",
		Help: "Samples refused by the live store or the guard in front of it, by reason.",
	}, []string{"reason"})
	for _, r := range reasons {
		g.rejected[r] = rejected.WithLabelValues(string(r))
	}
	return g
}

// Late is how many samples came late so far.
func (g *Guard) Late() int64 { return g.late.Load() }

// Refuse counts n samples that a receiver did not even offer.
func (g *Guard) Refuse(why *RefusedError, n int) {
	g.rejected[why.Reason].Add(float64(n))
	g.teller.tell(g.now(), why.Reason, why.Detail)
}

// Full tells that memory is short: series that are new are refused.
func (g *Guard) Full() bool { return g.memory.Full() }

// Check says whether a sample of that time (unix milliseconds) would be refused.
func (g *Guard) Check(t int64) *RefusedError { return g.check(t, g.ceiling()) }

func (g *Guard) ceiling() int64 { return g.now().Add(g.future).UnixMilli() }

// AppenderV2 implements storage.AppendableV2. What counts as the future is decided now, for the whole life of the
// appender: it is meant for one scrape or one request.
func (g *Guard) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &appender{
		AppenderV2: g.next.AppenderV2(ctx),
		guard:      g,
		ceiling:    g.ceiling(),
		lateBefore: g.now().UnixMilli() - g.lateness,
	}
}

// appender is one transaction. Like every appender it belongs to one goroutine.
type appender struct {
	storage.AppenderV2
	guard   *Guard
	ceiling int64
	pending int // appended, not yet committed
	late    int // of them

	lateBefore int64
}

// Append implements storage.AppenderV2.
func (a *appender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	if err := a.guard.check(t, a.ceiling); err != nil {
		a.guard.Refuse(err, 1)
		return 0, err
	}
	if ref == 0 { // who knows the series knows that it was let in
		if err := a.admit(ls); err != nil {
			a.guard.Refuse(err, 1)
			return 0, err
		}
	}
	if st <= 0 || st >= t || t-st > bornWithin.Milliseconds() {
		st = 0
	}
	ref, err := a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
	reason := ReasonOf(err)
	if reason == "" {
		a.pending++
		if t < a.lateBefore {
			a.late++
		}
		return ref, err
	}
	a.guard.rejected[reason].Inc()
	a.guard.teller.tell(a.guard.now(), reason, fmt.Sprintf("%s at %s: %s", ls, instant(t), err))
	if reason == TooOld {
		// The scrape loop gives up a whole scrape for an error it does not know, and this one it does not.
		return 0, &RefusedError{TooOld, err.Error()}
	}
	return ref, err
}

func (g *Guard) check(t, ceiling int64) *RefusedError {
	switch {
	case t > ceiling:
		return &RefusedError{TooFarInFuture, fmt.Sprintf("its time %s is more than %s ahead of our clock (limits.future)", instant(t), g.future)}
	case t < g.floor:
		return &RefusedError{TooFarInPast, fmt.Sprintf("its time %s is that of a clock that was never set", instant(t))}
	}
	return nil
}

// instant prints a time in milliseconds, whatever it is.
func instant(t int64) string {
	if at := time.UnixMilli(t).UTC(); at.Year() >= 0 && at.Year() <= 9999 {
		return at.Format(time.RFC3339)
	}
	return fmt.Sprintf("%d ms", t)
}

// Commit implements storage.AppenderTransaction. Samples count as accepted once it succeeded.
func (a *appender) Commit() error {
	if err := a.AppenderV2.Commit(); err != nil {
		return err
	}
	a.guard.accepted.Add(float64(a.pending))
	if a.guard.lateness > 0 {
		a.guard.late.Add(int64(a.late))
	}
	a.pending, a.late = 0, 0
	return nil
}
