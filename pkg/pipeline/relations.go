package pipeline

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/state"
)

// Names of the ledger's records of frozen families: that of the last week and that of the one before.
const (
	relationsKey       = "relations"
	relationsBeforeKey = "relations_before"
)

const (
	relationWeeks = 8   // at most
	maxOutcomes   = 20  // business series; further ones are left out, and logged
	maxDrivers    = 500 // series below them, likewise
	// finalHour is how long after an hour its summary may still change.
	finalHour = 20 * time.Minute
)

// RelationsOptions says what is learnt, and from where.
type RelationsOptions struct {
	Ledger  *state.Ledger
	Members func() ([]Member, *Forgotten)
	Ties    *LearnedTies   // that incidents are told by; nil keeps none
	Zone    *calendar.Zone // in which weeks begin
	Options correlate.Options
	Logger  *slog.Logger
}

// Relations learns what goes with what: once a week, from the hourly summaries, beside the ticks and never in them. What one
// week decided is frozen in the ledger and confirms the next.
type Relations struct {
	mu     sync.RWMutex
	o      RelationsOptions
	latest *Learnt
	key    string // what latest was learnt of
}

// Learnt is an evaluation with its hours, for reports. It is read-only.
type Learnt struct {
	Family  *correlate.Family
	Zone    *calendar.Zone
	Members map[string]Member
	// Unknown says of outcomes why there is nothing yet.
	Unknown map[string]string

	beyond []string // series that were left out because there are too many, in the order of the configuration
}

// NewRelations learns nothing until it is told to.
func NewRelations(o RelationsOptions) *Relations {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Relations{o: o}
}

// Set takes over another zone or other options, as after a reload.
func (r *Relations) Set(zone *calendar.Zone, o correlate.Options) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.o.Zone, r.o.Options = zone, o
}

// Zone is where weeks begin.
func (r *Relations) Zone() *calendar.Zone {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.o.Zone
}

// Latest is the newest evaluation; nil before the first.
func (r *Relations) Latest() *Learnt {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.latest
}

