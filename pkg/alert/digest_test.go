package alert_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones do not depend on the machine

	"github.com/baseliner/baseliner/pkg/alert"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestDigestSchedule(t *testing.T) {
	d := alert.Digest{Weekday: time.Monday, At: 8*hour + 30*minute, Zone: berlin(t)}
	check := func(now, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.UnixMilli(d.Last(at.UnixMilli())).In(d.Zone).Format(time.RFC3339); got != want {
			t.Errorf("at %s the last was %s, want %s", now, got, want)
		}
	}
	check("2026-11-23T07:29:59Z", "2026-11-16T08:30:00+01:00")
	check("2026-11-23T07:30:00Z", "2026-11-23T08:30:00+01:00")
	check("2026-11-29T23:00:00Z", "2026-11-23T08:30:00+01:00")
	check("2026-10-26T07:00:00Z", "2026-10-19T08:30:00+02:00") // the clock went back the night before
	check("2026-10-26T07:30:00Z", "2026-10-26T08:30:00+01:00")
	d.Weekday, d.At = time.Sunday, 2*hour+30*minute // an hour that one day a year does not have
	check("2026-03-29T12:00:00Z", "2026-03-29T03:30:00+02:00")
}

// TestWeeklyDigest lives through four weeks with restarts, a reload and a week of downtime: one digest a week, with what
// happened since the one before.
func TestWeeklyDigest(t *testing.T) {
	s := newStory(t, quick)
	routing := alert.Routing{
		Route: routes(t, quick), Flapping: alert.Flapping{Begins: 3, Within: hour, QuietFor: 30 * minute},
		Allowances: map[string]alert.Allowance{"a": {PerDay: 2}},
		Digest:     &alert.Digest{Receiver: "chat", Weekday: time.Tuesday, At: 9 * hour, Zone: berlin(t)},
	}
	s.m.Rebuild(s.unix(), routing)
	var digests []alert.Notification
	const day = 24 * hour
	run := func(until time.Duration) {
		t.Helper()
		for {
			if s.m.DigestDue(s.unix()) {
				s.m.SetFacts(alert.Facts{DeadLetters: map[string]int{"pager/0": 2}, Budgets: []string{"x: 3.0 a week of 1.0"}, Head: "1 incident", Incidents: []string{"Wed: db"}, Report: "# The week", URL: "http://b/week"})
			}
			out, next := s.m.Advance(s.unix(), nil)
			for _, n := range out {
				if n.Receiver == "chat" {
					digests = append(digests, n)
				}
			}
			then := time.UnixMilli(next).Sub(beginning)
			if next == 0 || then >= until {
				break
			}
			s.now = then
		}
		s.now = until
	}
	give := func(ts ...alert.Transition) { s.m.Advance(s.unix(), ts) }
	for i := range 4 {
		began := time.Duration(i) * 10 * minute
		run(began)
		give(fires("p1", began, "signal", "checkout"))
		run(began + 2*minute)
		give(ends("p1", began, began+2*minute, "signal", "checkout"))
	}
	give(fires("p2", 40*minute))
	run(2 * hour)
	give(ends("p2", 40*minute, 2*hour))
	run(4 * day)
	if len(digests) != 1 {
		t.Fatalf("%d digests in the first week", len(digests))
	}
	e := digests[0].Alerts[0]
	if e.Firing || e.Labels["alertname"] != alert.DigestAlertname || e.StartsAt != beginning.UnixMilli() || time.UnixMilli(e.EndsAt).UTC().Format(time.RFC3339) != "2026-11-24T08:00:00Z" {
		t.Errorf("digest %+v", e)
	}
	if want := "Week to Tue 24 Nov 2026 09:00: 1 incident; 5 alerts of 2 signals, 4 over within 10 minutes, 0 without paging; 2 dead letters"; e.Annotations["summary"] != want {
		t.Errorf("summary %q", e.Annotations["summary"])
	}
	for _, want := range []string{
		"- checkout: 4, 4 over within 10 minutes\n- X: 1, 0 over", "Noise: 4 of 5 were over within 10 minutes, 2 began while they flapped",
		"Notifications: a ", "Summaries for want of budget: a ", "Dead letters: pager/0 2", "- x: 3.0 a week of 1.0",
	} {
		if !strings.Contains(e.Annotations["description"], want) {
			t.Errorf("no %q in\n%s", want, e.Annotations["description"])
		}
	}
	if e.GeneratorURL != "http://b/week" || e.Annotations["report"] != "# The week" || !strings.HasPrefix(e.Annotations["description"], "Incidents:\n- Wed: db\nHealth of the baselines: none\nAlerts by signal:\n") {
		t.Errorf("digest %+v", e)
	}
	s.m = reborn(t, s.m) // down for two weeks: one digest, of all of it
	s.now = 16 * day
	s.m.Rebuild(s.unix(), routing)
	run(17 * day)
	if len(digests) != 2 || !strings.Contains(digests[1].Alerts[0].Annotations["description"], "Alerts by signal: none") {
		t.Fatalf("%d digests after the downtime: %+v", len(digests), digests[1:])
	}
	routing.Digest = &alert.Digest{Receiver: "chat", Weekday: time.Thursday, At: 9 * hour, Zone: berlin(t)}
	s.m.Rebuild(s.unix(), routing) // moved by two days: not another one this week
	run(17*day + 12*hour)
	if len(digests) != 2 {
		t.Errorf("a digest more because its day changed")
	}
	run(32 * day)
	if len(digests) != 4 {
		t.Errorf("%d digests in all", len(digests))
	}
}
