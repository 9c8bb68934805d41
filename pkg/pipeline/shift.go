package pipeline

import (
	"fmt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/signal"
)

// Shift is a level that was accepted for normal.
type Shift struct {
	Left, Now float64 // in the unit of the values
	Back      bool    // it is the level that was left not long ago
}

// resettle ends the anomaly of a series whose level was moved with the hour that was closed: it is how the series is by now.
// What of the recent course was set against the level before would speak of it for hours, and is forgotten.
func (s *Signal) resettle(sr *Series, before baseline.LevelMark, t int64) ([]detect.Event, *Shift) {
	left, now, back, ok := sr.model.Resettled(before)
	if !ok {
		return nil, nil
	}
	sr.model.Restart()
	return sr.anomaly.Break(t), &Shift{left, now, back}
}

// describeShift says that an alert is over because what it told of is normal by now. Its labels stay those that it began
// with, or it would be another alert: that it was a shift is an annotation.
func describeShift(a map[string]string, o *Occurrence, name, at string) {
	left, now := signal.Format(o.Shift.Left, o.Signal.Def.Unit), signal.Format(o.Shift.Now, o.Signal.Def.Unit)
	lasted := span(o.Event.EndsAt - o.Event.StartsAt)
	a["type"] = "shift"
	a["expected"] = plain(o.Verdict.Center)
	if o.Shift.Back {
		a["summary"] = clipRunes(fmt.Sprintf("%s is back on its former level: %s after %s", name, now, left), 256)
		a["description"] = fmt.Sprintf("%s was unusual for %s because it went back to the level of not long ago, %s after %s. That is normal again. Decided %s.", name, lasted, now, left, at)
		return
	}
	a["summary"] = clipRunes(fmt.Sprintf("%s has a new level: %s instead of %s, accepted as normal", name, now, left), 256)
	a["description"] = fmt.Sprintf("%s was outside its usual range for %s and is taken to stay there: its level is %s by now, it was %s. Nothing more is told of this. Decided %s.", name, lasted, now, left, at)
}