// Run learns at the start and whenever every has passed, if there is anything new.
func (r *Relations) Run(ctx context.Context, every time.Duration, now func() time.Time) error {
	timer := time.NewTicker(every)
	defer timer.Stop()
	for {
		if err := r.Learn(ctx, now().UnixMilli()); err != nil && ctx.Err() == nil {
			r.o.Logger.Error("relations were not learnt; the next hour tries again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// Learn evaluates the weeks up to the last Monday before now, unix milliseconds, unless that was done with the same series.
func (r *Relations) Learn(ctx context.Context, now int64) error {
	r.mu.RLock()
	o := r.o
	r.mu.RUnlock()
	all, forgotten := o.Members()
	members, daily := hourly(all)
	end := weekBegin(o.Zone, now-finalHour.Milliseconds())
	var key strings.Builder
	fmt.Fprint(&key, end, o.Zone.Name(), o.Options, len(members))
	for i := range members {
		key.WriteString(members[i].Name + "\x00")
	}
	if key.String() == r.key {
		return nil
	}
	began := time.Now()
	l, err := o.evaluate(ctx, members, forgotten, end)
	if err != nil {
		return err
	}
	for _, name := range daily {
		l.Unknown[name] = "it is judged once a day: relations are of hours"
	}
	if n := len(l.beyond); n > 0 {
		o.Logger.Warn("relations are learnt of some series only: there are too many", "left_out", n, "business_at_most", maxOutcomes, "others_at_most", maxDrivers,
			"first", l.beyond[:min(n, 5)])
	}
	if o.Ties != nil {
		if err := o.Ties.keep(l, now); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.latest, r.key = l, key.String()
	r.mu.Unlock()
	shown := 0
	for _, s := range l.Family.Studies {
		shown += len(s.Findings())
	}
	o.Logger.Info("relations were learnt", "week_before", clockText(end*hourMillis), "weeks", l.Family.Weeks, "pairs", l.Family.Tested,
		"groups", l.Family.Groups, "shown", shown, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// evaluate makes the family of the week that ends at an hour, or takes it from the ledger, and freezes it.
func (o *RelationsOptions) evaluate(ctx context.Context, members []Member, forgotten *Forgotten, end int64) (*Learnt, error) {
	l, err := o.tryAll(ctx, members, forgotten, end)
	if err != nil {
		return nil, err
	}
	frozen, before, err := o.load(end)
	if err != nil {
		return nil, err
	}
	if frozen != nil {
		l.thaw(frozen)
		return l, nil
	}
	if before == nil { // the first week, or one that nobody saw: the week before is evaluated now
		earlier, err := o.tryAll(ctx, members, forgotten, end-correlate.HoursPerWeek)
		if err != nil {
			return nil, err
		}
		before = earlier.Family
	}
	l.Family.Confirm(before)
	for _, s := range l.Family.Studies {
		s.Trim()
	}
	return l, o.save(l.Family, before)
}

// thaw takes the decisions of a frozen family.
func (l *Learnt) thaw(frozen *correlate.Family) {
	for _, s := range l.Family.Studies {
		old := &correlate.Study{}
		for _, f := range frozen.Studies {
			if f.Outcome == s.Outcome {
				old = f
			}
		}
		s.Trim()
		s.Thaw(old)
	}
	frozen.Studies, l.Family = l.Family.Studies, frozen
}

// tryAll tries all drivers on all outcomes in the weeks before an hour.
func (o *RelationsOptions) tryAll(ctx context.Context, members []Member, forgotten *Forgotten, end int64) (*Learnt, error) {
	l := &Learnt{Zone: o.Zone, Members: map[string]Member{}, Unknown: map[string]string{}}
	f := &correlate.Frame{First: end - relationWeeks*correlate.HoursPerWeek, Slots: make([]int16, relationWeeks*correlate.HoursPerWeek)}
	for i := range f.Slots {
		f.Slots[i] = int16(o.Zone.HourOfWeek((f.First + int64(i)) * hourMillis))
	}
	var outcomes, drivers []*correlate.Series
	for i := range members {
		m := &members[i]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if m.Business() && len(outcomes) == maxOutcomes || !m.Business() && len(drivers) == maxDrivers {
			l.Unknown[m.Name] = fmt.Sprintf("too many series: relations are learnt of %d business series and %d others", maxOutcomes, maxDrivers)
			l.beyond = append(l.beyond, m.Name)
			continue
		}
		s, err := m.hoursOf(o.Ledger, forgotten, f)
		if err != nil {
			return nil, fmt.Errorf("read history of %s: %w", m.Name, err)
		}
		l.Members[m.Name] = *m
		if m.Business() {
			outcomes = append(outcomes, s)
		} else {
			drivers = append(drivers, s)
		}
	}
	var volume *correlate.Series
	if m := traffic(members); m != nil {
		for _, s := range append(append([]*correlate.Series{}, outcomes...), drivers...) {
			if s.Name == m.Name {
				volume = s
			}
		}
	}
	var studies []*correlate.Study
	for _, y := range outcomes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		in := correlate.Input{Frame: f, Outcome: y, Drivers: drivers}
		if volume != nil && volume != y && y.Kind != correlate.Share {
			in.Volume = volume
		}
		weeks := wholeWeeks(y)
		if weeks < correlate.MinWeeks {
			l.Unknown[y.Name] = fmt.Sprintf("%d whole weeks of history, want %d", weeks, correlate.MinWeeks)
			continue
		}
		s, err := correlate.Try(in.Part(f.Rows()-weeks*correlate.HoursPerWeek, f.Rows()), o.Options)
		if err != nil {
			l.Unknown[y.Name] = err.Error()
			continue
		}
		studies = append(studies, s)
	}
	l.Family = correlate.Decide(studies, o.Options)
	if l.Family.End == 0 {
		l.Family.End = end
	}
	return l, nil
}

// wholeWeeks are the weeks at the end of the rows in which the series is known at all.
func wholeWeeks(s *correlate.Series) int {
	for i, v := range s.Values {
		if v == v {
			return (len(s.Values) - i) / correlate.HoursPerWeek
		}
	}
	return 0
}

// load returns the frozen family of the week that ends at an hour, and of the one before; nil where there is none.
func (o *RelationsOptions) load(end int64) (frozen, before *correlate.Family, err error) {
	read := func(name string) (f *correlate.Family, err error) {
		var b []byte
		if err = o.Ledger.View(func(tx *bbolt.Tx) error { b = bytes.Clone(state.Meta(tx, name)); return nil }); err != nil || b == nil {
			return nil, err
		}
		f = &correlate.Family{}
		if err := gob.NewDecoder(bytes.NewReader(b)).Decode(f); err != nil || f.Method != correlate.Method {
			return nil, nil // written by another version: evaluated anew
		}
		return f, nil
	}
	a, err1 := read(relationsKey)
	b, err2 := read(relationsBeforeKey)
	for _, f := range []*correlate.Family{a, b} {
		switch {
		case f == nil:
		case f.End == end:
			frozen = f
		case f.End == end-correlate.HoursPerWeek:
			before = f
		}
	}
	return frozen, before, errors.Join(err1, err2)
}

// save freezes a family beside the one before. One without any pair is not: history may still be filled in.
func (o *RelationsOptions) save(f, before *correlate.Family) error {
	if f.Tested == 0 {
		return nil
	}
	write := func(tx *bbolt.Tx, name string, f *correlate.Family) error {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(f); err != nil {
			return err
		}
		return state.PutMeta(tx, name, b.Bytes())
	}
	return o.Ledger.Update(func(tx *bbolt.Tx) error {
		return errors.Join(write(tx, relationsKey, f), write(tx, relationsBeforeKey, before))
	})
}
