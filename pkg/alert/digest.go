package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Digest is told once a week: what a receiver hears of the week as a whole.
type Digest struct {
	Receiver string
	Weekday  time.Weekday
	At       time.Duration // since midnight
	Zone     *time.Location
}

const (
	// DigestAlertname is the alertname of digests. Each is an episode that is over: nothing stays open at a receiver.
	DigestAlertname = "BaselinerWeeklyDigest"

	digestKey = `{}/weekly_digest:{alertname="BaselinerWeeklyDigest"}`
	// brief is how long an alert lasts at most that hardly anybody could have acted on.
	brief = 10 * time.Minute
	// digestLines is how many signals a digest names.
	digestLines = 20
	// halfWeek is the least time between two digests, when their schedule is changed.
	halfWeek = 84 * time.Hour
)

// Last is the newest instant of the schedule that is not after now; unix milliseconds.
func (d *Digest) Last(now int64) int64 {
	t := time.UnixMilli(now).In(d.Zone)
	back := int(t.Weekday()-d.Weekday+7) % 7
	if due := d.on(t, -back); due <= now {
		return due
	}
	return d.on(t, -back-7)
}

// next is the first instant of the schedule after now.
func (d *Digest) next(now int64) int64 { return d.on(time.UnixMilli(d.Last(now)).In(d.Zone), 7) }

// on is the instant of the schedule on a day, by the clock of the zone.
func (d *Digest) on(t time.Time, days int) int64 {
	h, m := int(d.At/time.Hour), int(d.At%time.Hour/time.Minute)
	return time.Date(t.Year(), t.Month(), t.Day()+days, h, m, 0, 0, d.Zone).UnixMilli()
}

// Week is what was counted since the last digest. Its fields are exported for the store alone; times are unix
// milliseconds.
type Week struct {
	Since         int64             `json:"since"`
	Sent          int64             `json:"sent"` // the instant of the schedule that was told last
	Signals       map[string]*Count `json:"signals,omitempty"`
	Notifications map[string]int    `json:"notifications,omitempty"` // by receiver
	Summaries     map[string]int    `json:"summaries,omitempty"`     // of those, for want of budget
	Spilt         map[string]int    `json:"spilt,omitempty"`         // alerts in them
}

// Count is what one signal did in a week.
type Count struct {
	Alerts  int `json:"alerts"`
	Quiet   int `json:"quiet,omitempty"`   // told not to page, to their ends
	Brief   int `json:"brief,omitempty"`   // over within ten minutes
	Flapped int `json:"flapped,omitempty"` // begun while they flapped
}

// Facts are what a digest says of what the machine does not know: lines of text.
type Facts struct {
	DeadLetters map[string]int // by endpoint, as of now
	Budgets     []string       // of signals that cost more than theirs
	Head        string         // what the week came to; empty when nobody knows, and then the next three are as well
	Incidents   []string
	Health      []string // of the baselines, what is not well
	Report      string   // the week in full, in markdown
	URL         string   // of its page
}

// DigestDue says whether Advance is going to tell a digest.
func (m *Machine) DigestDue(now int64) bool {
	return m.digest != nil && m.week != nil && m.digest.Last(now)-m.week.Sent >= halfWeek.Milliseconds()
}

// DigestAt is the instant of the schedule that a digest told now is of; there has to be one.
func (m *Machine) DigestAt(now int64) int64 { return m.digest.Last(now) }

// SetFacts gives the next digest what it says beside what was counted.
func (m *Machine) SetFacts(f Facts) { m.facts = f }

// schedule takes over another digest. The first one comes with the next instant of its schedule.
func (m *Machine) schedule(now int64, d *Digest) {
	m.digest = d
	switch {
	case d == nil && m.week != nil:
		m.week, m.dirtyWeek = nil, true
	case d != nil && m.week == nil:
		m.week, m.dirtyWeek = &Week{Since: now, Sent: d.Last(now)}, true
	}
}

func (w *Week) count(t *Transition) *Count {
	name := cmp.Or(t.Labels["signal"], t.Labels["alertname"])
	if w.Signals == nil {
		w.Signals = map[string]*Count{}
	}
	c := w.Signals[name]
	if c == nil {
		c = &Count{}
		w.Signals[name] = c
	}
	return c
}

// tally takes up a transition. Incidents are counted by their parts.
func (m *Machine) tally(t *Transition, began bool) {
	if m.week == nil || t.Meta() || incidentID(t.Labels) != "" {
		return
	}
	m.dirtyWeek = true
	c := m.week.count(t)
	if began {
		c.Alerts++
		if f := m.flaps[Fingerprint(t.Labels)]; f != nil && f.Since > 0 {
			c.Flapped++
		}
	}
	if !t.Firing {
		c.Brief += one(t.EndsAt-t.StartsAt <= brief.Milliseconds())
		c.Quiet += one(t.Annotations[PagingAnnotation] == "false")
	}
}

