package alert_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"go.yaml.in/yaml/v2"

	"github.com/baseliner/baseliner/pkg/alert"
)

// routes reads a route tree as a configuration has it.
func routes(t testing.TB, text string) *dispatch.Route {
	t.Helper()
	var r amconfig.Route
	if err := yaml.UnmarshalStrict([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return dispatch.NewRoute(&r, nil)
}

// simple groups by alertname, waits 30 s, tells news every 5 m and repeats after 4 h.
const simple = `{receiver: a, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}`

// story plays transitions in simulated time. What was told is told in a short form:
//
//	00:30 a "first notification" {}:{alertname="X"} +x1@00:00 -x2@00:00..00:10
type story struct {
	t    *testing.T
	m    *alert.Machine
	now  time.Duration // since the beginning
	told []string
}

var beginning = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func newStory(t *testing.T, tree string) *story {
	return &story{t: t, m: alert.NewMachine(routes(t, tree))}
}

func (s *story) unix() int64 { return beginning.Add(s.now).UnixMilli() }

// at lets time run until the instant, waking the machine when it asked to be woken, and then gives it the transitions.
func (s *story) at(when time.Duration, ts ...alert.Transition) {
	s.t.Helper()
	for {
		out, next := s.m.Advance(s.unix(), nil)
		s.tell(out)
		then := time.UnixMilli(next).Sub(beginning)
		if next == 0 || then >= when {
			break
		}
		if then <= s.now {
			s.t.Fatalf("at %s the machine asks to be woken at %s", s.now, then)
		}
		s.now = then
	}
	s.now = when
	out, _ := s.m.Advance(s.unix(), ts)
	s.tell(out)
}

func (s *story) tell(out []alert.Notification) {
	for i := range out {
		s.told = append(s.told, clock(s.unix())+" "+line(&out[i]))
	}
}

// heard compares what was told since the last call.
func (s *story) heard(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.told, want) {
		s.t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(s.told, "\n\t"), strings.Join(want, "\n\t"))
	}
	s.told = nil
}

func clock(ms int64) string {
	d := time.UnixMilli(ms).Sub(beginning)
	return fmt.Sprintf("%02d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

func line(n *alert.Notification) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q %s", n.Receiver, n.Reason, n.GroupKey)
	for _, e := range n.Alerts {
		if e.Firing {
			fmt.Fprintf(&b, " +%s@%s", e.Labels["pod"], clock(e.StartsAt))
		} else {
			fmt.Fprintf(&b, " -%s@%s..%s", e.Labels["pod"], clock(e.StartsAt), clock(e.EndsAt))
		}
	}
	return b.String()
}

func at(d time.Duration) int64 { return beginning.Add(d).UnixMilli() }

// fires is the begin of the episode of a pod, ends its end.
func fires(pod string, start time.Duration, more ...string) alert.Transition {
	ls := map[string]string{"alertname": "X", "pod": pod}
	for i := 0; i < len(more); i += 2 {
		ls[more[i]] = more[i+1]
	}
	return alert.Transition{Firing: true, Labels: ls, Annotations: map[string]string{"summary": pod}, StartsAt: at(start)}
}

func ends(pod string, start, end time.Duration, more ...string) alert.Transition {
	t := fires(pod, start, more...)
	t.Firing, t.EndsAt = false, at(end)
	return t
}

const (
	sec    = time.Second
	minute = time.Minute
	hour   = time.Hour
)

func TestBatchingWithinGroupWait(t *testing.T) {
	s := newStory(t, simple)
	// The wait begins with the news, however long the episode has been going on.
	s.at(0, fires("p1", -10*minute))
	s.at(10*sec, fires("p2", 0))
	s.at(29*sec, fires("p3", 0))
	s.heard()
	s.at(1 * minute)
	s.heard(`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:-10:00 +p2@00:00:00 +p3@00:00:00`)
}

func TestGroupWaitOfNothing(t *testing.T) {
	s := newStory(t, `{receiver: a, group_wait: 0s}`)
	s.at(0, fires("p1", 0))
	s.heard(`00:00:00 a "first notification" {}:{} +p1@00:00:00`)
}

func TestNewAlertWaitsForGroupInterval(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0))
	s.at(1*minute, fires("p2", 1*minute))
	s.at(20 * minute)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`00:05:30 a "new alerts added" {}:{alertname="X"} +p1@00:00:00 +p2@00:01:00`,
	)
}

