package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

// forgetAfter is how long a series may be unseen before its state is dropped.
const forgetAfter = 30 * 24 * time.Hour

// Core steps signals from tick to tick. It knows no clock and no store. It is not safe for concurrent use.
type Core struct {
	signals []*Signal
	byName  map[string]*Signal
	teams   []*team  // in the order of their first signals
	out     Output   // of the step; here, so that it costs no allocation
	reused  []Judged // of the step before, where the caller has done with it; else nil

	stories   *stories // nil follows none
	silenced  Silenced
	marks     func() *Marks // what was deployed when; nil knows of nothing
	forgotten *Forgotten
	covered   []forgotten // windows of coveredOf at coveredAt
	coveredOf *Forgotten
	coveredAt int64
}

// Signal is a definition with the state of its series.
type Signal struct {
	Def       signal.Definition
	Zone      *calendar.Calendar // shared by all signals of one zone
	core      *Core
	identity  string
	outdated  bool // its models were folded with another calendar, or without knowing what was unlearned since
	rule      detect.Rule
	team      *team
	budget    detect.Budget
	realised  detect.Realised
	figures   Figures        // of realised, as of the last hour that was counted
	counted   int64          // that hour
	absence   detect.Absence // of the signal as a whole
	shape     signal.Shape
	uncovered detect.Uncovered // whether any of its series lost reporters
	slot      int              // of the week, at slotOf
	slotOf    int64
	lacks     map[int64]float64 // of an explanation: what was recorded, instead of what is known of reporters
	waiting   series.Missing    // why nothing was ever observed of it
	series    []*Series         // sorted by key
	byKey     map[string]*Series
	young     []*Series     // may want to borrow; derived
	ownLabels series.Labels // of its alerts as a whole, made when somebody asks
}

// Series is one series of a signal.
type Series struct {
	Labels   series.Labels
	ID       state.SeriesID
	key      string
	model    *baseline.Model
	anomaly  detect.State
	absence  detect.Absence
	coverage *detect.Coverage // nil while it stands on one reporter
	lack     float64          // at the last tick
	crossing detect.Crossing
	quiet    bool           // its alert was told beyond the budget and does not page
	stepped  int64          // last tick
	missing  series.Missing // of its last tick
	lastSeen int64          // last observed point
	verdict  baseline.Verdict
	gate     detect.Gate
	withheld string // why its last point did not teach

	course      incident.Course
	alertLabels series.Labels // made when somebody asks
}

// Observation is what a tick brought of one series. Its point may be missing.
type Observation struct {
	Labels series.Labels
	Point  series.Point
}

// Input is what a tick brought of one signal.
type Input struct {
	Signal       *Signal
	Observations []Observation
	// Otherwise is the reason of those series that the observations do not mention …
	Otherwise series.Missing
	// … unless they are to keep the one they had: a recording notes changes only.
	KeepReasons bool
}

// Judged is a point with all that was decided on it.
type Judged struct {
	Signal  *Signal
	Series  *Series
	Verdict *baseline.Verdict // of the series, until its next step
	Gate    detect.Gate
	// Changed says that the reason for being missing is another than at the tick before.
	Changed bool
}

// Occurrence is an event of one series, or of a signal as a whole when Series is nil.
type Occurrence struct {
	Signal   *Signal
	Series   *Series
	Absent   bool       // else an anomaly …
	Coverage *Shortfall // … or reporters that were lost, if not nil
	Quiet    bool       // told beyond the budget: it does not page
	Event    detect.Event
	Verdict  baseline.Verdict
	Shift    *Shift // why it is over, when it is because the level that it left is not the normal one any more

	Incident string             // that it is part of, if any
	Ranked   bool               // somebody looked for what may explain it …
	Causes   []incident.Suspect // … and found this, best first
	Deploys  []incident.Event   // shortly before it
}

// Closed is an hour that became final.
type Closed struct {
	Signal  *Signal
	Series  *Series
	Summary baseline.Summary
}

// Output is what a tick came to.
type Output struct {
	T       int64
	Judged  []Judged
	Events  []Occurrence
	Closed  []Closed
	Dropped []*Series // unseen for too long

	Stories []StoryChange // of incidents
	Updates []Occurrence  // anomalies that began before and became part of an incident
}

