package pipeline

import (
	"math"
	"net/url"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// Backtest replays points of one series through the steps of live running: what would have been told, and when.
type Backtest struct {
	core *Core
	open map[int64]*Alert // by start
	in   [1]Input
	seen [1]Observation

	Alerts []*Alert
}

// Alert is one that would have fired.
type Alert struct {
	Signal    string  `json:"series"`
	Type      string  `json:"type"`
	Direction string  `json:"direction"`
	StartsAt  int64   `json:"start"`         // unix milliseconds: the first point outside its context
	FiredAt   int64   `json:"fired"`         // when it would have been told
	EndsAt    int64   `json:"end,omitempty"` // 0 while it lasts
	Observed  float64 `json:"observed"`      // when it fired
	Expected  float64 `json:"expected"`
	Lower     float64 `json:"lower"`
	Upper     float64 `json:"upper"`
	Score     float64 `json:"score"` // at its worst
	Summary   string  `json:"summary"`
}

// NewBacktest prepares to replay a series as if it were the only one of the definition.
func NewBacktest(def signal.Definition) (*Backtest, error) {
	core, err := NewCore([]signal.Definition{def})
	if err != nil {
		return nil, err
	}
	return &Backtest{core: core, open: map[int64]*Alert{}}, nil
}

// Step takes the next point and returns how it was judged; valid until the next one.
func (b *Backtest) Step(p series.Point) *Judged {
	s := b.core.signals[0]
	b.seen[0].Point = p
	b.in[0] = Input{Signal: s, Observations: b.seen[:], Otherwise: series.NoData}
	out := b.core.Step(p.T, b.in[:])
	b.core.reused = out.Judged
	for i := range out.Events {
		b.note(&out.Events[i], p.T)
	}
	if len(out.Judged) == 0 { // missing before anything was seen
		v := unseen(p)
		return &Judged{Signal: s, Verdict: &v}
	}
	return &out.Judged[0]
}

func (b *Backtest) note(o *Occurrence, t int64) {
	switch o.Event.Kind {
	case detect.Grow:
		return
	case detect.End:
		if a := b.open[o.Event.StartsAt]; a != nil {
			a.EndsAt, a.Score = o.Event.EndsAt, o.Event.Peak
			delete(b.open, o.Event.StartsAt)
		}
		return
	case detect.Begin:
	}
	w := Describe(o, t, nil, (*url.URL)(nil))
	v := o.Verdict
	a := &Alert{
		Signal: o.Signal.Def.Name, Type: w.Labels["type"], Direction: w.Labels["direction"],
		StartsAt: o.Event.StartsAt, FiredAt: t, Observed: v.Value, Expected: v.Center, Lower: v.Lower, Upper: v.Upper,
		Score: o.Event.Peak, Summary: w.Annotations["summary"],
	}
	b.open[a.StartsAt] = a
	b.Alerts = append(b.Alerts, a)
}

// Anomalous reports whether the point alone is outside its calibrated threshold: what the column of that name says.
func (j *Judged) Anomalous() bool { return math.Abs(j.Verdict.Score) >= 1 }

func unseen(p series.Point) (v baseline.Verdict) {
	v.Point = p
	v.Center, v.Lower, v.Upper = math.NaN(), math.Inf(-1), math.Inf(1)
	return v
}
