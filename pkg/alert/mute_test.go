package alert_test

import (
	"strings"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/inhibit"
	"go.yaml.in/yaml/v2"

	"github.com/baseliner/baseliner/pkg/alert"
)

// windows reads named recurring times as a configuration has them.
func windows(t *testing.T, text string) (out []alert.Window) {
	t.Helper()
	var ts []amconfig.TimeInterval
	if err := yaml.UnmarshalStrict([]byte(text), &ts); err != nil {
		t.Fatal(err)
	}
	for _, i := range ts {
		out = append(out, alert.Window{Name: i.Name, Intervals: i.TimeIntervals})
	}
	return out
}

func inhibitRules(t *testing.T, text string) (out []*inhibit.InhibitRule) {
	t.Helper()
	var rs []amcommon.InhibitRule
	if err := yaml.UnmarshalStrict([]byte(text), &rs); err != nil {
		t.Fatal(err)
	}
	for _, r := range rs {
		out = append(out, inhibit.NewInhibitRule(r))
	}
	return out
}

func silenced(t *testing.T, from, to time.Duration, matchers ...string) *alert.Quiet {
	t.Helper()
	s := alert.Silence{ID: "s1", Matchers: matchers, StartsAt: at(from), EndsAt: at(to)}
	if err := s.Compile(); err != nil {
		t.Fatal(err)
	}
	return &alert.Quiet{Silences: []alert.Silence{s}}
}

func TestWhatIsSilencedIsToldOnceTheSilenceIsOver(t *testing.T) {
	s := newStory(t, simple)
	s.m.SetQuiet(silenced(t, 0, time.Hour, `pod=~"x.*"`))
	s.at(0, fires("x1", 0), fires("y", 0))
	s.at(50*time.Minute, ends("y", 0, 50*time.Minute))
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +y@00:00:00`,
	)
	s.at(70 * time.Minute)
	s.heard(
		`00:50:30 a "all alerts resolved" {}:{alertname="X"} -y@00:00:00..00:50:00`,
		`01:00:30 a "new alerts added" {}:{alertname="X"} +x1@00:00:00`,
	)
}

func TestWhatBeginsAndEndsInSilenceIsNeverTold(t *testing.T) {
	s := newStory(t, simple)
	s.m.SetQuiet(silenced(t, 0, time.Hour, `pod="x1"`))
	s.at(0, fires("x1", 0))
	s.at(10*time.Minute, ends("x1", 0, 10*time.Minute))
	s.at(3 * time.Hour)
	s.heard()
	left := 0
	s.m.Firing(func(*alert.Episode) { left++ })
	if left != 0 {
		t.Errorf("%d episodes are left", left)
	}
}

// TestTheEndOfWhatWasToldIsToldInSilence leaves no pager open for ever.
func TestTheEndOfWhatWasToldIsToldInSilence(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("x1", 0))
	s.at(time.Minute)
	s.m.SetQuiet(silenced(t, time.Minute, 10*time.Hour, `pod="x1"`))
	s.at(9 * time.Hour) // and is not repeated
	s.at(9*time.Hour, ends("x1", 0, 9*time.Hour))
	s.at(10 * time.Hour)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +x1@00:00:00`,
		`09:00:30 a "all alerts resolved" {}:{alertname="X"} -x1@00:00:00..09:00:00`,
	)
}

func TestSilencesThatMakeNoSense(t *testing.T) {
	check := func(cause string, s alert.Silence) {
		t.Helper()
		if err := s.Compile(); err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%+v: %v, want %s", s, err, cause)
		}
	}
	check("needs a matcher", alert.Silence{EndsAt: 1})
	check("needs a matcher", alert.Silence{Matchers: []string{`pod=~".*"`}, EndsAt: 1})
	check("matcher", alert.Silence{Matchers: []string{`pod=~"("`}, EndsAt: 1})
	check("ends after", alert.Silence{Matchers: []string{`pod="a"`}, StartsAt: 1, EndsAt: 1})
}

