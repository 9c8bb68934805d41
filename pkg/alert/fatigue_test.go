package alert_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/baseliner/baseliner/pkg/alert"
)

// guarded is a story with guards against too many notifications.
func guarded(t *testing.T, tree string, f alert.Flapping, a map[string]alert.Allowance) *story {
	s := newStory(t, tree)
	s.m.Rebuild(s.unix(), alert.Routing{Route: routes(t, tree), Flapping: f, Allowances: a})
	return s
}

const quick = `{receiver: a, group_by: [alertname], group_wait: 0s, group_interval: 1m, repeat_interval: 4h}`

// comesAndGoes lets a pod fire for a minute every five, n times from start on.
func (s *story) comesAndGoes(pod string, start time.Duration, n int) {
	s.t.Helper()
	for i := range n {
		began := start + time.Duration(i)*5*minute
		s.at(began, fires(pod, began))
		s.at(began+minute, ends(pod, began, began+minute))
	}
}

// What comes and goes is told as flapping once, and held until it is quiet: then every episode is told, with its times.
func TestFlapping(t *testing.T) {
	s := guarded(t, quick, alert.Flapping{Begins: 3, Within: hour, QuietFor: 30 * minute}, nil)
	s.comesAndGoes("p1", 0, 6)
	if n := s.m.Flaps(); n != 1 {
		t.Errorf("%d flap", n)
	}
	s.heard(
		`00:00:00 a "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`00:01:00 a "all alerts resolved" {}:{alertname="X"} -p1@00:00:00..00:01:00`,
		`00:05:00 a "first notification" {}:{alertname="X"} +p1@00:05:00`,
		`00:06:00 a "all alerts resolved" {}:{alertname="X"} -p1@00:05:00..00:06:00`,
		`00:10:00 a "first notification" {}:{alertname="X"} +p1@00:10:00`,
	)
	s.at(40*minute, fires("p2", 40*minute)) // another one is told as ever
	s.at(50*minute, ends("p2", 40*minute, 50*minute))
	s.at(2 * hour)
	s.heard(
		`00:40:00 a "new alerts added" {}:{alertname="X"} +p1@00:10:00 +p2@00:40:00`,
		`00:50:00 a "some alerts resolved" {}:{alertname="X"} +p1@00:10:00 -p2@00:40:00..00:50:00`,
		`00:56:00 a "all alerts resolved" {}:{alertname="X"} -p1@00:10:00..00:11:00 -p1@00:15:00..00:16:00 -p1@00:20:00..00:21:00 -p1@00:25:00..00:26:00`,
	)
	if n := s.m.Flaps(); n != 0 {
		t.Errorf("%d flap afterwards", n)
	}
}

// What stays after it has flapped is told to stay.
func TestWhatFlappedAndStays(t *testing.T) {
	s := guarded(t, quick, alert.Flapping{Begins: 3, Within: hour, QuietFor: 30 * minute}, nil)
	s.comesAndGoes("p1", 0, 3)
	s.told = nil
	s.at(20*minute, fires("p1", 20*minute))
	s.at(2 * hour)
	s.heard(`00:50:00 a "new alerts added" {}:{alertname="X"} -p1@00:10:00..00:11:00 +p1@00:20:00`)
}

// That more is known of an alert is no begin and no end: what flapped is quiet all the same.
func TestUpdatesDoNotFlap(t *testing.T) {
	s := guarded(t, quick, alert.Flapping{Begins: 3, Within: hour, QuietFor: 30 * minute}, nil)
	s.comesAndGoes("p1", 0, 3)
	s.at(20*minute, fires("p1", 20*minute))
	for more := 25 * minute; more <= hour; more += 5 * minute {
		known := fires("p1", 20*minute)
		known.Updated = at(more)
		s.at(more, known)
	}
	if n := s.m.Flaps(); n != 0 {
		t.Errorf("%d flap", n)
	}
}

// A notification of what flaps says so.
func TestFlappingIsSaid(t *testing.T) {
	s := guarded(t, quick, alert.Flapping{Begins: 2, Within: hour, QuietFor: 30 * minute}, nil)
	s.comesAndGoes("p1", 0, 1)
	out, _ := s.m.Advance(at(5*minute), []alert.Transition{fires("p1", 5*minute)})
	if len(out) != 1 || out[0].Alerts[0].Annotations[alert.FlappingAnnotation] != "began 2 times within 1h: nothing more is told until it has been quiet for 30m" ||
		out[0].Alerts[0].Annotations["summary"] != "Flapping: p1" {
		t.Errorf("told %+v", out)
	}
	s.m.Firing(func(e *alert.Episode) {
		if len(e.Annotations) != 1 {
			t.Errorf("its own texts changed: %v", e.Annotations)
		}
	})
}

// Who must not be held to a budget of notifications is told in a summary what began beyond it; ends of what was told
// by itself come by themselves.
func TestBudgetOfNotifications(t *testing.T) {
	tree := `{receiver: a, group_by: [pod], group_wait: 0s, group_interval: 1m, repeat_interval: 4h}`
	s := guarded(t, tree, alert.Flapping{}, map[string]alert.Allowance{"a": {PerHour: 2}})
	for i := range 5 {
		s.at(time.Duration(i)*minute, fires(fmt.Sprint("p", i), time.Duration(i)*minute))
	}
	if left, ok := s.m.Left("a", s.unix()); left != 0 || !ok {
		t.Errorf("%d left, %v", left, ok)
	}
	s.at(10*minute, ends("p0", 0, 10*minute), ends("p4", 4*minute, 10*minute))
	s.at(40*minute, ends("p2", 2*minute, 40*minute), ends("p3", 3*minute, 40*minute))
	s.at(90*minute, ends("p1", minute, 90*minute), fires("p5", 90*minute))
	s.at(100 * minute)
	const sum = `{}/notification_budget:{alertname="NotificationBudget"}`
	s.heard(
		`00:00:00 a "first notification" {}:{pod="p0"} +p0@00:00:00`,
		`00:01:00 a "first notification" {}:{pod="p1"} +p1@00:01:00`,
		`00:02:01 a "first notification" `+sum+` +p2@00:02:00`,
		`00:10:00 a "all alerts resolved" {}:{pod="p0"} -p0@00:00:00..00:10:00`,
		`00:32:01 a "new alerts added" `+sum+` +p2@00:02:00 +p3@00:03:00 -p4@00:04:00..00:10:00`,
		`01:02:01 a "all alerts resolved" `+sum+` -p2@00:02:00..00:40:00 -p3@00:03:00..00:40:00`,
		`01:30:00 a "all alerts resolved" {}:{pod="p1"} -p1@00:01:00..01:30:00`,
		`01:30:00 a "first notification" {}:{pod="p5"} +p5@01:30:00`,
	)
	if spilt := s.m.Allowances()["a"]; spilt != 3 {
		t.Errorf("%d went to summaries", spilt)
	}
}

// A reload in the middle of a storm tells nobody anything twice.
func TestBudgetOfNotificationsOutlivesReload(t *testing.T) {
	tree := `{receiver: a, group_by: [pod], group_wait: 0s, group_interval: 1m, repeat_interval: 4h}`
	allowances := map[string]alert.Allowance{"a": {PerDay: 1}}
	s := guarded(t, tree, alert.Flapping{}, allowances)
	s.at(0, fires("p0", 0))
	s.at(minute, fires("p1", minute))
	s.at(2 * minute)
	s.told = nil
	s.m = reborn(t, s.m)
	for range 2 {
		s.m.Rebuild(s.unix(), alert.Routing{Route: routes(t, tree), Allowances: allowances})
	}
	s.at(50*minute, ends("p0", 0, 50*minute), ends("p1", minute, 50*minute))
	s.at(3 * hour)
	s.heard(
		`00:50:00 a "all alerts resolved" {}:{pod="p0"} -p0@00:00:00..00:50:00`,
		`01:01:01 a "all alerts resolved" {}/notification_budget:{alertname="NotificationBudget"} -p1@00:01:00..00:50:00`,
	)
}

// TestGuardsLoseNothing: whatever comes and goes, every episode is told to be over to every receiver, and where it was told
// to fire it is told to be over after that, in the same group; and no hour has more notifications than the budget but
// for ends and summaries.
func TestGuardsLoseNothing(t *testing.T) {
	tree := routes(t, forest)
	spilt, held := int64(0), 0
	rapid.Check(t, func(t *rapid.T) {
		m := alert.NewMachine(nil)
		m.Rebuild(at(0), alert.Routing{
			Route: tree, Flapping: alert.Flapping{Begins: 3, Within: 30 * minute, QuietFor: 20 * minute},
			Allowances: map[string]alert.Allowance{"a": {PerHour: 2}, "all": {PerHour: 3, PerDay: 8}, "slow": {PerDay: 1}},
		})
		type seat struct{ receiver, group, episode string }
		firing := map[seat]bool{}
		over := map[string]map[string]bool{} // episode → receivers that know its end
		began := map[string][]int64{}        // receiver → notifications with something that begins
		tell := func(now int64, out []alert.Notification) {
			for _, n := range out {
				begins := false
				for i := range n.Alerts {
					e := &n.Alerts[i]
					s := seat{n.Receiver, n.GroupKey, e.Key()}
					if over[e.Key()] == nil {
						over[e.Key()] = map[string]bool{}
					}
					if e.Firing {
						if over[e.Key()][n.Receiver] && !strings.HasPrefix(n.Receiver, "all") {
							t.Fatalf("%s fires after its end", e.Key())
						}
						begins = begins || !firing[s]
						firing[s] = true
						continue
					}
					over[e.Key()][n.Receiver] = true
					delete(firing, s)
				}
				if begins && !strings.Contains(n.GroupKey, "notification_budget") {
					began[n.Receiver] = append(began[n.Receiver], now)
				}
			}
		}
		var episodes []alert.Transition
		open := map[string]alert.Transition{}
		now := at(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.Int64Range(1, 400).Draw(t, "seconds") * 1000
			var ts []alert.Transition
			for _, pod := range []string{"p1", "p2", "p3", "p4"} {
				if !rapid.Bool().Draw(t, pod) {
					continue
				}
				tr, ok := open[pod]
				if ok {
					tr.Firing, tr.EndsAt = false, now
					delete(open, pod)
				} else {
					tr = fires(pod, 0)
					tr.StartsAt = now
					open[pod] = tr
					episodes = append(episodes, tr)
				}
				ts = append(ts, tr)
			}
			out, _ := m.Advance(now, ts)
			tell(now, out)
			held += m.Flaps()
		}
		var ts []alert.Transition
		for _, tr := range open {
			tr.Firing, tr.EndsAt = false, now
			ts = append(ts, tr)
		}
		for range 3 * 60 {
			out, _ := m.Advance(now, ts)
			tell(now, out)
			ts = nil
			now += 60_000
		}
		for _, e := range episodes {
			want := "a" // the root, unless a route has it
			switch e.Labels["pod"] {
			case "p2", "p3":
				want = "slow"
			case "p1":
				want = "all"
			}
			if !over[e.Key()][want] {
				t.Fatalf("%s of %s was never told to %s to be over", e.Key(), e.Labels["pod"], want)
			}
		}
		if len(firing) > 0 {
			t.Fatalf("still open: %v", firing)
		}
		for r, most := range map[string]int{"a": 2, "all": 3, "slow": 1} {
			for i := most; i < len(began[r]); i++ {
				if began[r][i]-began[r][i-most] < hour.Milliseconds() {
					t.Fatalf("%s is told more than %d in an hour: %v", r, most, began[r])
				}
			}
			spilt += m.Allowances()[r]
		}
	})
	if spilt < 100 || held < 100 {
		t.Errorf("only %d went to summaries, %d flapped: the test does not see enough", spilt, held)
	}
}
