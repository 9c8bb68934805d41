package detect

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

const minute = int64(60_000)

// origin is an arbitrary instant: rules know elapsed time only.
const origin = 29_000_000 * minute

// tape steps a rule from minute to minute and compares what it says.
type tape struct {
	t     *testing.T
	rule  Rule
	state State
}

func newTape(t *testing.T, rule Rule) *tape {
	rule.Interval = time.Minute
	return &tape{t: t, rule: rule}
}

// step takes the point of that minute and wants these events, as told by story.
func (p *tape) step(at int64, in Input, want string) Gate {
	p.t.Helper()
	in.T = origin + at*minute
	events, gate := p.rule.Step(&p.state, in)
	if got := story(events); got != want {
		p.t.Errorf("minute %d: %q, want %q", at, got, want)
	}
	return gate
}

// score is a known point of that score; one is ten units of value around an expectation of a hundred.
func score(s float64) Input {
	return Input{Known: true, Value: 100 + 10*s, Expected: 100, Score: s, Tell: math.Abs(s) >= 1}
}

func missing(m series.Missing) Input { return Input{Missing: m} }

// story prints events with their times in minutes since the origin.
func story(events []Event) string {
	var words []string
	for _, e := range events {
		start := (e.StartsAt - origin) / minute
		if e.Kind == Begin {
			words = append(words, fmt.Sprintf("begin %v of %d", e.Dir, start))
		} else {
			words = append(words, fmt.Sprintf("end %v of %d at %d", e.Dir, start, (e.EndsAt-origin)/minute))
		}
	}
	return strings.Join(words, ", ")
}

func TestGates(t *testing.T) {
	check := func(name string, rule Rule, in Input, want Gate) {
		t.Run(name, func(t *testing.T) {
			events := ""
			if want == GateOpen {
				dir := series.Up
				if in.Score < 0 {
					dir = series.Down
				}
				events = fmt.Sprintf("begin %v of 0", dir)
			}
			if got := newTape(t, rule).step(0, in, events); got != want {
				t.Errorf("gate %q, want %q", got, want)
			}
		})
	}
	unknown := score(5)
	unknown.Known = false
	nan := score(5)
	nan.Score, nan.Expected = math.NaN(), math.NaN()
	held, asked := score(1.5), score(0.9)
	held.Tell, asked.Tell = false, true
	up, down := Rule{Direction: series.Up}, Rule{Direction: series.Down}
	absolute, relative := minChange(25, 0), minChange(0, 0.25)

	check("inside the band", Rule{}, score(0.99), GateScore)
	check("on the edge", Rule{}, score(1), GateSure)
	check("below the edge", Rule{}, score(-1), GateSure)
	check("beyond doubt", Rule{}, score(1.5), GateOpen)
	check("beyond doubt below", Rule{}, score(-1.5), GateOpen)
	check("not known", Rule{}, unknown, GateLearning)
	check("missing", Rule{}, missing(series.NoData), GateMissing)
	check("held back by the budget", Rule{}, held, GateBudget)
	check("asked for by the budget", Rule{}, asked, GateSure)
	check("no score", Rule{}, nan, GateScore)
	check("up wanted, up", up, score(2), GateOpen)
	check("up wanted, down", up, score(-2), GateDirection)
	check("down wanted, down", down, score(-2), GateOpen)
	check("down wanted, up", down, score(2), GateDirection)
	check("absolute change too small", absolute, score(2.4), GateAbsolute)
	check("absolute change reached", absolute, score(2.5), GateOpen)
	check("absolute change reached downwards", absolute, score(-2.5), GateOpen)
	check("relative change too small", relative, score(2.4), GateRelative)
	check("relative change reached", relative, score(2.5), GateOpen)
	check("both asked, only the absolute one reached", minChange(25, 0.5), score(3), GateRelative)
	check("both asked, only the relative one reached", minChange(50, 0.25), score(3), GateAbsolute)
	check("both asked and reached", minChange(25, 0.25), score(3), GateOpen)
}

