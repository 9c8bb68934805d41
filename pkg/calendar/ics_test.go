package calendar_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/calendar"
)

// file puts events into a calendar, with the line ends that RFC 5545 asks for.
func file(events string) string {
	return strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN"+"\n"+strings.Trim(events, "\n")+"\nEND:VCALENDAR\n", "\n", "\r\n")
}

// spansOf prints every event of a file as a calendar of the zone sees it: the instants at which the context changes.
func spansOf(t *testing.T, zone, text, from, to string) (spans []string) {
	t.Helper()
	events, err := calendar.ParseICS([]byte(text), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	c := build(t, zone, calendar.Rules{Events: events})
	last := 0
	for ms := instant(t, from+"T00:00:00Z"); ms < instant(t, to+"T00:00:00Z"); ms += 15 * 60_000 {
		g := c.Group(ms)
		if g == last {
			continue
		}
		at := c.Local(ms).Format("01-02T15:04")
		if last != 0 {
			spans[len(spans)-1] += ".." + at
		}
		if g != 0 {
			spans = append(spans, c.GroupName(g)+" "+at)
		}
		last = g
	}
	return spans
}

func TestICS(t *testing.T) {
	check := func(what, zone, events, from, to string, want ...string) {
		t.Helper()
		if got := spansOf(t, zone, file(events), from, to); !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
		}
	}
	const berlin, newYork = "Europe/Berlin", "America/New_York"
	check("all-day in any zone", newYork, "BEGIN:VEVENT\nSUMMARY:Fair\nDTSTART;VALUE=DATE:20261210\nEND:VEVENT", "2026-12-01", "2027-01-01",
		"Fair 12-10T00:00..12-11T00:00")
	check("several days, the end exclusive", berlin, "BEGIN:VEVENT\nSUMMARY:Break\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nEND:VEVENT", "2026-12-01", "2027-01-01",
		"Break 12-24T00:00..12-27T00:00")
	check("duration", berlin, "BEGIN:VEVENT\nSUMMARY:Break\nDTSTART;VALUE=DATE:20261224\nDURATION:P2D\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:Talk\nDTSTART:20261201T090000Z\nDURATION:PT1H30M\nEND:VEVENT", "2026-12-01", "2027-01-01",
		"Talk 12-01T10:00..12-01T11:30", "Break 12-24T00:00..12-26T00:00")
	check("a time in a zone, seen from another", newYork, "BEGIN:VEVENT\nSUMMARY:Match\nDTSTART;TZID=Europe/Berlin:20261210T190000\nDTEND;TZID=Europe/Berlin:20261210T230000\nEND:VEVENT", "2026-12-01", "2027-01-01",
		"Match 12-10T13:00..12-10T17:00")
	check("a time on the wall", newYork, "BEGIN:VEVENT\nSUMMARY:Lunch\nDTSTART:20261210T120000\nDTEND:20261210T133000\nEND:VEVENT", "2026-12-01", "2027-01-01",
		"Lunch 12-10T12:00..12-10T13:30")
	check("over midnight", berlin, "BEGIN:VEVENT\nSUMMARY:Party\nDTSTART:20261231T200000\nDTEND:20270101T040000\nEND:VEVENT", "2026-12-01", "2027-02-01",
		"Party 12-31T20:00..01-01T04:00")
	check("a whole summer", berlin, "BEGIN:VEVENT\nSUMMARY:Season\nDTSTART:20260401T120000\nDTEND:20261001T120000\nEND:VEVENT", "2026-01-01", "2027-01-01",
		"Season 04-01T12:00..10-01T12:00")
	check("recurs through the change of the clock", berlin, "BEGIN:VEVENT\nSUMMARY:Match\nDTSTART;TZID=Europe/Berlin:20261017T190000\nDTEND;TZID=Europe/Berlin:20261017T210000\nRRULE:FREQ=WEEKLY;COUNT=3\nEND:VEVENT", "2026-10-01", "2026-12-01",
		"Match 10-17T19:00..10-17T21:00", "Match 10-24T19:00..10-24T21:00", "Match 10-31T19:00..10-31T21:00")
	check("recurs on the clock of another zone", "Asia/Tokyo", "BEGIN:VEVENT\nSUMMARY:Match\nDTSTART;TZID=Europe/Berlin:20261017T190000\nDTEND;TZID=Europe/Berlin:20261017T210000\nRRULE:FREQ=WEEKLY;UNTIL=20261031T235959Z\nEND:VEVENT", "2026-10-01", "2026-12-01",
		"Match 10-18T02:00..10-18T04:00", "Match 10-25T02:00..10-25T04:00", "Match 11-01T03:00..11-01T05:00")
	check("exceptions, additions and a moved one", berlin, `
BEGIN:VEVENT
UID:1
SUMMARY:Standup
DTSTART;TZID=Europe/Berlin:20261202T090000
DTEND;TZID=Europe/Berlin:20261202T100000
RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=5
EXDATE;TZID=Europe/Berlin:20261209T090000
RDATE;TZID=Europe/Berlin:20261211T140000
END:VEVENT
BEGIN:VEVENT
UID:1
RECURRENCE-ID;TZID=Europe/Berlin:20261216T090000
SUMMARY:Standup
DTSTART;TZID=Europe/Berlin:20261217T110000
DTEND;TZID=Europe/Berlin:20261217T120000
END:VEVENT
BEGIN:VEVENT
UID:1
RECURRENCE-ID;TZID=Europe/Berlin:20261223T090000
STATUS:CANCELLED
SUMMARY:Standup
DTSTART;TZID=Europe/Berlin:20261223T090000
DTEND;TZID=Europe/Berlin:20261223T100000
END:VEVENT`, "2026-12-01", "2027-01-01",
		"Standup 12-02T09:00..12-02T10:00", "Standup 12-11T14:00..12-11T15:00", "Standup 12-17T11:00..12-17T12:00", "Standup 12-30T09:00..12-30T10:00")
	check("every year, but for one", berlin, "BEGIN:VEVENT\nSUMMARY:Day off\nDTSTART;VALUE=DATE:20200229\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1\nEXDATE;VALUE=DATE:20270228\nEND:VEVENT", "2026-01-01", "2029-01-01",
		"Day off 02-28T00:00..03-01T00:00", "Day off 02-29T00:00..03-01T00:00")
	check("the fourth Thursday, and names with commas, folded", newYork, "BEGIN:VEVENT\nSUMMARY:Turkey\\, pie\n  and family\nDTSTART;VALUE=DATE:20001123\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH\nEND:VEVENT", "2026-01-01", "2028-01-01",
		"Turkey, pie and family 11-26T00:00..11-27T00:00", "Turkey, pie and family 11-25T00:00..11-26T00:00")
	check("what has no length, was cancelled or is no event", berlin, "BEGIN:VEVENT\nSUMMARY:Reminder\nDTSTART:20261210T120000\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:Off\nSTATUS:CANCELLED\nDTSTART;VALUE=DATE:20261210\nEND:VEVENT\nBEGIN:VTODO\nSUMMARY:Later\nDUE:20261210T120000\nEND:VTODO", "2026-12-01", "2027-01-01")
	check("zones by other names", berlin, `
BEGIN:VTIMEZONE
TZID:Mine
X-LIC-LOCATION:America/New_York
BEGIN:STANDARD
DTSTART:19701101T020000
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
SUMMARY:A
DTSTART;TZID=Mine:20261210T120000
DURATION:PT1H
END:VEVENT
BEGIN:VEVENT
SUMMARY:B
DTSTART;TZID=/freeassociation.sourceforge.net/Asia/Tokyo:20261211T120000
DURATION:PT1H
END:VEVENT
BEGIN:VEVENT
SUMMARY:C
DTSTART;TZID="Romance Standard Time":20261212T120000
DURATION:PT1H
END:VEVENT`, "2026-12-01", "2027-01-01",
		"A 12-10T18:00..12-10T19:00", "B 12-11T04:00..12-11T05:00", "C 12-12T12:00..12-12T13:00")
}

