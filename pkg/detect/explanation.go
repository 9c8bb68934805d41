package detect

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// Explanation is everything that decided on one point, in JSON: from it alone, Decide comes to the same decision.
type Explanation struct {
	Signal  string            `json:"signal"`
	Labels  map[string]string `json:"labels"`
	Unit    string            `json:"unit,omitempty"`
	At      int64             `json:"at"`      // the tick, unix milliseconds
	Context string            `json:"context"` // Tue 14:00 Europe/Berlin, and what is special about the day
	Weeks   int               `json:"weeks_seen"`
	Hours   int               `json:"hours_of_history"`

	Missing  string `json:"missing"` // observed, or why there is no value
	Value    Number `json:"value"`
	Expected Number `json:"expected"`
	Lower    Number `json:"lower"`
	Upper    Number `json:"upper"`
	Known    bool   `json:"known"`              // the baseline may be judged by
	Learning string `json:"learning,omitempty"` // why not

	Views     []ViewGate `json:"views"`
	Youth     float64    `json:"youth_factor"`
	Schedule  float64    `json:"schedule_factor"`
	Power     float64    `json:"level_power"` // of the level, with which shape and noise go: 0 additive, 1 multiplicative
	Score     Number     `json:"score"`
	Anomalous bool       `json:"anomalous"`
	Returning bool       `json:"returning"`      // inside its context again after an excursion
	Excess    float64    `json:"excess"`         // how far beyond its threshold, in units of the exponent that budgets move
	Exponent  float64    `json:"exponent"`       // from which excess on the budgets want to be told
	Lack      float64    `json:"lack,omitempty"` // share of what a sum usually adds up that was not seen

	Rule   RuleFacts `json:"rule"`
	Before Situation `json:"before"` // the anomaly before the point …
	After  Situation `json:"after"`  // … and after it
	Gate   Gate      `json:"gate"`   // what decided
	Gates  []Asked   `json:"gates"`  // all of them, in the order in which they are asked

	Withheld    string   `json:"withheld,omitempty"`  // why the point does not teach: silenced, or the kind of window it is in
	Forgotten   []Window `json:"forgotten,omitempty"` // windows because of which the hour of the point is not learnt
	Approximate bool     `json:"approximate"`         // made from rounded history, not from what was recorded to the bit
	Notes       []string `json:"notes,omitempty"`
}

// ViewGate is one of the baseline's views of the point. Limit is Threshold × Scale × Youth × the schedule's factor, and
// wider where a shape is lent. The views of a ratio are moving sums of its counts, whose limit is a quantile and has no factors.
type ViewGate struct {
	View      string  `json:"view"`
	Seen      float64 `json:"seen"`  // in the unit of the value; of flat_line in nats, of a moving sum in events
	Limit     float64 `json:"limit"` // where the score is 1; 0 when the view does not judge the point
	Score     float64 `json:"score"`
	Margin    float64 `json:"margin"` // |seen| − limit: positive outside
	Threshold float64 `json:"threshold"`
	Scale     float64 `json:"scale"`
	Youth     float64 `json:"youth_factor"` // 1 in views that do not depend on the hour
}

// RuleFacts is a Rule in JSON.
type RuleFacts struct {
	Direction     string  `json:"direction"`
	MinAbsolute   float64 `json:"min_change_absolute"`
	MinRelative   float64 `json:"min_change_relative"`
	For           float64 `json:"for_seconds"`
	KeepFiringFor float64 `json:"keep_firing_for_seconds"`
	LostAfter     float64 `json:"lost_after_seconds"`
	Interval      float64 `json:"interval_seconds"`
}

