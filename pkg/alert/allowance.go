package alert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
)

// Allowance is how many notifications a receiver may get in any hour and any day; 0 is no limit. What begins beyond it is told
// in summaries: notifications of a group of their own, at most one every SummaryEvery, that holds every alert which found
// no room. Ends of what was told by itself are never held back.
type Allowance struct{ PerHour, PerDay int }

// SummaryEvery is the shortest time between two summaries of one receiver.
const SummaryEvery = 30 * time.Minute

const (
	// SummaryAlertname is the alertname in the group labels of summaries.
	SummaryAlertname = "NotificationBudget"
	// SummaryAnnotation is on the alerts of summaries.
	SummaryAnnotation = "notification_budget"

	hourMillis = int64(time.Hour / time.Millisecond)
	dayMillis  = 24 * hourMillis
)

// Spending is what a receiver with an allowance got lately. Its fields are exported for the store alone; times are unix
// milliseconds.
type Spending struct {
	Receiver    string  `json:"receiver"`
	Times       []int64 `json:"times"` // of its notifications of the last day
	LastSummary int64   `json:"lastSummary,omitempty"`
	Spilt       int64   `json:"spilt,omitempty"` // alerts that went to summaries, in all
}

// Left is how many notifications a receiver may get now; ok is false for one without an allowance.
func (m *Machine) Left(receiver string, now int64) (left int, ok bool) {
	a, ok := m.allowances[receiver]
	if !ok {
		return 0, false
	}
	hour, day := 0, 0
	if s := m.spent[receiver]; s != nil {
		for _, t := range s.Times {
			hour += one(t > now-hourMillis)
			day += one(t > now-dayMillis)
		}
	}
	left = 1 << 30
	if a.PerHour > 0 {
		left = a.PerHour - hour
	}
	if a.PerDay > 0 {
		left = min(left, a.PerDay-day)
	}
	return max(left, 0), true
}

// Allowances names the receivers that have one, and how many alerts they found in summaries so far.
func (m *Machine) Allowances() map[string]int64 {
	out := map[string]int64{}
	for r := range m.allowances {
		out[r] = 0
		if s := m.spent[r]; s != nil {
			out[r] = s.Spilt
		}
	}
	return out
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// exhausted says whether a group has to wait for a summary.
func (m *Machine) exhausted(g *Group, now int64) bool {
	left, ok := m.Left(g.Receiver, now)
	return ok && left == 0 && !g.Summary
}

func (m *Machine) spending(receiver string) *Spending {
	s := m.spent[receiver]
	if s == nil {
		s = &Spending{Receiver: receiver}
		m.spent[receiver] = s
	}
	m.dirtySpent[receiver] = true
	return s
}

// spend takes up that a group was told.
func (m *Machine) spend(g *Group, now int64) {
	if _, ok := m.allowances[g.Receiver]; !ok {
		return
	}
	s := m.spending(g.Receiver)
	if g.Summary {
		s.LastSummary = now
		return
	}
	s.Times = slices.DeleteFunc(s.Times, func(t int64) bool { return t <= now-dayMillis || t > now })
	s.Times = append(s.Times, now)
}

// spill moves what a group may not tell to the summary of its receiver.
func (m *Machine) spill(now int64, g *Group, o dispatch.RouteOpts, keys []string) {
	if len(keys) == 0 {
		return
	}
	s := m.spending(g.Receiver)
	sum := m.summary(now, g.Receiver, o)
	for _, key := range keys {
		g.leave(key)
		sum.Members[key] = false
		s.Spilt++
	}
	if m.week != nil {
		if m.week.Spilt == nil {
			m.week.Spilt = map[string]int{}
		}
		m.week.Spilt[g.Receiver] += len(keys)
		m.dirtyWeek = true
	}
}

// summary returns the group of a receiver that takes what finds no room.
func (m *Machine) summary(now int64, receiver string, o dispatch.RouteOpts) *Group {
	id := summaryID(receiver)
	o.GroupInterval = max(o.GroupInterval, SummaryEvery)
	g := m.groups[id]
	if g == nil {
		labels := model.LabelSet{model.AlertNameLabel: SummaryAlertname}
		g = &Group{
			Key: summaryKey, Receiver: receiver, Labels: plain(labels), RouteLabels: map[string]string{}, Members: map[string]bool{}, Summary: true,
			NextFlush: now + max(o.GroupWait, time.Second).Milliseconds(),
		}
		if s := m.spent[receiver]; s != nil && s.LastSummary <= now {
			g.NextFlush = max(g.NextFlush, s.LastSummary+SummaryEvery.Milliseconds())
		}
		m.groups[id] = g
	}
	m.opts[id] = o
	m.dirtyGroups[id] = true
	return g
}

// summaryKey is the group key of summaries: that of no route.
var summaryKey = fmt.Sprintf("{}/notification_budget:{alertname=%q}", SummaryAlertname)

func summaryID(receiver string) string {
	g := Group{Receiver: receiver, Key: summaryKey}
	return g.id()
}

// spilt returns the summary that an episode is a member of instead of its group, nil for none.
func (m *Machine) spilt(p *place, key string) *Group {
	sum := m.groups[summaryID(p.group.Receiver)]
	if sum == nil {
		return nil
	}
	if _, member := sum.Members[key]; !member {
		return nil
	}
	return sum
}

// saySummary puts into words why alerts are told together.
func (m *Machine) saySummary(g *Group, es []Episode) {
	a := m.allowances[g.Receiver]
	var limits []string
	if a.PerHour > 0 {
		limits = append(limits, fmt.Sprintf("%d an hour", a.PerHour))
	}
	if a.PerDay > 0 {
		limits = append(limits, fmt.Sprintf("%d a day", a.PerDay))
	}
	text := fmt.Sprintf("the budget of notifications (%s) was used up: what found no room is told together, at most every %s", strings.Join(limits, ", "), short(SummaryEvery))
	for i := range es {
		es[i].annotate(SummaryAnnotation, text)
	}
}

// short prints a duration as people write it.
func short(d time.Duration) string { return model.Duration(d).String() }

// trimSpending forgets receivers without an allowance.
func (m *Machine) trimSpending() {
	for _, r := range slices.Sorted(maps.Keys(m.spent)) {
		if _, ok := m.allowances[r]; !ok {
			delete(m.spent, r)
			m.dirtySpent[r] = true
		}
	}
}
