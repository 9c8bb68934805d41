package detect

import (
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// silence steps an Absence of ten minutes that has lived for two hours when the test begins at minute 0.
type silence struct {
	t *testing.T
	a Absence
}

func newSilence(t *testing.T, lived int64) *silence {
	s := &silence{t: t}
	s.steps(-lived, 0, series.Observed)
	return s
}

// step takes that minute and wants this event, as told by story of an anomaly without direction.
func (s *silence) step(at int64, m series.Missing, want string) {
	s.t.Helper()
	var events []Event
	if e, ok := s.a.Step(10*time.Minute, time.Minute, origin+at*minute, m); ok {
		events = append(events, e)
	}
	if got := story(events); got != want {
		s.t.Errorf("minute %d (%v): %q, want %q", at, m, got, want)
	}
}

// steps takes the minutes [from, to] without an event.
func (s *silence) steps(from, to int64, m series.Missing) {
	s.t.Helper()
	for at := from; at <= to; at++ {
		s.step(at, m, "")
	}
}

func TestAbsenceBeginsAndEnds(t *testing.T) {
	for _, m := range []series.Missing{series.NoData, series.Stale} {
		t.Run(m.String(), func(t *testing.T) {
			s := newSilence(t, 120)
			s.steps(1, 9, m)
			s.step(10, m, "begin both of 0")
			s.steps(11, 30, m)
			s.step(31, series.Observed, "end both of 0 at 31")
			s.steps(32, 40, m) // and it may come again
			s.step(41, m, "begin both of 31")
		})
	}
}

func TestAbsenceIsInterruptedByAPoint(t *testing.T) {
	s := newSilence(t, 120)
	s.steps(1, 9, series.NoData)
	s.step(10, series.Observed, "")
	s.steps(11, 19, series.NoData)
	s.step(20, series.NoData, "begin both of 10")
}

func TestAbsenceNeedsAnHourOfLife(t *testing.T) {
	s := newSilence(t, 59)
	s.steps(1, 100, series.NoData)
	s = newSilence(t, 60)
	s.steps(1, 9, series.NoData)
	s.step(10, series.NoData, "begin both of 0")
	s = &silence{t: t} // never seen
	s.steps(1, 100, series.NoData)
}

func TestAbsenceIsNotOurOwnFault(t *testing.T) {
	for _, m := range []series.Missing{series.Downtime, series.ClockJump, series.QueryFailed, series.Overrun, series.Gap} {
		t.Run(m.String(), func(t *testing.T) {
			s := newSilence(t, 120)
			s.steps(1, 5, series.NoData)
			s.steps(6, 200, m)
			s.steps(201, 204, series.NoData)
			s.step(205, series.NoData, "begin both of 195") // ten minutes of silence that we saw
			s.steps(206, 210, m)                            // which our own fault does not end
			s.step(211, series.Observed, "end both of 195 at 211")
		})
	}
}

func TestAbsenceIsNotAValueWithoutMeaning(t *testing.T) {
	for _, m := range []series.Missing{series.NotANumber, series.ZeroDenominator} {
		t.Run(m.String(), func(t *testing.T) {
			s := newSilence(t, 120)
			s.steps(1, 100, m)
			s.steps(101, 109, series.NoData)
			s.step(110, m, "") // it lives
			s.steps(111, 119, series.NoData)
			s.step(120, series.NoData, "begin both of 110")
			s.step(121, m, "end both of 110 at 121")
		})
	}
}

func TestAbsenceCountsAHoleAsOneInterval(t *testing.T) {
	s := newSilence(t, 120)
	s.step(500, series.NoData, "")
	s.steps(501, 508, series.NoData)
	s.step(509, series.NoData, "begin both of 499")
}