// noteTold takes up a notification.
func (m *Machine) noteTold(g *Group) {
	if m.week == nil {
		return
	}
	m.dirtyWeek = true
	inc := func(counts *map[string]int) {
		if *counts == nil {
			*counts = map[string]int{}
		}
		(*counts)[g.Receiver]++
	}
	inc(&m.week.Notifications)
	if g.Summary {
		inc(&m.week.Summaries)
	}
}

// tellDigest is the digest of the week that is over, once.
func (m *Machine) tellDigest(now int64) (n Notification, ok bool) {
	if !m.DigestDue(now) {
		return n, false
	}
	due := m.digest.Last(now)
	labels := map[string]string{"alertname": DigestAlertname, "severity": "info", "type": "digest"}
	t := Transition{Labels: labels, StartsAt: m.week.Since, EndsAt: max(due, m.week.Since)}
	t.Annotations = map[string]string{"summary": m.week.summary(due, m.digest.Zone, &m.facts), "description": m.week.description(&m.facts)}
	if m.facts.Report != "" {
		t.Annotations["report"] = m.facts.Report
	}
	t.GeneratorURL = m.facts.URL
	m.week, m.dirtyWeek = &Week{Since: now, Sent: due}, true
	return Notification{
		Receiver: m.digest.Receiver, GroupKey: digestKey, Reason: ReasonAllResolved,
		GroupLabels: map[string]string{"alertname": DigestAlertname}, RouteLabels: map[string]string{},
		Alerts: []Episode{{Transition: t, Fingerprint: Fingerprint(labels)}},
	}, true
}

func (w *Week) sum() (c Count) {
	for _, s := range w.Signals {
		c.Alerts, c.Quiet, c.Brief, c.Flapped = c.Alerts+s.Alerts, c.Quiet+s.Quiet, c.Brief+s.Brief, c.Flapped+s.Flapped
	}
	return c
}

func (w *Week) summary(due int64, zone *time.Location, f *Facts) string {
	c, letters := w.sum(), 0
	for _, n := range f.DeadLetters {
		letters += n
	}
	signals := 0
	for _, s := range w.Signals {
		signals += one(s.Alerts > 0)
	}
	head := f.Head
	if head != "" {
		head += "; "
	}
	return fmt.Sprintf("Week to %s: %s%s of %s, %d over within 10 minutes, %d without paging; %s",
		time.UnixMilli(due).In(zone).Format("Mon 2 Jan 2006 15:04"), head, count(c.Alerts, "alert"), count(signals, "signal"), c.Brief, c.Quiet, count(letters, "dead letter"))
}

func (w *Week) description(f *Facts) string {
	var b strings.Builder
	names := slices.SortedFunc(maps.Keys(w.Signals), func(x, y string) int {
		return cmp.Or(cmp.Compare(w.Signals[y].Alerts, w.Signals[x].Alerts), cmp.Compare(x, y))
	})
	if f.Head != "" {
		b.WriteString("Incidents:" + lines(f.Incidents) + "\nHealth of the baselines:" + lines(f.Health) + "\n")
	}
	b.WriteString("Alerts by signal:")
	for i, name := range names {
		if i == digestLines {
			fmt.Fprintf(&b, "\n- and %d more signals", len(names)-i)
			break
		}
		c := w.Signals[name]
		fmt.Fprintf(&b, "\n- %s: %d, %d over within 10 minutes", name, c.Alerts, c.Brief)
	}
	if len(names) == 0 {
		b.WriteString(" none")
	}
	c := w.sum()
	fmt.Fprintf(&b, "\nNoise: %d of %d were over within 10 minutes, %d began while they flapped, %d did not page", c.Brief, c.Alerts, c.Flapped, c.Quiet)
	b.WriteString("\nNotifications:" + list(w.Notifications))
	if len(w.Summaries) > 0 {
		b.WriteString("\nSummaries for want of budget:" + list(w.Summaries) + "; alerts in them:" + list(w.Spilt))
	}
	b.WriteString("\nDead letters:" + list(f.DeadLetters))
	b.WriteString("\nOver their budget of false alarms:" + lines(f.Budgets))
	return b.String()
}

// lines are a list below what was said, or that there is none.
func lines(texts []string) string {
	if len(texts) == 0 {
		return " none"
	}
	return "\n- " + strings.Join(texts, "\n- ")
}

func list(counts map[string]int) string {
	if len(counts) == 0 {
		return " none"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf(" %s %d", k, counts[k]))
	}
	return strings.Join(parts, ",")
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
