package incident

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Linger is how long an incident waits, after its last anomaly has ended, for another one to go on with it.
const Linger = 5 * time.Minute

// What is followed at once is bounded. An anomaly beyond it is in no story, and told as any: it is not asked again while it lasts.
const (
	maxOpen    = 200
	maxMembers = 200
)

// Tracker follows stories from tick to tick. It is derived from what fires: it keeps nothing that a series does not
// hold up. The zero value is empty. Its fields are exported for the snapshot alone.
type Tracker struct {
	Open   []*Incident      // by start, then id; lone anomalies too
	Beyond map[string]int64 `json:",omitempty"` // anomalies that found no room, and when they began
}

// Change is what a step did to an incident that is told.
type Change struct {
	Incident *Incident // of the tracker, which changes it with later steps
	Began    bool      // it is told from now on
	Joined   []int     // members that are new in it
	Ended    bool
}

// Step takes all anomalies that are open at the tick now, in a fixed order. What it knew and is not among them has ended.
// It returns the incidents that changed, those that began or ended at last.
func (t *Tracker) Step(now int64, open []Anomaly, ties *Ties) (changes []Change) {
	known := t.take(now, open)
	for i := range open {
		if !known[open[i].ID] {
			t.join(now, open[i], ties)
		}
	}
	t.reunite(now, ties)
	kept := t.Open[:0]
	for _, in := range t.Open {
		c := Change{Incident: in}
		if !in.Told() && in.Merged == "" && in.kinds() > 1 && in.open() > 0 {
			c.Began, in.ToldAt = true, now
			for i := range in.Members {
				in.StartsAt = min(in.StartsAt, in.Members[i].StartsAt)
			}
		}
		for i := range in.Members {
			if in.Members[i].JoinedAt == now || c.Began {
				c.Joined = append(c.Joined, i)
			}
		}
		if over := in.open() == 0 && now-in.lastEnd() >= Linger.Milliseconds(); over || in.Merged != "" {
			in.EndsAt, c.Ended = max(in.lastEnd(), in.StartsAt), true
			if in.Merged != "" {
				in.EndsAt = now
			}
		}
		if in.Told() && (c.Began || c.Ended || len(c.Joined) > 0) {
			changes = append(changes, c)
		}
		if !c.Ended {
			kept = append(kept, in)
		}
	}
	clear(t.Open[len(kept):])
	t.Open = kept
	slices.SortStableFunc(t.Open, func(a, b *Incident) int {
		return cmp.Or(cmp.Compare(a.StartsAt, b.StartsAt), cmp.Compare(a.ID, b.ID))
	})
	return changes
}

// reunite asks once more whether young anomalies that stand alone belong to an older story: what they have in common may show
// with the points that follow.
func (t *Tracker) reunite(now int64, ties *Ties) {
	for i, in := range t.Open {
		if in.Told() || in.Merged != "" || len(in.Members) != 1 || in.Members[0].JoinedAt == now || now-in.StartsAt > strangers.Milliseconds() || in.open() == 0 {
			continue
		}
		for _, other := range t.Open[:i] {
			if other.Merged != "" || other.open() == 0 || len(other.Members) >= maxMembers {
				continue
			}
			if why, ok := related(other, &in.Members[0], ties); ok {
				in.Members[0].Why = why
				other.absorb(in, now)
				break
			}
		}
	}
}

// take notes what became of the members, and returns those that last.
func (t *Tracker) take(now int64, open []Anomaly) map[string]bool {
	at := make(map[string]*Anomaly, len(open))
	for i := range open {
		at[open[i].ID] = &open[i]
	}
	known := map[string]bool{}
	for id, start := range t.Beyond {
		if a := at[id]; a != nil && a.StartsAt == start {
			known[id] = true
		} else {
			delete(t.Beyond, id)
		}
	}
	for _, in := range t.Open {
		for i := range in.Members {
			m := &in.Members[i]
			if !m.Open() {
				continue
			}
			a := at[m.ID]
			if a == nil || a.StartsAt != m.StartsAt { // over, or another one of the same series
				m.EndsAt = max(now, m.StartsAt)
				continue
			}
			m.Peak, m.Quiet, m.Severity, m.Team = a.Peak, a.Quiet, a.Severity, a.Team
			known[m.ID] = true
		}
	}
	return known
}

// join puts an anomaly where it belongs: to the oldest incident of which a member is related, into which the others are
// merged, or to a new one.
func (t *Tracker) join(now int64, a Anomaly, ties *Ties) {
	a.JoinedAt = now
	var home *Incident
	for _, in := range t.Open {
		if in.Merged != "" {
			continue
		}
		why, ok := related(in, &a, ties)
		switch {
		case !ok:
		case home == nil:
			home = in
			a.Why = why
		default:
			home.absorb(in, now)
		}
	}
	if home != nil {
		if len(home.Members) < maxMembers {
			home.Members = append(home.Members, a)
		} else {
			t.pass(&a)
		}
		return
	}
	if len(t.Open) >= maxOpen {
		t.pass(&a)
		return
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d", a.ID, a.StartsAt))
	t.Open = append(t.Open, &Incident{ID: hex.EncodeToString(h[:6]), StartsAt: a.StartsAt, Members: []Anomaly{a}})
}

// pass notes an anomaly that finds no room.
func (t *Tracker) pass(a *Anomaly) {
	if t.Beyond == nil {
		t.Beyond = map[string]int64{}
	}
	t.Beyond[a.ID] = a.StartsAt
}

// related looks for a member that an anomaly has to do with: of the same service, else the latest.
func related(in *Incident, a *Anomaly, ties *Ties) (why string, ok bool) {
	for i := range in.Members {
		if a.Service != "" && in.Members[i].Service == a.Service {
			return ties.Related(a, &in.Members[i])
		}
	}
	for i := len(in.Members) - 1; i >= 0; i-- {
		if why, ok := ties.Related(a, &in.Members[i]); ok {
			return why, true
		}
	}
	return "", false
}

// absorb takes over the members of another incident.
func (in *Incident) absorb(other *Incident, now int64) {
	for _, m := range other.Members {
		m.JoinedAt = now
		if m.Why == "" {
			m.Why = "was a story of its own"
		}
		in.Members = append(in.Members, m)
	}
	other.Merged = in.ID
}