func TestOnePointBarelyOutsideIsNotTold(t *testing.T) {
	p := newTape(t, Rule{})
	if gate := p.step(0, score(1.2), ""); gate != GateSure {
		t.Errorf("gate %q", gate)
	}
	p.step(1, score(0.3), "")
	p.step(2, score(1.2), "begin up of 0") // the second of three
	p.step(3, score(0.3), "end up of 0 at 3")

	p = newTape(t, Rule{})
	p.step(0, score(1.2), "")
	p.step(1, score(0.3), "")
	p.step(2, score(0.3), "")
	p.step(3, score(1.2), "")  // too late to be the second, the first again
	p.step(4, score(-1.2), "") // nor is the other side
	p.step(5, score(-1.6), "begin down of 4")

	p = newTape(t, Rule{For: 2 * time.Minute}) // what has to last, has to last
	p.step(0, score(1.2), "")
	p.step(1, score(0.3), "")
	p.step(2, score(1.2), "")
	p.step(3, score(1.2), "")
	p.step(4, score(1.2), "begin up of 2")
}

func TestComingBackIsNoNews(t *testing.T) {
	back := score(-3)
	back.Returning = true
	p := newTape(t, Rule{})
	p.step(0, score(4), "begin up of 0")
	if gate := p.step(1, back, "end up of 0 at 1"); gate != GateReturning {
		t.Errorf("gate %q", gate)
	}
}

// minChange is a rule that asks for a smallest change.
func minChange(absolute, relative float64) Rule {
	return Rule{MinAbsolute: absolute, MinRelative: relative}
}

func TestForIsElapsedTime(t *testing.T) {
	p := newTape(t, Rule{For: 3 * time.Minute})
	if gate := p.step(0, score(2), ""); gate != GateFor {
		t.Errorf("gate %q while pending", gate)
	}
	p.step(1, score(2), "")
	p.step(2, score(0.9), "") // a pending anomaly has no hysteresis
	p.step(3, score(2), "")
	p.step(4, score(-2), "") // nor does its opposite inherit its time
	p.step(5, score(-2), "")
	p.step(6, score(-2), "")
	p.step(7, score(-2), "begin down of 4")

	p = newTape(t, Rule{For: 3 * time.Minute})
	p.step(0, score(2), "")
	p.step(2, score(2), "") // a late tick counts by its time, not as one of so many
	p.step(3, score(2), "begin up of 0")
}

func TestHysteresis(t *testing.T) {
	p := newTape(t, Rule{})
	p.step(0, score(1.6), "begin up of 0")
	p.step(1, score(0.9), "")
	p.step(2, score(3), "")
	p.step(3, score(0.7), "")
	if p.state.Peak != 3 {
		t.Errorf("peak %v", p.state.Peak)
	}
	p.step(4, score(0.69), "end up of 0 at 4")
	p.step(5, score(0.9), "")

	p = newTape(t, minChange(20, 0)) // of the smallest change likewise
	p.step(0, score(2), "begin up of 0")
	p.step(1, score(1.4), "")
	p.step(2, score(1.39), "end up of 0 at 2")

	p = newTape(t, Rule{}) // a value on the other side is no reason to go on, strong enough for an anomaly or not
	p.step(0, score(2), "begin up of 0")
	p.step(1, score(-0.9), "end up of 0 at 1")
}

func TestUnknownPointEndsAFiringAnomaly(t *testing.T) {
	p := newTape(t, Rule{})
	p.step(0, score(2), "begin up of 0")
	in := score(2)
	in.Known = false
	p.step(1, in, "end up of 0 at 1")
}

func TestKeepFiringFor(t *testing.T) {
	p := newTape(t, Rule{KeepFiringFor: 3 * time.Minute})
	p.step(0, score(2), "begin up of 0")
	p.step(1, score(0), "")
	p.step(3, score(0), "")
	p.step(4, score(0.8), "") // relapse into the edge of the band: the time begins anew
	p.step(7, score(0), "")
	p.step(8, score(0), "end up of 0 at 8")
}