// Situation is a State in JSON. Times are unix milliseconds.
type Situation struct {
	Phase     string  `json:"phase"`
	Direction string  `json:"direction,omitempty"`
	StartsAt  int64   `json:"starts_at,omitempty"`
	LastBad   int64   `json:"last_bad,omitempty"`
	Stepped   int64   `json:"stepped,omitempty"`
	Silent    int64   `json:"silent_milliseconds,omitempty"`
	Peak      float64 `json:"peak,omitempty"`
	Sure      bool    `json:"sure,omitempty"` // far enough outside, or often enough, to be told
	Calm      uint8   `json:"calm_points,omitempty"`
}

// Window is what nothing is learnt from.
type Window struct {
	Kind   string `json:"kind"`
	ID     string `json:"id,omitempty"`
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Reason string `json:"reason,omitempty"`
}

// Asked is one gate of the rule. Seen, Limit and Margin are there for gates of numbers: the gate passes when Margin is
// not negative.
type Asked struct {
	Gate   Gate     `json:"gate"`
	Passed bool     `json:"passed"`
	Seen   *float64 `json:"seen,omitempty"`
	Limit  *float64 `json:"limit,omitempty"`
	Margin *float64 `json:"margin,omitempty"`
	Text   string   `json:"text,omitempty"`
}

// Decision is what an explanation comes to.
type Decision struct {
	Score     float64
	Anomalous bool
	Gate      Gate
	After     State
	Events    []Event
}

// Decide recomputes the decision from what is explained, and from nothing else: the score from the views, the rest by the
// rule. An explanation that is none is an error.
func Decide(e *Explanation) (d Decision, err error) {
	missing, err := parseMissing(e.Missing)
	if err != nil {
		return d, err
	}
	rule, err := e.Rule.rule()
	if err != nil {
		return d, err
	}
	if d.After, err = e.Before.state(); err != nil {
		return d, err
	}
	if missing == series.Observed && e.Known {
		d.Score = combine(e.Views)
	}
	d.Anomalous = math.Abs(d.Score) >= 1
	d.Events, d.Gate = rule.Step(&d.After, Input{
		T: e.At, Missing: missing, Known: e.Known, Value: float64(e.Value), Expected: float64(e.Expected), Score: d.Score, Returning: e.Returning,
		Tell: e.tell(missing, d.Score), Context: e.context(), Lack: e.Lack,
	})
	return d, nil
}

// context is the score of the first view alone.
func (e *Explanation) context() float64 {
	if len(e.Views) == 0 || !(e.Views[0].Limit > 0) {
		return 0
	}
	return e.Views[0].Seen / e.Views[0].Limit
}

// tell is what the budgets say of the point.
func (e *Explanation) tell(missing series.Missing, score float64) bool {
	b := Budget{}
	b.Level = e.Exponent
	return missing == series.Observed && e.Known && !math.IsNaN(score) && b.Worth(score, e.Excess)
}

// combine is the score of the view that is furthest beyond its limit. A flat line takes its direction from the context, and
// so does everything while the first view is outside by itself.
func combine(views []ViewGate) (score float64) {
	context := 0.0
	for i := range views {
		if views[i].View == "context" {
			context = views[i].Seen
		}
	}
	for i := range views {
		v := &views[i]
		if !(v.Limit > 0) {
			continue
		}
		s := v.Seen / v.Limit
		if v.View == "flat_line" {
			s = math.Copysign(s, context)
		}
		if math.Abs(s) > math.Abs(score) {
			score = s
		}
	}
	if len(views) > 0 && views[0].Limit > 0 && math.Abs(score) >= 1 {
		if c := views[0].Seen / views[0].Limit; math.Abs(c) >= 1 {
			score = math.Copysign(score, c)
		}
	}
	return score
}

