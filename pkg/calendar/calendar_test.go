package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/calendar"
)

func build(t testing.TB, zone string, rules calendar.Rules) *calendar.Calendar {
	t.Helper()
	c, err := calendar.New(load(t, zone), &rules)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func instant(t testing.TB, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

func date(t testing.TB, text, name string, like calendar.Like) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDay(text)
	if err != nil {
		t.Fatal(err)
	}
	return calendar.Date{Day: d, Name: name, Like: like}
}

// daysOf lists the days of a group within years, by the local noon of each.
func daysOf(c *calendar.Calendar, group string, fromYear, toYear int) (days []string) {
	for d := time.Date(fromYear, 1, 1, 12, 0, 0, 0, c.Local(0).Location()); d.Year() <= toYear; d = d.AddDate(0, 0, 1) {
		if c.GroupName(c.Group(d.UnixMilli())) == group {
			days = append(days, d.Format(time.DateOnly))
		}
	}
	return days
}

func equalDays(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if w := strings.Fields(want); !slices.Equal(got, w) {
		t.Errorf("%s:\ngot  %v\nwant %v", what, got, w)
	}
}

// TestGermanHolidays compares with the dates that the federal states publish.
func TestGermanHolidays(t *testing.T) {
	c := build(t, "Europe/Berlin", calendar.Rules{Countries: []calendar.Country{{Code: "DE"}}})
	moving := map[int]string{ // Good Friday, Easter Monday, Ascension, Whit Monday
		2024: "03-29 04-01 05-09 05-20", 2025: "04-18 04-21 05-29 06-09", 2026: "04-03 04-06 05-14 05-25", 2027: "03-26 03-29 05-06 05-17",
		2028: "04-14 04-17 05-25 06-05", 2029: "03-30 04-02 05-10 05-21", 2030: "04-19 04-22 05-30 06-10",
	}
	for year, days := range moving {
		var want []string
		for d := range strings.FieldsSeq(days + " 01-01 05-01 10-03 12-25 12-26") {
			want = append(want, fmt.Sprintf("%d-%s", year, d))
		}
		slices.Sort(want)
		equalDays(t, fmt.Sprint(year), daysOf(c, "holiday", year, year), strings.Join(want, " "))
	}
	if got, want := c.HourOfWeek(instant(t, "2026-04-03T10:30:00+02:00")), 10; got != want {
		t.Errorf("Good Friday 10:30 borrows %d, want Sunday's %d", got, want)
	}
	if got, want := c.Describe(instant(t, "2026-04-03T10:30:00+02:00")), "Fri 10:30 Europe/Berlin, holiday"; got != want {
		t.Errorf("Describe = %q, want %q", got, want)
	}
}

func TestRegions(t *testing.T) {
	region := func(code, region, zone string) *calendar.Calendar {
		return build(t, zone, calendar.Rules{Countries: []calendar.Country{{Code: code, Region: region}}})
	}
	bavaria := region("DE", "BY", "Europe/Berlin")
	for _, d := range []string{"2026-01-06", "2026-06-04", "2026-11-01"} { // Epiphany, Corpus Christi, All Saints
		if !slices.Contains(daysOf(bavaria, "holiday", 2026, 2026), d) {
			t.Errorf("%s is no holiday in Bavaria", d)
		}
		if slices.Contains(daysOf(region("DE", "BE", "Europe/Berlin"), "holiday", 2026, 2026), d) {
			t.Errorf("%s is a holiday in Berlin", d)
		}
	}
	if !slices.Contains(daysOf(region("AU", "VIC", "Australia/Melbourne"), "holiday", 2026, 2026), "2026-11-03") {
		t.Error("Melbourne Cup is no holiday in Victoria")
	}
	for _, code := range calendar.Countries() {
		regions := calendar.Regions(code)
		if (&calendar.Country{Code: code}).Check() == nil {
			regions = append(regions, "")
		}
		for _, r := range regions {
			if n := len(daysOf(region(code, r, "UTC"), "holiday", 2026, 2026)); n < 4 || n > 25 {
				t.Errorf("%s %s has %d holidays in 2026", code, r, n)
			}
		}
	}
}

func TestCountriesThatAreNotKnown(t *testing.T) {
	check := func(code, region string, wants ...string) {
		t.Helper()
		c := calendar.Country{Code: code, Region: region}
		err := c.Check()
		if _, built := calendar.New(load(t, "UTC"), &calendar.Rules{Countries: []calendar.Country{c}}); built == nil || err == nil || built.Error() != err.Error() {
			t.Errorf("%s %s: Check says %v, New says %v", code, region, err, built)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %q does not say %q", code, region, err, want)
			}
		}
	}
	check("XX", "", `"XX"`, "AR, AT, AU", ".ics")
	check("AU", "", "by region only", "ACT, NSW")
	check("CH", "", "by region only", "ZH")
	check("DE", "XX", `"XX"`, "BB, BE, BW")
	check("FR", "BRE", "leave region out")
}