func TestRepeat(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0))
	s.at(8*hour + 10*minute)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`04:00:30 a "repeat interval elapsed" {}:{alertname="X"} +p1@00:00:00`,
		`08:00:30 a "repeat interval elapsed" {}:{alertname="X"} +p1@00:00:00`,
	)
}

func TestRepeatCountsFromTheLastNotification(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0))
	s.at(2*hour, fires("p2", 2*hour))
	s.at(6*hour + 10*minute)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`02:00:30 a "new alerts added" {}:{alertname="X"} +p1@00:00:00 +p2@02:00:00`,
		`06:00:30 a "repeat interval elapsed" {}:{alertname="X"} +p1@00:00:00 +p2@02:00:00`,
	)
}

func TestResolved(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0), fires("p2", 0))
	s.at(3*minute, ends("p1", 0, 2*minute))
	s.at(7*minute, ends("p2", 0, 6*minute))
	s.at(12 * hour)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00 +p2@00:00:00`,
		`00:05:30 a "some alerts resolved" {}:{alertname="X"} -p1@00:00:00..00:02:00 +p2@00:00:00`,
		`00:10:30 a "all alerts resolved" {}:{alertname="X"} -p2@00:00:00..00:06:00`,
	)
	// Nothing is left of it: what fires again is a first notification, with another begin.
	s.at(13*hour, fires("p1", 13*hour))
	s.at(13*hour + minute)
	s.heard(`13:00:30 a "first notification" {}:{alertname="X"} +p1@13:00:00`)
}

func TestFiredAndResolvedBeforeTheFlushIsToldOnce(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0))
	s.at(10*sec, ends("p1", 0, 10*sec))
	s.at(12 * hour)
	s.heard(`00:00:30 a "all alerts resolved" {}:{alertname="X"} -p1@00:00:00..00:00:10`)
}

func TestResolvedWithoutABeginIsToldOnce(t *testing.T) {
	s := newStory(t, simple)
	s.at(hour, ends("p1", 0, 10*minute)) // during a downtime, whose begin was not seen
	s.at(hour+10*sec, ends("p1", 0, 10*minute), fires("p1", 0))
	s.at(12 * hour)
	s.heard(`01:00:30 a "all alerts resolved" {}:{alertname="X"} -p1@00:00:00..00:10:00`)
}

func TestFlappingTellsEveryEpisodeInOrder(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0))
	s.at(60*sec, ends("p1", 0, 60*sec))
	s.at(120*sec, fires("p1", 120*sec))
	s.at(180*sec, ends("p1", 120*sec, 180*sec))
	s.at(240*sec, fires("p1", 240*sec))
	s.at(20 * minute)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`00:05:30 a "new alerts added" {}:{alertname="X"} -p1@00:00:00..00:01:00 -p1@00:02:00..00:03:00 +p1@00:04:00`,
	)
}

func TestOrderIsAlertmanagers(t *testing.T) {
	s := newStory(t, `{receiver: a, group_wait: 0s}`)
	s.at(hour, fires("d", 0), fires("c", 5*minute, "instance", "i2", "job", "j1"), fires("b", 9*minute, "instance", "i1", "job", "j1"), fires("a", 8*minute, "job", "j0"), fires("e", 1*minute))
	s.heard(`01:00:00 a "first notification" {}:{} +a@00:08:00 +b@00:09:00 +c@00:05:00 +d@00:00:00 +e@00:01:00`)
}

const tree = `
receiver: a
group_by: [alertname]
group_wait: 30s
group_interval: 5m
repeat_interval: 4h
routes:
- {receiver: log, continue: true, group_by: ['...'], group_wait: 0s, group_interval: 1m, matchers: [pod!=""]}
- {receiver: pager, matchers: [severity="critical"], labels: {team: sre}}
`

func TestRoutes(t *testing.T) {
	s := newStory(t, tree)
	// Everything continues past the log; only who matches nothing else stays there alone.
	s.at(0, fires("p1", 0, "severity", "critical"), fires("p2", 0))
	s.at(2*minute, ends("p1", 0, minute, "severity", "critical"))
	s.at(10 * minute)
	s.heard(
		`00:00:00 log "first notification" {}/{pod!=""}:{alertname="X", pod="p1", severity="critical"} +p1@00:00:00`,
		`00:00:00 log "first notification" {}/{pod!=""}:{alertname="X", pod="p2"} +p2@00:00:00`,
		`00:00:30 pager "first notification" {}/{severity="critical"}:{alertname="X"} +p1@00:00:00`,
		`00:02:00 log "all alerts resolved" {}/{pod!=""}:{alertname="X", pod="p1", severity="critical"} -p1@00:00:00..00:01:00`,
		`00:05:30 pager "all alerts resolved" {}/{severity="critical"}:{alertname="X"} -p1@00:00:00..00:01:00`,
	)
}

func TestLabelsOfGroupAndRoute(t *testing.T) {
	m := alert.NewMachine(routes(t, tree))
	m.Advance(at(0), []alert.Transition{fires("p1", 0, "severity", "critical")})
	out, _ := m.Advance(at(30*sec), nil)
	if len(out) != 1 || !maps.Equal(out[0].GroupLabels, map[string]string{"alertname": "X"}) || !maps.Equal(out[0].RouteLabels, map[string]string{"team": "sre"}) {
		t.Errorf("got %+v", out)
	}
}

func TestNobodyIsToldWithoutARoute(t *testing.T) {
	m := alert.NewMachine(nil)
	if out, next := m.Advance(at(0), []alert.Transition{fires("p1", 0), fires("p2", 0), ends("p2", 0, sec)}); len(out) != 0 || next != 0 {
		t.Errorf("got %v, next %d", out, next)
	}
	var firing []string
	m.Firing(func(e *alert.Episode) { firing = append(firing, e.Labels["pod"]) })
	if !slices.Equal(firing, []string{"p1"}) {
		t.Errorf("firing: %v", firing)
	}
}

func TestRebuildKeepsWhatWasTold(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0))
	s.at(1 * minute)
	s.at(2*minute, ends("p1", 0, 2*minute), fires("p2", 2*minute))
	// The same groups under another tree: other times, another receiver beside the old one.
	abandoned := s.m.Rebuild(s.unix(), alert.Routing{Route: routes(t, `