// Ask puts every gate of the rule to a point, those behind the one that held it back as well. after is the state that
// the point left behind.
func (r *Rule) Ask(after State, in Input) []Asked {
	observed, change := in.Missing == series.Observed, math.Abs(in.Value-in.Expected)
	judged := observed && in.Known
	number := func(g Gate, seen, limit float64) Asked {
		margin := seen - limit
		a := Asked{Gate: g, Passed: judged && margin >= 0}
		if judged {
			a.Seen, a.Limit, a.Margin = &seen, &limit, &margin
		}
		return a
	}
	dir := direction(in.Score)
	out := []Asked{
		{Gate: GateMissing, Passed: observed, Text: in.Missing.String()},
		{Gate: GateLearning, Passed: judged},
		number(GateScore, math.Abs(in.Score), 1),
		{Gate: GateBudget, Passed: judged && in.Tell},
		{Gate: GateReturning, Passed: judged && !in.Returning},
		{Gate: GateDirection, Passed: judged && (r.Direction == series.Both || r.Direction == dir), Text: dir.String() + ", watched: " + r.Direction.String()},
		{Gate: GateCoverage, Passed: judged && !(dir == series.Down && Covers(in.Lack, in.Value, in.Expected))},
		number(GateAbsolute, change, r.MinAbsolute),
	}
	relative := number(GateRelative, change, r.MinRelative*math.Abs(in.Expected))
	if judged { // decided on products, shown as shares
		share := change / math.Abs(in.Expected)
		if math.IsNaN(share) || math.IsInf(share, 0) {
			share = math.MaxFloat64
		}
		margin := share - r.MinRelative
		relative.Seen, relative.Limit, relative.Margin = &share, &r.MinRelative, &margin
	}
	lasted := 0.0
	if after.Phase != Inactive {
		lasted = float64(in.T-after.StartsAt) / 1000
	}
	forGate := number(GateFor, lasted, r.For.Seconds())
	forGate.Passed = forGate.Passed && after.Phase != Inactive
	sure := Asked{Gate: GateSure, Passed: judged && (after.Sure || after.Phase == Firing)}
	return append(out, relative, forGate, sure)
}

// Facts is the rule in JSON.
func (r *Rule) Facts() RuleFacts {
	return RuleFacts{
		r.Direction.String(), r.MinAbsolute, r.MinRelative, r.For.Seconds(), r.KeepFiringFor.Seconds(), r.LostAfter.Seconds(), r.Interval.Seconds(),
	}
}

func (f *RuleFacts) rule() (Rule, error) {
	dir, err := series.ParseDirection(f.Direction)
	span := func(seconds float64) time.Duration { return time.Duration(math.Round(seconds*1e6)) * time.Microsecond }
	return Rule{dir, f.MinAbsolute, f.MinRelative, span(f.For), span(f.KeepFiringFor), span(f.LostAfter), span(f.Interval)}, err
}

// Situation is the state in JSON.
func (s *State) Situation() Situation {
	out := Situation{s.Phase.String(), "", s.StartsAt, s.LastBad, s.Stepped, s.Silent, s.Peak, s.Sure, s.Calm}
	if s.Phase != Inactive {
		out.Direction = s.Dir.String()
	}
	return out
}

func (s *Situation) state() (State, error) {
	for p, name := range phaseNames {
		if name != s.Phase {
			continue
		}
		out := State{Phase(p), series.Both, s.StartsAt, s.LastBad, s.Stepped, s.Silent, s.Peak, s.Sure, s.Calm}
		var err error
		if s.Direction != "" {
			out.Dir, err = series.ParseDirection(s.Direction)
		}
		return out, err
	}
	return State{}, fmt.Errorf("phase %q is not one of inactive, pending, firing", s.Phase)
}

func parseMissing(text string) (series.Missing, error) {
	for m := series.Observed; m <= series.Overrun; m++ {
		if m.String() == text {
			return m, nil
		}
	}
	return 0, fmt.Errorf("missing %q is no reason", text)
}

// Number survives JSON: finite values are numbers, others the strings "NaN", "+Inf" and "-Inf".
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte(strconv.Quote(strconv.FormatFloat(f, 'g', -1, 64))), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	text, err := strconv.Unquote(string(b))
	if err != nil {
		text = string(b)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("parse number %s: %w", b, err)
	}
	*n = Number(f)
	return nil
}