func TestThanksgivingAndBlackFriday(t *testing.T) {
	c := build(t, "America/New_York", calendar.Rules{
		Countries: []calendar.Country{{Code: "US"}},
		Cycles: []calendar.Cycle{
			{Name: "Black Friday", Weekday: time.Thursday, Nth: 4, Months: []time.Month{time.November}, Offset: 1},
		},
	})
	equalDays(t, "Black Friday", daysOf(c, "Black Friday", 2024, 2030), "2024-11-29 2025-11-28 2026-11-27 2027-11-26 2028-11-24 2029-11-23 2030-11-29")
	holidays := daysOf(c, "holiday", 2024, 2030)
	for d := range strings.FieldsSeq("2024-11-28 2025-11-27 2026-11-26 2027-11-25 2028-11-23 2029-11-22 2030-11-28 2026-07-03 2026-07-04 2027-12-31") {
		if !slices.Contains(holidays, d) {
			t.Errorf("%s is no holiday", d) // the last three are observed on, or beside, a weekend
		}
	}
	at := instant(t, "2026-11-27T09:00:00-05:00")
	if got := c.HourOfWeek(at); got != 5*24+9 {
		t.Errorf("Black Friday 9:00 borrows %d, want its own Friday's", got)
	}
}

func TestCycles(t *testing.T) {
	german := []calendar.Country{{Code: "DE"}}
	days := func(cycle calendar.Cycle, fromYear, toYear int) []string {
		cycle.Name = "it"
		return daysOf(build(t, "Europe/Berlin", calendar.Rules{Countries: german, Cycles: []calendar.Cycle{cycle}}), "it", fromYear, toYear)
	}
	equalDays(t, "month_end", days(calendar.MonthEnd, 2026, 2026), `2026-01-30 2026-02-27 2026-03-31 2026-04-30 2026-05-29 2026-06-30
		2026-07-31 2026-08-31 2026-09-30 2026-10-30 2026-11-30 2026-12-31`)
	equalDays(t, "month_start", days(calendar.MonthStart, 2026, 2026), `2026-01-02 2026-02-02 2026-03-02 2026-04-01 2026-05-04 2026-06-01
		2026-07-01 2026-08-03 2026-09-01 2026-10-01 2026-11-02 2026-12-01`)
	equalDays(t, "payday", days(calendar.Cycle{MonthDay: 25}, 2026, 2026), `2026-01-23 2026-02-25 2026-03-25 2026-04-24 2026-05-22 2026-06-25
		2026-07-24 2026-08-25 2026-09-25 2026-10-23 2026-11-25 2026-12-24`)
	equalDays(t, "the second Tuesday", days(calendar.Cycle{Weekday: time.Tuesday, Nth: 2, Months: []time.Month{1, 9}}, 2026, 2027),
		"2026-01-13 2026-09-08 2027-01-12 2027-09-14")
	equalDays(t, "the last Friday", days(calendar.Cycle{Weekday: time.Friday, Nth: -1, Months: []time.Month{1, 2}}, 2026, 2026), "2026-01-30 2026-02-27")
	equalDays(t, "the fifth Saturday", days(calendar.Cycle{Weekday: time.Saturday, Nth: 5}, 2026, 2026), "2026-01-31 2026-05-30 2026-08-29 2026-10-31")
}