// NewCore builds the signals of a configuration without any state.
func NewCore(defs []signal.Definition) (*Core, error) {
	c := &Core{byName: map[string]*Signal{}}
	calendars := calendars{}
	for _, d := range defs {
		zone, err := calendars.of(&d)
		if err != nil {
			return nil, fmt.Errorf("signal %s: %w", d.Name, err)
		}
		s := &Signal{
			Def: d, Zone: zone, core: c, identity: d.Identity(), byKey: map[string]*Series{}, shape: d.Shape(),
			rule: detect.Rule{
				Direction: d.Direction, MinAbsolute: d.MinChange.Absolute, MinRelative: d.MinChange.Relative,
				For: d.For, KeepFiringFor: d.KeepFiringFor, LostAfter: d.AbsentFor, Interval: d.Interval,
			},
		}
		c.signals = append(c.signals, s)
		c.byName[d.Name] = s
		c.join(s)
	}
	return c, nil
}

// calendars are built once for each zone and set of rules.
type calendars map[calendarKey]*calendar.Calendar

type calendarKey struct {
	zone  string
	rules *calendar.Rules
}

func (m calendars) of(d *signal.Definition) (*calendar.Calendar, error) {
	key := calendarKey{d.Zone, d.Calendar}
	if m[key] == nil {
		zone, err := calendar.Load(d.Zone)
		if err != nil {
			return nil, err
		}
		if m[key], err = calendar.New(zone, d.Calendar); err != nil {
			return nil, err
		}
	}
	return m[key], nil
}

// Signals returns the signals in the order of the configuration.
func (c *Core) Signals() []*Signal { return c.signals }

// Signal returns the signal of that name, nil when there is none.
func (c *Core) Signal(name string) *Signal { return c.byName[name] }

// Size counts the series.
func (c *Core) Size() (n int) {
	for _, s := range c.signals {
		n += len(s.series)
	}
	return n
}

// Step takes what the tick t brought. Signals that are not mentioned were not due. The verdicts in
// the output are valid until the next step.
func (c *Core) Step(t int64, inputs []Input) Output {
	c.out = Output{T: t}
	out := &c.out
	n := 0
	for _, in := range inputs {
		n += max(len(in.Observations), len(in.Signal.series))
	}
	if out.Judged = c.reused[:0]; cap(out.Judged) < n {
		out.Judged = make([]Judged, 0, n)
	}
	c.turn(t)
	for _, in := range inputs {
		c.lend(in.Signal, t)
	}
	for _, in := range inputs {
		in.Signal.step(t, in, out)
	}
	c.tell(t, out)
	return *out
}

func (s *Signal) step(t int64, in Input, out *Output) {
	s.waiting = in.Otherwise
	for _, o := range in.Observations {
		sr := s.find(o.Labels)
		if sr == nil {
			if o.Point.Missing != series.Observed {
				s.waiting = o.Point.Missing
				continue // nothing was ever seen of it
			}
			sr = s.add(o.Labels)
		}
		if sr.stepped == t {
			continue // the first one wins; the evaluation counted the other
		}
		o.Point.T = t
		if !sane(o.Point.Value) && o.Point.Missing == series.Observed {
			o.Point = series.Point{T: t, Value: math.NaN(), Missing: series.NotANumber}
		}
		s.stepSeries(sr, o.Point, out)
	}
	var forgotten []*Series
	for _, sr := range s.series {
		if sr.stepped == t {
			continue
		}
		if t-sr.lastSeen > forgetAfter.Milliseconds() {
			forgotten = append(forgotten, sr)
			continue
		}
		reason := in.Otherwise
		if in.KeepReasons && sr.missing != series.Observed {
			reason = sr.missing
		}
		s.stepSeries(sr, series.Point{T: t, Missing: reason}, out)
	}
	for _, sr := range forgotten {
		s.drop(sr, t, out)
	}
	s.stepAbsence(t, out)
	s.stepCoverage(t, out)
}

// sane refuses what is no measurement: NaN, infinities, and the huge numbers by which programs say "unlimited". One of
// them would poison every mean it enters.
func sane(v float64) bool { return math.Abs(v) <= 1e30 }