func TestOneNameForAFile(t *testing.T) {
	events, err := calendar.ParseICS([]byte(file("BEGIN:VEVENT\nSUMMARY:A\nDTSTART;VALUE=DATE:20261210\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261211\nEND:VEVENT")), "holiday", calendar.LikeSunday)
	if err != nil {
		t.Fatal(err)
	}
	c := build(t, "UTC", calendar.Rules{Events: events, Cycles: []calendar.Cycle{{Name: "payday", MonthDay: 11}}})
	equalDays(t, "one group", daysOf(c, "holiday", 2026, 2026), "2026-12-10 2026-12-11")
	equalDays(t, "no working days", daysOf(c, "payday", 2026, 2026)[11:], "2026-12-09")
	if slot := c.HourOfWeek(instant(t, "2026-12-10T05:00:00Z")); slot != 5 {
		t.Errorf("slot %d, want Sunday's 5", slot)
	}
}

func TestICSErrorsNameTheEvent(t *testing.T) {
	check := func(text string, wants ...string) {
		t.Helper()
		events, err := calendar.ParseICS([]byte(text), "", 0)
		if err == nil {
			t.Errorf("%q: no error, %d events", text, len(events))
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
	event := func(lines string) string {
		return file("BEGIN:VEVENT\nSUMMARY:Derby\n" + lines + "\nEND:VEVENT")
	}
	check("", "cut short")
	check("hello", "cut short")
	check(strings.TrimSuffix(event("DTSTART:20261210T120000"), "END:VCALENDAR\r\n"), "cut short")
	check("BEGIN:VTODO\nEND:VCALENDAR\n", "vcalendar")
	check(event("DTEND:20261210T120000"), `line 4: event "Derby"`, "no DTSTART")
	check(event("DTSTART:tomorrow"), `line 4: event "Derby": DTSTART: "tomorrow"`)
	check(event("DTSTART;TZID=Mars Standard Time:20261210T120000"), `TZID "Mars Standard Time"`, "Europe/Berlin")
	check(event("DTSTART:20261210T120000\nDTEND:20261210T110000"), "before")
	check(event("DTSTART:20261210T120000\nDTEND;VALUE=DATE:20261211"), "not of one kind")
	check(event("DTSTART:20261210T120000\nDURATION:2h"), "DURATION", `"2h"`)
	check(event("DTSTART;VALUE=DATE:20261210\nRRULE:FREQ=SOMETIMES"), "RRULE", "SOMETIMES")
	check(event("DTSTART;VALUE=DATE:20261210\nRRULE:FREQ=HOURLY"), "within a day")
	check(event("DTSTART;VALUE=DATE:20261210\nRRULE:FREQ=DAILY;INTERVAL=0"), "INTERVAL")
	check(event("DTSTART;VALUE=DATE:20261210\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"), "more than one RRULE")
	check(event("DTSTART;VALUE=DATE:20261210\nEXDATE:never"), "EXDATE", `"never"`)
	check(event("DTSTART;VALUE=DATE:20261210\nDTEND;VALUE=DATE:20281210"), "more than a year")
	check(event("DTSTART:20000101T000000\nDURATION:PT1M\nRRULE:FREQ=DAILY;BYMINUTE=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"), "more than 500000 times")
	check(file("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261210\nEND:VEVENT"), "without SUMMARY", "give it one")
	check(file("BEGIN:VEVENT\nSUMMARY:A\nDTSTART:x\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:B\nDTSTART:y\nEND:VEVENT"), `line 4: event "A"`, `line 8: event "B"`)
}

func FuzzICS(f *testing.F) {
	f.Add([]byte(file("BEGIN:VEVENT\nUID:1\nSUMMARY:Match\nDTSTART;TZID=Europe/Berlin:20261017T190000\nDTEND;TZID=Europe/Berlin:20261017T210000\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;TZID=Europe/Berlin:20261024T190000\nRDATE:20261025T190000Z\nEND:VEVENT")))
	f.Add([]byte(file("BEGIN:VEVENT\nSUMMARY:Day\nDTSTART;VALUE=DATE:20200229\nDURATION:P1W2DT1S\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1;UNTIL=20300101\nEND:VEVENT")))
	f.Add([]byte(file("BEGIN:VTIMEZONE\nTZID:X\nX-LIC-LOCATION:UTC\nEND:VTIMEZONE\nBEGIN:VEVENT\nSUMMARY:X\nDTSTART;TZID=X:20200229T000000\nRECURRENCE-ID:20200229T000000\nEND:VEVENT")))
	zone := load(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		events, err := calendar.ParseICS(b, "", 0)
		if err != nil {
			if events == nil && strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error that says nothing")
			}
			return
		}
		for _, e := range events {
			if e.Name == "" || e.Length <= 0 || len(e.Starts) == 0 || !slices.IsSorted(e.Starts) {
				t.Fatalf("%+v", e)
			}
		}
		if c, err := calendar.New(zone, &calendar.Rules{Events: events}); err == nil && len(events) > 0 {
			if g := c.Groups(); g < 1 {
				t.Fatalf("%d groups of %d events", g, len(events))
			}
		}
	})
}