receiver: a
group_by: [alertname]
group_wait: 10s
group_interval: 1m
repeat_interval: 1h
routes: [{receiver: b, matchers: [pod="p3"]}]`)})
	if len(abandoned) != 0 {
		t.Errorf("abandoned: %v", abandoned)
	}
	s.at(150*sec, fires("p3", 150*sec))
	s.at(10 * minute)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00`,
		// The shorter interval counts from the reload.
		`00:02:40 b "first notification" {}/{pod="p3"}:{alertname="X"} +p3@00:02:30`,
		`00:03:00 a "new alerts added" {}:{alertname="X"} -p1@00:00:00..00:02:00 +p2@00:02:00`,
	)
}

func TestRebuildWithOtherGroupsTellsAnew(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, fires("p1", 0), fires("p2", 0))
	s.at(1 * minute)
	s.at(2*minute, ends("p2", 0, 2*minute))
	abandoned := s.m.Rebuild(s.unix(), alert.Routing{Route: routes(t, `{receiver: a, group_by: [pod], group_wait: 30s}`)})
	if len(abandoned) != 1 || abandoned[0].Key != `{}:{alertname="X"}` {
		t.Errorf("abandoned: %v", abandoned)
	}
	s.at(10 * minute)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00 +p2@00:00:00`,
		`00:02:30 a "first notification" {}:{pod="p1"} +p1@00:00:00`,
		// Its end had not been told: it is not lost with its group.
		`00:02:30 a "all alerts resolved" {}:{pod="p2"} -p2@00:00:00..00:02:00`,
	)
}

func TestRestartDoesNotTellAnEndTwice(t *testing.T) {
	s := newStory(t, `
