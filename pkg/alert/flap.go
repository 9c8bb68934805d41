package alert

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Flapping says when an alert comes and goes too often to be told each time: when it begins for the Begins-th time within
// Within. That is told, and then nothing more of it until it has neither begun nor ended for QuietFor: then every
// episode that was held is told, with its true times. The zero value never holds anything.
type Flapping struct {
	Begins           int
	Within, QuietFor time.Duration
}

const (
	// FlappingAnnotation is on what is told of an alert that flaps.
	FlappingAnnotation = "flapping"
	// mostHeld is how many episodes of one alert are held; when there are more, they are told and held anew.
	mostHeld = 100
)

// Flap is what is remembered of an alert that began lately. Its fields are exported for the store alone; times are unix
// milliseconds.
type Flap struct {
	Fingerprint string          `json:"fingerprint"`
	Begins      []int64         `json:"begins"`          // of the latest episodes, by their own times
	Changed     int64           `json:"changed"`         // when it was last heard of
	Since       int64           `json:"since,omitempty"` // when it was found to flap; 0 while it is not
	Told        map[string]bool `json:"told,omitempty"`  // groups, by name, that were told so
}

// flap takes up that an episode began or ended.
func (m *Machine) flap(now int64, t *Transition, began bool) {
	if m.flapping.Begins == 0 || t.Meta() || t.Updated != 0 {
		return
	}
	fp := Fingerprint(t.Labels)
	f := m.flaps[fp]
	if f == nil {
		if !began {
			return
		}
		f = &Flap{Fingerprint: fp}
		m.flaps[fp] = f
	}
	m.dirtyFlaps[fp] = true
	f.Changed = now
	if !began {
		return
	}
	f.Begins = append(f.Begins, t.StartsAt)
	slices.Sort(f.Begins)
	f.Begins = f.Begins[max(0, len(f.Begins)-m.flapping.Begins):]
	n := len(f.Begins)
	if f.Since == 0 && n == m.flapping.Begins && f.Begins[n-1]-f.Begins[0] <= m.flapping.Within.Milliseconds() {
		f.Since = now
	}
}

// calm forgets what has been quiet for long enough.
func (m *Machine) calm(now int64) {
	for _, fp := range slices.Sorted(maps.Keys(m.flaps)) {
		f := m.flaps[fp]
		if f.Changed > now { // the clock went back
			f.Changed = now
			m.dirtyFlaps[fp] = true
		}
		quiet := m.flapping.Within
		if f.Since > 0 {
			quiet = m.flapping.QuietFor
		}
		if now-f.Changed >= quiet.Milliseconds() || m.flapping.Begins == 0 {
			delete(m.flaps, fp)
			m.dirtyFlaps[fp] = true
		}
	}
}

// held says which members of a group are held, because they flap and it was told so.
func (m *Machine) held(g *Group) map[string]bool {
	if len(m.flaps) == 0 {
		return nil
	}
	held, count := map[string]bool{}, map[string]int{}
	for key, toldFiring := range g.Members {
		e := m.episodes[key]
		if e == nil {
			continue
		}
		f := m.flaps[e.Fingerprint]
		if f == nil || f.Since == 0 || !f.Told[g.name()] || g.News[key] || (e.Escalated || e.Graver) && !toldFiring {
			continue
		}
		held[key] = true
		count[e.Fingerprint]++
	}
	maps.DeleteFunc(held, func(key string, _ bool) bool { return count[m.episodes[key].Fingerprint] > mostHeld })
	return held
}

// sayFlapping puts into words that the alerts of a notification flap, as far as they do, and remembers that it was told.
func (m *Machine) sayFlapping(g *Group, es []Episode) {
	for i := range es {
		f := m.flaps[es[i].Fingerprint]
		if f == nil || f.Since == 0 {
			continue
		}
		if f.Told == nil {
			f.Told = map[string]bool{}
		}
		f.Told[g.name()] = true
		m.dirtyFlaps[f.Fingerprint] = true
		es[i].annotate(FlappingAnnotation, fmt.Sprintf("began %d times within %s: nothing more is told until it has been quiet for %s",
			m.flapping.Begins, short(m.flapping.Within), short(m.flapping.QuietFor)))
		if s := es[i].Annotations["summary"]; s != "" {
			es[i].Annotations["summary"] = "Flapping: " + s
		}
	}
}

// asFiring is an episode as it was told when it is held.
func (e *Episode) asFiring() Episode {
	out := *e
	out.Firing, out.EndsAt = true, 0
	return out
}

// annotate adds to the texts of a copy.
func (e *Episode) annotate(name, text string) {
	a := maps.Clone(e.Annotations)
	if a == nil {
		a = map[string]string{}
	}
	a[name] = text
	e.Annotations = a
}

// Flaps counts the alerts that flap.
func (m *Machine) Flaps() (n int) {
	for _, f := range m.flaps {
		if f.Since > 0 {
			n++
		}
	}
	return n
}
