package correlate

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Study is what one evaluation says of one outcome.
type Study struct {
	Outcome   string
	Unit      string
	Hours     int    // rows of the outcome that took part
	Log       bool   // effects are logarithms of a factor; else in the outcome's own unit
	AtTraffic string // the traffic that was held equal; empty when none is known
	Pairs     []Pair // in the order of the drivers

	evaluation *evaluation
	columns    []*column
	groups     []group
	moved      map[Span]movers // once trimmed
}

// Input of an evaluation: everything on one frame.
type Input struct {
	Frame   *Frame
	Outcome *Series
	Volume  *Series // visits or requests; nil when not known. The denominators of a Share stand in.
	Drivers []*Series
}

// ErrWeeks says that there are too few whole weeks.
var ErrWeeks = errors.New("too few whole weeks")

// Try tries every driver on the outcome, over the whole weeks at the end of the frame. What is shown of it is decided by Decide, over
// all outcomes of an evaluation.
func Try(in Input, o Options) (*Study, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("evaluate %q: %w", in.Outcome.Name, err)
	}
	in = in.wholeWeeks()
	e := newEvaluation(in, o.completed())
	if !e.y.varies() {
		return nil, fmt.Errorf("evaluate %q: it does not vary, or fewer than %d of its hours are known", in.Outcome.Name, minRows)
	}
	s := &Study{
		Outcome: in.Outcome.Name, Unit: in.Outcome.Unit, Hours: e.y.n, Log: e.log, AtTraffic: e.trafficName(),
		Pairs: make([]Pair, len(in.Drivers)), columns: make([]*column, len(in.Drivers)), evaluation: e,
	}
	for i, d := range in.Drivers {
		s.Pairs[i], s.columns[i] = e.try(d)
	}
	return s, nil
}

func (in Input) check() error {
	if w := in.Frame.Weeks(); w < MinWeeks {
		return fmt.Errorf("%w: %d, want at least %d", ErrWeeks, w, MinWeeks)
	}
	all := append([]*Series{in.Outcome}, in.Drivers...)
	if in.Volume != nil {
		all = append(all, in.Volume)
	}
	for _, s := range all {
		if err := s.fits(in.Frame); err != nil {
			return err
		}
	}
	return nil
}

func (in Input) wholeWeeks() Input {
	rows := in.Frame.Rows()
	from := rows - in.Frame.Weeks()*HoursPerWeek
	return in.Part(from, rows)
}

// Part is the input over some of its rows, from one to before another.
func (in Input) Part(from, to int) Input {
	out := Input{Frame: in.Frame.Part(from, to), Outcome: in.Outcome.Part(from, to)}
	if in.Volume != nil {
		out.Volume = in.Volume.Part(from, to)
	}
	for _, d := range in.Drivers {
		out.Drivers = append(out.Drivers, d.Part(from, to))
	}
	return out
}

// evaluation is what all pairs of a family share.
type evaluation struct {
	in      Input
	o       Options
	g       float64 // (w−1)/w
	y       *column // the outcome, per visit where that is known
	total   *column // the outcome itself; nil without traffic
	volume  []float64
	traffic [][]float64 // columns that are held equal; nil without traffic
	log     bool
	struck  []bool    // rows of incidents of the outcome
	without []skipped // what is left when a week never was
}

func (e *evaluation) trafficName() string {
	switch {
	case e.in.Volume != nil:
		return e.in.Volume.Name
	case e.traffic != nil:
		return "the denominators of " + e.in.Outcome.Name
	}
	return ""
}

func newEvaluation(in Input, o Options) *evaluation {
	f := in.Frame
	w := float64(f.Weeks())
	e := &evaluation{in: in, o: o, g: (w - 1) / w}
	switch {
	case in.Volume != nil:
		e.volume = in.Volume.plain()
	case in.Outcome.Kind == Share:
		e.volume = in.Outcome.Of
	}
	if e.volume != nil {
		e.traffic = trafficColumns(f, e.volume, none)
	}
	values, whole, log := in.Outcome.judged(e.volume)
	e.log = log
	ordinary := withoutIncidents(f, values)
	e.struck = in.Outcome.outcasts(f, e.volume, ordinary)
	for t, struck := range e.struck {
		if struck {
			ordinary[t] = math.NaN()
		}
	}
	e.y = newColumn(f, ordinary, e.traffic)
	if e.volume != nil {
		e.total = newColumn(f, withoutIncidents(f, whole), nil)
	}
	return e
}

// plain are the values as one number a row.
func (s *Series) plain() []float64 {
	if s.Kind != Share {
		return s.Values
	}
	out := make([]float64, len(s.Values))
	for i := range out {
		out[i] = s.Value(i)
	}
	return out
}

// judged returns the outcome on the scale it is judged on, per visit where visits are known, and as a whole. log says that both are
// logarithms: of counts and rates always, of levels where none is zero or below.
func (s *Series) judged(volume []float64) (values, whole []float64, log bool) {
	switch {
	case s.Kind == Share:
		return rates(s.Values, s.Of), logs(s.Values), true
	case s.Kind == Count && volume != nil:
		return rates(s.Values, volume), logs(s.Values), true
	case s.Kind == Count:
		v := logs(s.Values)
		return v, v, true
	}
	v := slices.Clone(s.Values)
	for i, x := range v {
		if x <= 0 {
			return s.Values, s.Values, false
		}
		v[i] = math.Log(x)
	}
	return v, v, true
}

// Amounts are the outcome's events, money or mean of each hour; of a share the numerators.
func (s *Study) Amounts() []float64 {
	if s.evaluation == nil {
		return nil
	}
	return s.evaluation.in.Outcome.Values
}

// AddsUp tells whether hours of the outcome can be summed: counts, money, and the events of a share.
func (s *Study) AddsUp() bool {
	return s.evaluation != nil && s.evaluation.in.Outcome.Kind != Level
}
