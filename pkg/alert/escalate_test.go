package alert_test

import (
	"encoding/json"
	"testing"

	"github.com/baseliner/baseliner/pkg/alert"
)

// pagingTree sends what need not wake anybody elsewhere.
const pagingTree = `{receiver: pager, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: 4h, routes: [{receiver: chat, matchers: ['paging="false"']}]}`

func quietly(t alert.Transition) alert.Transition {
	t.Annotations = map[string]string{alert.PagingAnnotation: "false"}
	return t
}

func grown(t alert.Transition) alert.Transition {
	t.Escalated = true
	return t
}

// reborn is a machine with what another has stored.
func reborn(t *testing.T, m *alert.Machine) *alert.Machine {
	t.Helper()
	var all alert.Stored
	err := m.Delta(alert.Put{
		Episode: func(_ string, e *alert.Episode) error { return copied(e, &all.Episodes) },
		Group:   func(_ string, g *alert.Group) error { return copied(g, &all.Groups) },
		Flap:    func(_ string, f *alert.Flap) error { return copied(f, &all.Flaps) },
		Week: func(w *alert.Week) error {
			var ws []*alert.Week
			err := copied(w, &ws)
			if len(ws) > 0 {
				all.Week = ws[0]
			}
			return err
		},
		Spending: func(_ string, s *alert.Spending) error { return copied(s, &all.Spent) },
	})
	if err != nil {
		t.Fatal(err)
	}
	out := alert.NewMachine(nil)
	out.Restore(all)
	return out
}

// copied gathers what would be read of a record.
func copied[T any](v *T, into *[]*T) error {
	if v == nil {
		return nil
	}
	c := new(T)
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, c)
	}
	*into = append(*into, c)
	return err
}

// What grows is told to those who are woken, and goes on for those who were told that nobody need be.
func TestWhatGrowsIsToldToThePager(t *testing.T) {
	s := newStory(t, pagingTree)
	s.at(0, quietly(fires("p1", 0)))
	s.at(10*minute, grown(fires("p1", 0)))
	s.at(20*minute, ends("p1", 0, 20*minute))
	s.at(12 * hour)
	s.heard(
		`00:00:30 chat "first notification" {}/{paging="false"}:{alertname="X"} +p1@00:00:00`,
		`00:10:30 chat "new alerts added" {}/{paging="false"}:{alertname="X"} +p1@00:00:00`,
		`00:10:30 pager "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`00:20:30 chat "all alerts resolved" {}/{paging="false"}:{alertname="X"} -p1@00:00:00..00:20:00`,
		`00:20:30 pager "all alerts resolved" {}:{alertname="X"} -p1@00:00:00..00:20:00`,
	)
}

// Who hears all in one place hears it there once more.
func TestWhatGrowsIsNews(t *testing.T) {
	s := newStory(t, simple)
	s.at(0, quietly(fires("p1", 0)))
	s.at(10*minute, grown(fires("p1", 0)))
	s.at(3*hour, ends("p1", 0, 3*hour))
	s.at(12 * hour)
	s.heard(
		`00:00:30 a "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`00:10:30 a "new alerts added" {}:{alertname="X"} +p1@00:00:00`,
		`03:00:30 a "all alerts resolved" {}:{alertname="X"} -p1@00:00:00..03:00:00`,
	)
}

// The two are told apart from each other and from the end, and a restart and a reload in between change nothing.
func TestWhatGrowsOutlivesRestartAndReload(t *testing.T) {
	began, grew, ended := quietly(fires("p1", 0)), grown(fires("p1", 0)), ends("p1", 0, 20*minute)
	if a, b, c := began.ID(), grew.ID(), ended.ID(); a == b || b == c || a == c {
		t.Error("transitions share an id")
	}
	s := newStory(t, pagingTree)
	s.at(0, began)
	s.at(10*minute, grew)
	s.heard(`00:00:30 chat "first notification" {}/{paging="false"}:{alertname="X"} +p1@00:00:00`)
	s.m = reborn(t, s.m)
	for range 2 {
		s.m.Rebuild(s.unix(), alert.Routing{Route: routes(t, pagingTree)})
	}
	s.at(20*minute, ended)
	s.at(12 * hour)
	s.heard(
		`00:10:30 chat "new alerts added" {}/{paging="false"}:{alertname="X"} +p1@00:00:00`,
		`00:10:30 pager "first notification" {}:{alertname="X"} +p1@00:00:00`,
		`00:20:30 chat "all alerts resolved" {}/{paging="false"}:{alertname="X"} -p1@00:00:00..00:20:00`,
		`00:20:30 pager "all alerts resolved" {}:{alertname="X"} -p1@00:00:00..00:20:00`,
	)
}