func TestWhoDecides(t *testing.T) {
	const friday, sunday = 5 * 24, 0
	events, err := calendar.ParseICS([]byte(file(`
BEGIN:VEVENT
SUMMARY:Match
DTSTART;TZID=Europe/Berlin:20261225T190000
DTEND;TZID=Europe/Berlin:20261225T230000
END:VEVENT
BEGIN:VEVENT
SUMMARY:Sale
DTSTART;VALUE=DATE:20261225
DTEND;VALUE=DATE:20261227
END:VEVENT
BEGIN:VEVENT
SUMMARY:Late match
DTSTART;TZID=Europe/Berlin:20261225T220000
DTEND;TZID=Europe/Berlin:20261226T020000
END:VEVENT`)), "", calendar.LikeUnset)
	if err != nil {
		t.Fatal(err)
	}
	rules := calendar.Rules{
		Events: events, Countries: []calendar.Country{{Code: "DE"}},
		Cycles: []calendar.Cycle{{Name: "payday", MonthDay: 25}, {Name: "every Friday", Weekday: time.Friday, Nth: 4}},
	}
	check := func(at, group string, slot int) {
		t.Helper()
		c := build(t, "Europe/Berlin", rules)
		ms := instant(t, at)
		if g := c.GroupName(c.Group(ms)); g != group || c.HourOfWeek(ms) != slot {
			t.Errorf("%s: group %q, slot %d; want %q, %d", at, g, c.HourOfWeek(ms), group, slot)
		}
	}
	check("2026-12-25T18:59:59.999+01:00", "Sale", sunday+18) // a holiday gives the shape, the file the group
	check("2026-12-25T19:00:00+01:00", "Match", sunday+19)
	check("2026-12-25T22:30:00+01:00", "Match", sunday+22) // listed first
	check("2026-12-25T23:00:00+01:00", "Late match", sunday+23)
	check("2026-12-26T01:59:59+01:00", "Late match", sunday+1)
	check("2026-12-26T02:00:00+01:00", "Sale", sunday+2)
	check("2026-12-27T02:00:00+01:00", "", sunday+2)
	check("2026-12-24T12:00:00+01:00", "payday", 4*24+12)
	check("2026-11-27T12:00:00+01:00", "every Friday", friday+12)

	rules.Dates = []calendar.Date{date(t, "2026-12-25", "Christmas", calendar.LikeUnset), date(t, "2026-12-26", "", calendar.LikeUnset)}
	check("2026-12-25T20:00:00+01:00", "Christmas", sunday+20) // a date is before everything, the shape is still a holiday's
	check("2026-12-26T20:00:00+01:00", "holiday", sunday+20)
	rules.Dates[0].Like = calendar.LikeOwn
	check("2026-12-25T20:00:00+01:00", "Christmas", friday+20)
	rules.Dates[0].Like = calendar.LikeSunday + 6
	check("2026-12-25T20:00:00+01:00", "Christmas", 6*24+20)
	rules.Dates = nil
	rules.Countries[0].Like = calendar.LikeOwn
	check("2026-12-25T18:00:00+01:00", "Sale", friday+18)
	for i := range rules.Events {
		rules.Events[i].Like = calendar.LikeSunday + 1
	}
	check("2026-12-25T18:00:00+01:00", "Sale", 24+18)
	check("2026-12-25T20:00:00+01:00", "Match", 24+20)
}

