package pipeline

import (
	"slices"
	"sync"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/series"
)

// mostHushed bounds what a hush remembers: more labels than an instance has series.
const mostHushed = 1 << 18

// hush is what is silenced at one instant. The same instant is asked about for every series, and nearly always nothing, or
// what was in force a tick ago, is in force: what each label set came to is remembered as long as that is so.
type hush struct {
	of          *alert.Quiet
	at          int64
	silences    []*alert.Silence // in force
	maintenance string
	known       *hushed
}

// hushed remembers by the address of labels, which it keeps alive: series keep theirs.
type hushed struct {
	mu sync.RWMutex
	by map[*series.Label]string
}

// hushed returns what is silenced at an instant.
func (a *Announcer) hushed(t int64) *hush {
	q, h := a.quiet.Load(), a.moment.Load()
	if q == nil {
		return &hush{}
	}
	if h != nil && h.of == q && h.at == t {
		return h
	}
	next := &hush{of: q, at: t, maintenance: q.MaintenanceAt(t)}
	for i := range q.Silences {
		if q.Silences[i].InForce(t) {
			next.silences = append(next.silences, &q.Silences[i])
		}
	}
	if h != nil && h.of == q && slices.Equal(h.silences, next.silences) {
		next.known = h.known
	} else {
		next.known = &hushed{by: map[*series.Label]string{}}
	}
	a.moment.Store(next)
	return next
}

// by names what silences the labels, "" for nothing.
func (h *hush) by(ls series.Labels) string {
	if len(h.silences) == 0 || len(ls) == 0 {
		return h.maintenance
	}
	h.known.mu.RLock()
	name, ok := h.known.by[&ls[0]]
	h.known.mu.RUnlock()
	if !ok {
		for _, s := range h.silences {
			if s.Matches(ls) {
				name = s.Name()
				break
			}
		}
		h.known.mu.Lock()
		if len(h.known.by) >= mostHushed {
			clear(h.known.by)
		}
		h.known.by[&ls[0]] = name
		h.known.mu.Unlock()
	}
	if name == "" {
		return h.maintenance
	}
	return name
}