func (s *Signal) stepSeries(sr *Series, p series.Point, out *Output) {
	level := sr.model.LevelMark()
	s.close(sr, p.T, out)
	over, shift := s.resettle(sr, level, p.T)
	s.deploy(sr, p.T)
	if p.Missing == series.Observed {
		s.withhold(sr, p.T)
	}
	sr.lack = s.cover(sr, p)
	of := p
	of.T = s.modelTime(p.T)
	v := &sr.verdict
	sr.model.Judge(of, v)
	v.T = p.T
	in := detect.Input{
		T: p.T, Missing: p.Missing, Known: v.Known, Value: p.Value, Expected: v.Center, Score: v.Score, Returning: v.Returning, Context: v.Gates[baseline.Context].Score(), Lack: sr.lack,
	}
	for _, e := range over {
		out.Events = append(out.Events, Occurrence{Signal: s, Series: sr, Quiet: sr.quiet, Event: e, Verdict: *v, Shift: shift})
	}
	in.Tell = s.worth(sr, in, v)
	if s.core.stories != nil {
		sr.remembers(v, s)
	}
	events, gate := s.rule.Step(&sr.anomaly, in)
	for _, e := range events {
		s.spend(sr, &e, p.T)
		out.Events = append(out.Events, Occurrence{Signal: s, Series: sr, Quiet: sr.quiet, Event: e, Verdict: *v})
	}
	if e, ok := s.grow(sr); ok {
		out.Events = append(out.Events, Occurrence{Signal: s, Series: sr, Event: e, Verdict: *v})
	}
	if s.Def.AbsentFor > 0 {
		if e, ok := sr.absence.Step(s.Def.AbsentFor, s.Def.Interval, p.T, p.Missing); ok {
			out.Events = append(out.Events, Occurrence{Signal: s, Series: sr, Absent: true, Event: e, Verdict: *v})
		}
	}
	if p.Missing == series.Observed {
		sr.lastSeen = p.T
	}
	out.Judged = append(out.Judged, Judged{s, sr, v, gate, p.Missing != sr.missing})
	sr.stepped, sr.missing, sr.gate = p.T, p.Missing, gate
}

// stepAbsence watches the signal as a whole, unless each of its series is watched.
func (s *Signal) stepAbsence(t int64, out *Output) {
	if s.Def.AbsentFor > 0 || len(s.series) == 0 {
		return
	}
	// One series that lives, or of which we cannot tell, speaks for the signal.
	reason := s.series[0].missing
	for _, sr := range s.series {
		if sr.missing == series.Observed {
			reason = series.Observed
			break
		}
		if !sr.missing.SourceGone() {
			reason = sr.missing
		}
	}
	if e, ok := s.absence.Step(detect.DefaultAbsentFor, s.Def.Interval, t, reason); ok {
		out.Events = append(out.Events, Occurrence{Signal: s, Absent: true, Event: e})
	}
}

func (s *Signal) find(ls series.Labels) *Series { return s.byKey[ls.Key()] }

func (s *Signal) add(ls series.Labels) *Series {
	sr := &Series{
		Labels: ls, key: ls.Key(), ID: state.IDOf(s.identity, ls),
		model: s.newModel(),
	}
	s.byKey[sr.key] = sr
	s.young = append(s.young, sr)
	at, _ := slices.BinarySearchFunc(s.series, sr.key, func(a *Series, key string) int { return strings.Compare(a.key, key) })
	s.series = slices.Insert(s.series, at, sr)
	return sr
}

// newModel returns a model for what the signal's values are.
func (s *Signal) newModel() *baseline.Model {
	switch {
	case s.Def.Ratio != nil:
		window := s.Def.Window
		if s.daily() {
			window /= 24
		}
		return baseline.New(s.modelCalendar(), s.modelStep(), baseline.OfRatio(window))
	case s.Def.Kind == "count":
		return baseline.New(s.modelCalendar(), s.modelStep(), baseline.OfCounts())
	}
	return baseline.New(s.modelCalendar(), s.modelStep())
}

// drop forgets a series and ends what it had open.
func (s *Signal) drop(sr *Series, t int64, out *Output) {
	for _, e := range sr.anomaly.Break(t) {
		out.Events = append(out.Events, Occurrence{Signal: s, Series: sr, Quiet: sr.quiet, Event: e, Verdict: sr.verdict})
	}
	if sr.absence.Firing {
		e := detect.Event{Kind: detect.End, StartsAt: sr.absence.StartAt, EndsAt: t}
		out.Events = append(out.Events, Occurrence{Signal: s, Series: sr, Absent: true, Event: e, Verdict: sr.verdict})
	}
	delete(s.byKey, sr.key)
	s.series = slices.DeleteFunc(s.series, func(x *Series) bool { return x == sr })
	s.young = slices.DeleteFunc(s.young, func(x *Series) bool { return x == sr })
	out.Dropped = append(out.Dropped, sr)
}