// TestDaysBeginAtLocalMidnight looks at both sides of every midnight around special days, in zones far apart.
func TestDaysBeginAtLocalMidnight(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Australia/Lord_Howe", "America/Sao_Paulo"} {
		c := build(t, zone, calendar.Rules{Dates: []calendar.Date{
			date(t, "2026-03-29", "spring", calendar.LikeUnset), date(t, "2026-10-25", "autumn", calendar.LikeSunday+1), date(t, "2026-11-27", "", calendar.LikeUnset),
			date(t, "2018-11-04", "no midnight", calendar.LikeUnset), // São Paulo's clocks went from 0:00 to 1:00
		}})
		loc := c.Local(0).Location()
		for _, d := range []string{"2026-03-29", "2026-10-25", "2026-11-27", "2018-11-04"} {
			day, _ := calendar.ParseDay(d)
			y, m, n := time.Unix(int64(day)*86400, 0).UTC().Date()
			from, to := time.Date(y, m, n, 0, 0, 0, 0, loc).UnixMilli(), time.Date(y, m, n+1, 0, 0, 0, 0, loc).UnixMilli()
			for ms := from - 3*3600_000; ms < to+3*3600_000; ms += 900_000 {
				for _, at := range []int64{ms, ms - 1} {
					inside := c.Local(at).Format(time.DateOnly) == d
					if got := c.Group(at) != 0; got != inside {
						t.Errorf("%s %v: special is %v", zone, c.Local(at), got)
					}
					if plain := c.Zone.HourOfWeek(at); (!inside || d == "2026-03-29" || d == "2018-11-04") && c.HourOfWeek(at) != plain {
						t.Errorf("%s %v: hour of week %d, want %d", zone, c.Local(at), c.HourOfWeek(at), plain)
					} else if want := map[string]int{"2026-10-25": 24, "2026-11-27": 0}[d] + plain%24; inside && d >= "2026-10" && c.HourOfWeek(at) != want {
						t.Errorf("%s %v: hour of week %d, want %d", zone, c.Local(at), c.HourOfWeek(at), want)
					}
				}
			}
		}
	}
}

// TestWithoutRulesNothingIsSpecial compares with the zone, before, in and behind the table.
func TestWithoutRulesNothingIsSpecial(t *testing.T) {
	empty, holidays := build(t, "Europe/Berlin", calendar.Rules{}), build(t, "Europe/Berlin", calendar.Rules{Countries: []calendar.Country{{Code: "DE"}}})
	for ms := int64(-1e12); ms < 5e12; ms += 7_654_321 {
		if slot, group := empty.At(ms); slot != empty.Zone.HourOfWeek(ms) || group != 0 {
			t.Fatalf("%v: %d, %d", empty.Local(ms), slot, group)
		}
		if slot, group := holidays.At(ms); group == 0 && slot != empty.Zone.HourOfWeek(ms) {
			t.Fatalf("%v: %d, want %d", empty.Local(ms), slot, empty.Zone.HourOfWeek(ms))
		}
	}
	if empty.Groups() != 0 || empty.Fingerprint() != "" || empty.GroupName(0) != "" || empty.Describe(0) != "Thu 01:00 Europe/Berlin" {
		t.Errorf("%d groups, fingerprint %q, %q", empty.Groups(), empty.Fingerprint(), empty.Describe(0))
	}
}

func TestGroupsAndFingerprintAreStable(t *testing.T) {
	rules := func() calendar.Rules {
		return calendar.Rules{
			Dates:     []calendar.Date{date(t, "2026-11-27", "Black Friday", 0), date(t, "2025-11-28", "Black Friday", 0), date(t, "2026-11-30", "Cyber Monday", 0)},
			Countries: []calendar.Country{{Code: "DE"}},
			Cycles:    []calendar.Cycle{calendar.MonthEnd},
		}
	}
	a, other := build(t, "Europe/Berlin", rules()), rules()
	slices.Reverse(other.Dates)
	b := build(t, "Europe/Berlin", other)
	var names []string
	for g := range a.Groups() {
		names = append(names, a.GroupName(g+1))
		if b.GroupNamed(a.GroupName(g+1)) != g+1 || b.GroupName(g+1) != a.GroupName(g+1) {
			t.Errorf("group %d is %q and %q", g+1, a.GroupName(g+1), b.GroupName(g+1))
		}
	}
	if a.GroupNamed("") != 0 || a.GroupNamed("Whit Monday") != 0 {
		t.Error("groups that there are not have numbers")
	}
	if want := []string{"Black Friday", "Cyber Monday", "holiday", "month_end"}; !slices.Equal(names, want) {
		t.Errorf("groups %q, want %q", names, want)
	}
	if a.Group(instant(t, "2026-11-27T12:00:00Z")) != a.Group(instant(t, "2025-11-28T12:00:00Z")) {
		t.Error("two Black Fridays, two groups")
	}
	if a.Fingerprint() != b.Fingerprint() || len(a.Fingerprint()) != 16 {
		t.Errorf("the same days in another order: fingerprints %q and %q", a.Fingerprint(), b.Fingerprint())
	}
	other.Dates[0].Like = calendar.LikeSunday
	if c := build(t, "Europe/Berlin", other); c.Fingerprint() == a.Fingerprint() {
		t.Error("another shape, the same fingerprint")
	}
}

