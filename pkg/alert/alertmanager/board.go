package alertmanager

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/baseliner/baseliner/pkg/alert"
)

const (
	// Resend is how often a peer is told again what fires, as Prometheus does.
	Resend = time.Minute
	// lease is how far ahead of an alert that fires its end is announced: two messages may be lost.
	lease = 4 * Resend
	// retention is how long an end is told again.
	retention = 15 * time.Minute
	// giveUpAt is how long an end is kept that no peer has accepted.
	giveUpAt = 72 * time.Hour
)

// board is what the peers are to know. It is safe for concurrent use.
type board struct {
	mu      sync.Mutex
	entries map[string]*entry // by episode
}

type entry struct {
	alert.Episode
	acked bool // some peer has accepted it as it is now
}

// put takes up episodes as they are now.
func (b *board) put(es []alert.Episode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range es {
		b.entries[es[i].Key()] = &entry{Episode: es[i]}
	}
}

// told is what one peer has accepted.
type told struct {
	firing bool
	at     int64 // unix milliseconds
}

// due lists what a peer is to be told now, oldest first: what it has not heard, and everything once a minute.
func (b *board) due(now int64, heard map[string]told) (out []alert.Episode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, e := range b.entries {
		if was, ok := heard[k]; ok && was.firing == e.Firing && now-was.at < Resend.Milliseconds() && was.at <= now {
			continue
		}
		out = append(out, e.Episode)
	}
	for k := range heard {
		if b.entries[k] == nil {
			delete(heard, k)
		}
	}
	slices.SortFunc(out, func(x, y alert.Episode) int {
		return cmp.Or(cmp.Compare(x.StartsAt, y.StartsAt), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	return out
}

// ack takes up that a peer has accepted episodes as they were.
func (b *board) ack(es []alert.Episode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range es {
		if e := b.entries[es[i].Key()]; e != nil && e.Firing == es[i].Firing {
			e.acked = true
		}
	}
}

// refuse takes an episode off the board that no peer would take.
func (b *board) refuse(e *alert.Episode) (was bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.entries[e.Key()]; now == nil || now.Firing != e.Firing || now.acked {
		return false
	}
	delete(b.entries, e.Key())
	return true
}

// sweep takes off what has ended long enough ago: over is what some peer knows, lost what none has accepted for three
// days.
func (b *board) sweep(now int64) (over, lost []alert.Episode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for k, e := range b.entries {
		age := now - e.EndsAt
		switch {
		case e.Firing || age < retention.Milliseconds():
		case e.acked:
			over = append(over, e.Episode)
			delete(b.entries, k)
		case age > giveUpAt.Milliseconds():
			lost = append(lost, e.Episode)
			delete(b.entries, k)
		}
	}
	return over, lost
}