// TestMaintenance recurs at eleven in Berlin, which is ten in UTC in November and nine in July.
func TestMaintenance(t *testing.T) {
	q := &alert.Quiet{Maintenance: windows(t, `[{name: deploys, time_intervals: [{weekdays: [monday], times: [{start_time: '11:00', end_time: '12:00'}], location: Europe/Berlin}]}]`)}
	check := func(when, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, when)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.By(map[string]string{"a": "b"}, at.UnixMilli()); got != want {
			t.Errorf("at %s by %q, want %q", when, got, want)
		}
	}
	check("2026-11-23T09:59:59Z", "")
	check("2026-11-23T10:00:00Z", "maintenance deploys")
	check("2026-11-23T10:59:59Z", "maintenance deploys")
	check("2026-11-23T11:00:00Z", "")
	check("2026-11-24T10:30:00Z", "")
	check("2026-07-20T09:30:00Z", "maintenance deploys")
	check("2026-07-20T10:30:00Z", "")

	s := newStory(t, simple) // at nine in Berlin
	s.m.SetQuiet(q)
	s.at(2*time.Hour+time.Minute, fires("x1", 2*time.Hour))
	s.at(4 * time.Hour)
	s.heard(`03:01:30 a "first notification" {}:{alertname="X"} +x1@02:00:00`)
}

func TestHoursOfARoute(t *testing.T) {
	s := newStory(t, simple)
	s.m.Rebuild(s.unix(), alert.Routing{
		Intervals: windows(t, `[{name: ten, time_intervals: [{times: [{start_time: '10:00', end_time: '11:00'}]}]}]`),
		Route: routes(t, `
receiver: a
group_wait: 30s
group_interval: 5m
routes:
  - {receiver: muted, mute_time_intervals: [ten], continue: true}
  - {receiver: active, active_time_intervals: [ten]}`),
	})
	s.at(2*time.Hour+time.Minute, fires("x1", 2*time.Hour))
	s.at(4 * time.Hour)
	s.heard(
		`02:01:30 active "first notification" {}/{}:{} +x1@02:00:00`,
		`03:01:30 muted "first notification" {}/{}:{} +x1@02:00:00`,
	)
}

func TestInhibition(t *testing.T) {
	s := newStory(t, `{receiver: a, group_by: [pod], group_wait: 30s, group_interval: 5m}`)
	s.m.Rebuild(s.unix(), alert.Routing{
		Route:   routes(t, `{receiver: a, group_by: [pod], group_wait: 30s, group_interval: 5m}`),
		Inhibit: inhibitRules(t, `[{source_matchers: ['severity="critical"'], target_matchers: ['severity=~"info|critical"', 'pod!="db"'], equal: [zone]}]`),
	})
	s.at(0,
		fires("db", 0, "severity", "critical", "zone", "1"),
		fires("web", 0, "severity", "info", "zone", "1"), // for the database
		fires("app", 0, "severity", "info", "zone", "2"), // nothing critical there
	)
	s.at(20 * time.Minute)
	s.heard(
		`00:00:30 a "first notification" {}:{pod="app"} +app@00:00:00`,
		`00:00:30 a "first notification" {}:{pod="db"} +db@00:00:00`,
	)
	s.at(20*time.Minute, ends("db", 0, 20*time.Minute, "severity", "critical", "zone", "1"))
	s.at(30 * time.Minute)
	s.heard(
		`00:20:30 a "all alerts resolved" {}:{pod="db"} -db@00:00:00..00:20:00`,
		`00:20:30 a "first notification" {}:{pod="web"} +web@00:00:00`,
	)

	// What is source and target does not inhibit its like.
	s.at(time.Hour, fires("one", time.Hour, "severity", "critical", "zone", "3"), fires("two", time.Hour, "severity", "critical", "zone", "3"))
	s.at(61 * time.Minute)
	s.heard(
		`01:00:30 a "first notification" {}:{pod="one"} +one@01:00:00`,
		`01:00:30 a "first notification" {}:{pod="two"} +two@01:00:00`,
	)
}
