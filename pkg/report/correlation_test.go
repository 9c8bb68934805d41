package report

import (
	"strings"
	"testing"
	"time"
)

// TestWhatWasToldStandsBesideWhatHoursSay: an incident that was told and one that the hours show are one; what is too short for an hour
// is listed with what it was told to have lost.
func TestWhatWasToldStandsBesideWhatHoursSay(t *testing.T) {
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC) }
	c := &Correlation{
		Outcome: "orders", From: at(1, 0, 0), To: at(29, 0, 0), Worth: &Worth{42, "EUR"},
		Incidents: []Incident{{Start: at(12, 10, 0), End: at(12, 12, 0), Lost: Range{300, 200, 400}, Money: &Range{12600, 8400, 16800}}},
	}
	c.tell([]Told{
		{Start: at(12, 10, 20), End: at(12, 11, 50), Summary: "Incident around orders", URL: "http://b/incident?id=a"},
		{Start: at(9, 3, 0), End: at(9, 3, 20), Summary: "Incident around db", Lost: &Range{10, 5, 15}, Money: &Range{420, 210, 630}},
		{Start: at(29, 3, 0), End: at(29, 4, 0), Summary: "later"},
	})
	s := c.incidents()
	var b strings.Builder
	s.Blocks[0].(*Table).markdown(&b)
	want := "| Mon 9 Nov 03:00 | Mon 9 Nov 03:20 | 420 EUR | 210–630 EUR |  | Incident around db |  |\n" +
		"| Thu 12 Nov 10:00 | Thu 12 Nov 12:00 | 12,600 EUR | 8,400–16,800 EUR | nothing explains it | Incident around orders | http://b/incident?id=a |\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if !strings.Contains(string(s.Blocks[1].(Text)), "what was told and shows in no whole hour is not") {
		t.Errorf("it says %q", s.Blocks[1])
	}
}
