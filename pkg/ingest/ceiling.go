package ingest

import (
	"context"
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Shares of the ceiling at which something is given up, in this order.
const (
	fullAt   = 0.80 // series that nobody knows yet are refused
	busyAt   = 0.90 // requests are told to come again later; scrapes of what is known go on
	returnAt = 0.95 // what is free is collected and given back to the system at once

	lookEvery   = 100 * time.Millisecond
	returnEvery = 2 * time.Second
)

// Ceiling is how much memory the program may use, and what is given up near it: first newcomers, then the haste of senders, never
// what is established. The collector works harder all the while, see Limit. Its methods are safe for concurrent use.
type Ceiling struct {
	limit int64
	used  atomic.Int64
	read  func() int64
	log   *slog.Logger
	level atomic.Int32
}

// NewCeiling returns a ceiling of so many bytes; 0 is none. reg and logger may be nil.
func NewCeiling(limit int64, reg prometheus.Registerer, logger *slog.Logger) *Ceiling {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c := &Ceiling{limit: limit, read: inUse, log: logger}
	if limit > 0 {
		factory := promauto.With(reg)
		factory.NewGaugeFunc(prometheus.GaugeOpts{Name: "baseliner_memory_ceiling_bytes", Help: "Memory that may be used."}, func() float64 { return float64(limit) })
		factory.NewGaugeFunc(prometheus.GaugeOpts{Name: "baseliner_memory_used_bytes", Help: "Memory in use, as the ceiling sees it."}, func() float64 { return float64(c.used.Load()) })
	}
	return c
}

// inUse is the memory that the Go runtime holds and has not given back.
func inUse() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}

// Full tells that there is no room for newcomers.
func (c *Ceiling) Full() bool { return c != nil && c.over(fullAt) }

// Busy tells that senders have to wait.
func (c *Ceiling) Busy() bool { return c != nil && c.over(busyAt) }

func (c *Ceiling) over(share float64) bool {
	return c.limit > 0 && float64(c.used.Load()) >= share*float64(c.limit)
}

// Limit lets the collector keep the program under the ceiling as long as what lives fits.
func (c *Ceiling) Limit() {
	if c.limit > 0 {
		debug.SetMemoryLimit(int64(fullAt * float64(c.limit)))
	}
}

// Run watches until the context ends.
func (c *Ceiling) Run(ctx context.Context) error {
	if c.limit <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var returned time.Time
	for {
		c.look()
		if now := time.Now(); c.over(returnAt) && now.Sub(returned) >= returnEvery {
			debug.FreeOSMemory()
			returned = now
			c.look()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look reads what is in use and tells when that changes what is let in.
func (c *Ceiling) look() {
	c.used.Store(c.read())
	level := int32(0)
	if c.Full() {
		level++
	}
	if c.Busy() {
		level++
	}
	was := c.level.Swap(level)
	if level > was && level == 1 {
		c.log.Warn("memory is nearly used up: series that are new are refused, those that are known go on", "used", c.used.Load(), "ceiling", c.limit, "change", "raise limits.memory_bytes and the memory of the container, or send fewer series")
	} else if level > was {
		c.log.Warn("memory is used up: requests are told to come again later", "used", c.used.Load(), "ceiling", c.limit)
	} else if was > 0 && level == 0 {
		c.log.Info("there is memory again", "used", c.used.Load(), "ceiling", c.limit)
	}
}