func TestTheOppositeAtOnce(t *testing.T) {
	p := newTape(t, Rule{KeepFiringFor: time.Hour})
	p.step(0, score(2), "begin up of 0")
	p.step(1, score(-2), "end up of 0 at 1, begin down of 1")
	p.step(2, score(2), "end down of 1 at 2, begin up of 2")

	p = newTape(t, Rule{For: time.Minute})
	p.step(0, score(2), "")
	p.step(1, score(2), "begin up of 0")
	p.step(2, score(-2), "end up of 0 at 2") // the opposite has its own time to wait
	p.step(3, score(-2), "begin down of 2")

	p = newTape(t, Rule{Direction: series.Up, KeepFiringFor: time.Minute})
	p.step(0, score(2), "begin up of 0")
	p.step(1, score(-9), "") // not asked for: no anomaly, only no longer this one
	p.step(2, score(-9), "end up of 0 at 2")
}

func TestPendingIsDroppedByAMissingPoint(t *testing.T) {
	for m := series.NoData; m <= series.Overrun; m++ {
		t.Run(m.String(), func(t *testing.T) {
			p := newTape(t, Rule{For: 3 * time.Minute})
			p.step(0, score(2), "")
			p.step(1, score(2), "")
			p.step(2, missing(m), "")
			p.step(3, score(2), "")
			p.step(5, score(2), "")
			p.step(6, score(2), "begin up of 3")
		})
	}
}

func TestPendingDoesNotSurviveAHole(t *testing.T) {
	p := newTape(t, Rule{For: 3 * time.Minute})
	p.step(0, score(2), "")
	p.step(2, score(2), "") // one tick was late or lost
	p.step(5, score(2), "") // two were: nobody watched
	p.step(7, score(2), "")
	p.step(8, score(2), "begin up of 5")
}

func TestFiringEndsWhenItsSourceIsSilent(t *testing.T) {
	for _, m := range []series.Missing{series.NoData, series.Stale} {
		t.Run(m.String(), func(t *testing.T) {
			p := newTape(t, Rule{LostAfter: 4 * time.Minute})
			p.step(0, score(2), "begin up of 0")
			for at := range int64(3) {
				p.step(1+at, missing(m), "")
			}
			p.step(4, score(2), "") // back in time: silence begins anew
			for at := range int64(3) {
				p.step(5+at, missing(m), "")
			}
			p.step(8, missing(m), "end up of 0 at 8")
			p.step(9, missing(m), "")
		})
	}
}

func TestFiringIsLostAfterTenMinutesByDefault(t *testing.T) {
	p := newTape(t, Rule{})
	p.step(0, score(2), "begin up of 0")
	for at := range int64(9) {
		p.step(1+at, missing(series.NoData), "")
	}
	p.step(10, missing(series.NoData), "end up of 0 at 10")
}

func TestFiringOutlivesOurOwnFaults(t *testing.T) {
	for _, m := range []series.Missing{series.Downtime, series.ClockJump, series.QueryFailed, series.Overrun} {
		t.Run(m.String(), func(t *testing.T) {
			p := newTape(t, Rule{LostAfter: 4 * time.Minute})
			p.step(0, score(2), "begin up of 0")
			p.step(1, missing(series.NoData), "")
			for at := range int64(60) {
				p.step(2+at, missing(m), "")
			}
			p.step(500, missing(m), "") // and nobody stepped at all
			p.step(501, missing(series.NoData), "")
			p.step(502, missing(series.NoData), "")
			p.step(503, missing(series.NoData), "end up of 0 at 503") // four minutes that its source is to blame for
		})
	}
	t.Run("ticks given up", func(t *testing.T) {
		p := newTape(t, Rule{LostAfter: 4 * time.Minute})
		p.step(0, score(2), "begin up of 0")
		p.step(500, missing(series.Stale), "")
		p.step(501, missing(series.Stale), "")
		p.step(502, score(2), "") // the same anomaly still
	})
}

func TestBreakEndsWhatFires(t *testing.T) {
	p := newTape(t, Rule{For: time.Minute, KeepFiringFor: time.Hour})
	p.step(0, score(2), "")
	if got := story(p.state.Break(origin + minute)); got != "" || p.state.Phase != Inactive {
		t.Errorf("pending: %q, then %v", got, p.state.Phase)
	}
	p.step(2, score(2), "")
	p.step(3, score(2), "begin up of 2")
	if got := story(p.state.Break(origin + 4*minute)); got != "end up of 2 at 4" || p.state.Phase != Inactive {
		t.Errorf("firing: %q, then %v", got, p.state.Phase)
	}
}
