package pipeline

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

// special returns the load signal with rules that make some days of the plant special.
func special(days ...int64) signal.Definition {
	d := loadSignal()
	d.Calendar = &calendar.Rules{}
	for _, ms := range days {
		d.Calendar.Dates = append(d.Calendar.Dates, calendar.Date{Day: calendar.Day(ms / dayMillis)})
	}
	return d
}

func TestAnotherCalendarKeepsTheHistoryAndFoldsItAnew(t *testing.T) {
	p := newPlant(t, loadSignal())
	p.run(plantKnown + 9*plantStep)
	summaries, before := p.summaries(t), slowOf(p)
	other := special(plantStart+dayMillis, plantKnown-dayMillis/2)

	p.reload(other)
	same(t, "summaries", summaries, p.summaries(t), 10)
	folded := slowOf(p)
	if len(folded) != len(before) {
		t.Fatalf("%d series, there were %d", len(folded), len(before))
	}
	p.wholeHistory()
	equal := 0
	for i := range folded {
		if folded[i] == before[i] {
			equal++
		}
	}
	if equal == len(folded) {
		t.Error("the models know nothing of the special days")
	}
	p.restart(other) // it is the same calendar: nothing to fold
	for i, s := range slowOf(p) {
		if s != folded[i] {
			t.Error("a restart made another model of the same calendar")
		}
	}
	p.restart(loadSignal()) // and without it the models are what they were
	for i, s := range slowOf(p) {
		if s != before[i] {
			t.Error("without the special days the model is not what it was before them")
		}
	}
}

func TestSignalsOfOneZoneShareACalendar(t *testing.T) {
	rules := &calendar.Rules{Countries: []calendar.Country{{Code: "DE"}}}
	defs := []signal.Definition{loadSignal(), totalSignal(), totalSignal()}
	for i := range defs {
		defs[i].Name += string(rune('a' + i))
		defs[i].Calendar = rules
	}
	defs[2].Zone = "Europe/Berlin"
	c, err := NewCore(defs)
	if err != nil {
		t.Fatal(err)
	}
	if s := c.signals; s[0].Zone != s[1].Zone || s[1].Zone == s[2].Zone {
		t.Error("one calendar a zone is enough, and not less")
	}
	defs[1].Calendar = &calendar.Rules{Countries: []calendar.Country{{Code: "XX"}}}
	if _, err := NewCore(defs); err == nil {
		t.Error("took holidays of a country that there is not")
	}
}

func TestIdentityDoesNotDependOnTheCalendar(t *testing.T) {
	plain, other := loadSignal(), special(0)
	if plain.Identity() != other.Identity() {
		t.Error("a special day makes another signal")
	}
}

func TestOrdinaryWeekAvoidsSpecialDays(t *testing.T) {
	zone, err := calendar.Load("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c, err := calendar.New(zone, &calendar.Rules{Countries: []calendar.Country{{Code: "DE"}}})
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 12, 23, 12, 30, 0, 0, time.UTC).UnixMilli()
	for slot, ms := range ordinaryWeek(c, from) {
		if ms < from || ms > from+3*168*hourMillis || c.Group(ms) != 0 || zone.HourOfWeek(ms) != slot {
			t.Errorf("hour %d: %v", slot, c.Local(ms))
		}
	}
}

// TestAHolidayLooksLikeASunday plays a shop that sells little on Sundays, and on a holiday that is a Friday.
func TestAHolidayLooksLikeASunday(t *testing.T) {
	const step = 5 * 60_000
	first := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	holiday := calendar.DayOf(2026, 4, 3) // Good Friday
	rng := rand.New(rand.NewPCG(3, 1))
	var points []series.Point
	for ms := first; calendar.Day(ms/dayMillis) <= holiday; ms += step {
		d := calendar.Day(ms / dayMillis)
		v := 100 + 20*math.Sin(2*math.Pi*float64(ms%dayMillis)/float64(dayMillis))
		if d.Weekday() == time.Sunday || d == holiday {
			v /= 3
		}
		points = append(points, series.Point{T: ms, Value: v + rng.NormFloat64()})
	}
	play := func(rules *calendar.Rules) (expected float64) {
		d := loadSignal()
		d.Calendar, d.Interval = rules, step*time.Millisecond
		b, err := NewBacktest(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			j := b.Step(p)
			if p.T == int64(holiday)*dayMillis+dayMillis/2 {
				expected = j.Verdict.Center
			}
		}
		return expected
	}
	friday, sunday := play(nil), play(&calendar.Rules{Countries: []calendar.Country{{Code: "DE"}}})
	t.Logf("at noon of Good Friday %.1f is expected without a calendar, %.1f with one", friday, sunday)
	if friday < 80 || sunday > 60 {
		t.Error("want about 100 and 33")
	}
}