receiver: slow
group_interval: 10m
routes: [{receiver: quick, group_interval: 1m, continue: true, matchers: [pod!=""]}, {receiver: slow, matchers: [pod!=""]}]`)
	s.at(0, fires("p1", 0))
	s.at(1*minute, ends("p1", 0, minute))
	s.at(3 * minute) // quick has told the end and its group is gone; slow has yet to
	s.m.Rebuild(s.unix(), alert.Routing{Route: routes(t, `
receiver: slow
group_interval: 10m
routes: [{receiver: quick, group_interval: 1m, continue: true, matchers: [pod!=""]}, {receiver: slow, matchers: [pod!=""]}]`)})
	s.at(hour)
	s.heard(
		`00:00:30 quick "first notification" {}/{pod!=""}:{} +p1@00:00:00`,
		`00:00:30 slow "first notification" {}/{pod!=""}:{} +p1@00:00:00`,
		`00:01:30 quick "all alerts resolved" {}/{pod!=""}:{} -p1@00:00:00..00:01:00`,
		`00:10:30 slow "all alerts resolved" {}/{pod!=""}:{} -p1@00:00:00..00:01:00`,
	)
}

func TestClockBackAnHour(t *testing.T) {
	s := newStory(t, simple)
	s.at(2*hour, fires("p1", 2*hour))
	s.at(2*hour + minute)
	s.heard(`02:00:30 a "first notification" {}:{alertname="X"} +p1@02:00:00`)
	s.now = hour + minute
	s.at(s.now+10*sec, ends("p1", 2*hour, 2*hour+10*sec), fires("p2", hour+minute))
	s.at(hour + 10*minute)
	// Within a group interval of the new time, and not an hour later.
	s.heard(`01:06:00 a "new alerts added" {}:{alertname="X"} -p1@02:00:00..02:00:10 +p2@01:01:00`)
	// What was told in the future is repeated a repeat interval after that is known to be wrong.
	s = newStory(t, simple)
	s.at(1000*hour, fires("p1", 0))
	s.at(1000*hour + minute)
	s.told = nil
	s.now = 0
	s.at(4*hour + 10*minute)
	s.heard(`04:00:00 a "repeat interval elapsed" {}:{alertname="X"} +p1@00:00:00`)
}

func TestNextWake(t *testing.T) {
	check := func(now, next int64, want time.Duration) {
		t.Helper()
		if got := alert.NextWake(now, next, 10*sec); got != want {
			t.Errorf("NextWake(%d, %d) = %s, want %s", now, next, got, want)
		}
	}
	check(1000, 0, 10*sec)
	check(1000, 1500, 500*time.Millisecond)
	check(1000, 900, 0)
	check(1000, 1_000_000, 10*sec)
}

func TestTransitionID(t *testing.T) {
	a := fires("p1", 0)
	same := fires("p1", 0)
	same.Annotations = map[string]string{"summary": "found again, in other words"}
	if a.ID() != same.ID() {
		t.Error("annotations change the id")
	}
	others := []alert.Transition{a, fires("p2", 0), fires("p1", sec), ends("p1", 0, sec)}
	seen := map[string]bool{}
	for _, o := range others {
		seen[o.ID()] = true
	}
	if len(seen) != len(others) {
		t.Errorf("%d ids of %d transitions", len(seen), len(others))
	}
}

// TestRoutesSeePaging: the annotation routes like a label, and is none.
func TestRoutesSeePaging(t *testing.T) {
	s := newStory(t, `{receiver: pager, group_by: [...], group_wait: 30s, group_interval: 5m, repeat_interval: 4h,
		routes: [{receiver: tickets, matchers: ['paging="false"']}]}`)
	quiet := fires("p2", 0)
	quiet.Annotations[alert.PagingAnnotation] = "false"
	s.at(0, fires("p1", 0), quiet, fires("p3", 0, "paging", "mine"))
	s.at(minute)
	s.heard(
		`00:00:30 pager "first notification" {}:{alertname="X", paging="mine", pod="p3"} +p3@00:00:00`,
		`00:00:30 pager "first notification" {}:{alertname="X", pod="p1"} +p1@00:00:00`,
		`00:00:30 tickets "first notification" {}/{paging="false"}:{alertname="X", pod="p2"} +p2@00:00:00`,
	)
}