func TestTooManyGroups(t *testing.T) {
	var r calendar.Rules
	for i := range 300 {
		r.Dates = append(r.Dates, calendar.Date{Day: calendar.Day(i), Name: fmt.Sprint("day ", i)})
	}
	if _, err := calendar.New(load(t, "UTC"), &r); err == nil || !strings.Contains(err.Error(), "300 groups") {
		t.Errorf("300 groups: %v", err)
	}
}

func TestCalendarIsSafeForConcurrentUse(t *testing.T) {
	c := busy(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ms := int64(0); ms < 5e12; ms += 1e9 {
				c.At(ms)
			}
		})
	}
	wg.Wait()
}

// busy has everything: holidays, cycles, and a timed event a week.
func busy(t testing.TB) *calendar.Calendar {
	events, err := calendar.ParseICS([]byte(file(`
BEGIN:VEVENT
SUMMARY:Match
DTSTART;TZID=Europe/Berlin:20000108T190000
DTEND;TZID=Europe/Berlin:20000108T230000
RRULE:FREQ=WEEKLY
END:VEVENT`)), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return build(t, "Europe/Berlin", calendar.Rules{
		Events: events, Countries: []calendar.Country{{Code: "DE"}}, Cycles: []calendar.Cycle{calendar.MonthEnd, {Name: "payday", MonthDay: 25}},
	})
}

func TestLookupsDoNotAllocate(t *testing.T) {
	c := busy(t)
	ms := instant(t, "2026-03-29T00:00:00Z")
	if n := testing.AllocsPerRun(1000, func() { c.HourOfWeek(ms); c.Group(ms); ms += 60_000 }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkContext(b *testing.B) {
	c := busy(b)
	from := instant(b, "2026-03-01T00:00:00Z")
	run := func(name string, f func(ms int64)) {
		b.Run(name, func(b *testing.B) {
			minutes := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				f(from + minutes*60_000)
				minutes = (minutes + 1) % (366 * 24 * 60)
			}
		})
	}
	run("HourOfWeek+Group", func(ms int64) { c.HourOfWeek(ms); c.Group(ms) })
	run("At", func(ms int64) { c.At(ms) })
}

// BenchmarkNew lays out what a business has, and a timed event for every day there is.
func BenchmarkNew(b *testing.B) {
	z := load(b, "Europe/Berlin")
	rules := calendar.Rules{
		Countries: []calendar.Country{{Code: "DE", Region: "BY"}, {Code: "US"}},
		Cycles:    []calendar.Cycle{calendar.MonthEnd, calendar.MonthStart, {Name: "payday", MonthDay: 25}},
	}
	run := func(name string) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := calendar.New(z, &rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("usual")
	var err error
	rules.Events, err = calendar.ParseICS([]byte(file("BEGIN:VEVENT\nSUMMARY:Match\nDTSTART:19700108T190000\nDTEND:19700108T230000\nRRULE:FREQ=DAILY\nEND:VEVENT")), "", 0)
	if err != nil {
		b.Fatal(err)
	}
	run("daily events")
}
