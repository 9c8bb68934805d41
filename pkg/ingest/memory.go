package ingest

import (
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The two ways in which a body is too much.
var (
	ErrTooLarge = errors.New("body is larger than limits.body_bytes allows")
	ErrBusy     = errors.New("too many bytes of other requests are being taken in (limits.in_flight_bytes, limits.memory_bytes)")
)

// Memory bounds the bytes of all requests that are being taken in at once. Receivers answer that they are busy rather
// than hold more; senders repeat the request. Its methods are safe for concurrent use.
type Memory struct {
	limit int64
	used  atomic.Int64
	all   *Ceiling // of the whole program; nil is none
	busy  prometheus.Counter
	once  sync.Once
	log   *slog.Logger
}

// NewMemory returns a bound of so many bytes. Its metrics are registered unless reg is nil; logger may be nil.
func NewMemory(limit int64, reg prometheus.Registerer, logger *slog.Logger) *Memory {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	m := &Memory{limit: limit, log: logger}
	factory := promauto.With(reg)
	m.busy = factory.NewCounter(prometheus.CounterOpts{
		Name: "baseliner_ingest_busy_total",
		Help: "Requests that were told to come again later, because limits.in_flight_bytes were being taken in, or limits.memory_bytes nearly used.",
	})
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "baseliner_ingest_in_flight_bytes",
		Help: "Bytes of requests that are being taken in.",
	}, func() float64 { return float64(m.used.Load()) })
	return m
}

// Under makes requests wait while the whole program is near its ceiling.
func (m *Memory) Under(c *Ceiling) { m.all = c }

// Limit is how many bytes there are.
func (m *Memory) Limit() int64 { return m.limit }

// Used is how many bytes are held at the moment.
func (m *Memory) Used() int64 { return m.used.Load() }

// Lease is what one request holds. It belongs to one goroutine.
type Lease struct {
	memory *Memory
	held   int64
}

// Lease begins a request, which holds nothing yet.
func (m *Memory) Lease() *Lease { return &Lease{memory: m} }

// Take takes n bytes more, or none of them and returns ErrBusy.
func (l *Lease) Take(n int64) error {
	if taken := l.memory.used.Add(n); taken > l.memory.limit || l.memory.all.Busy() {
		l.memory.used.Add(-n)
		l.memory.busy.Inc()
		l.memory.once.Do(func() {
			l.memory.log.Warn("requests are turned away and will be repeated; told once, counted in baseliner_ingest_busy_total",
				"change", "raise limits.in_flight_bytes, or let senders send less at once")
		})
		return ErrBusy
	}
	l.held += n
	return nil
}

// Release gives everything back.
func (l *Lease) Release() {
	l.memory.used.Add(-l.held)
	l.held = 0
}

// ReadAll reads r to its end, at most limit bytes, and takes what it needs for that. expected is how long it probably
// is; not known is 0 or less. A larger body is ErrTooLarge.
func (l *Lease) ReadAll(r io.Reader, expected, limit int64) ([]byte, error) {
	if expected > limit {
		return nil, ErrTooLarge
	}
	size := expected + 1 // to see the end without growing
	if expected <= 0 {
		size = min(8<<10, limit+1)
	}
	if err := l.Take(size); err != nil {
		return nil, err
	}
	b := make([]byte, 0, size)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, ErrTooLarge
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case len(b) == cap(b):
			more := min(int64(cap(b)), limit+1-int64(cap(b)))
			if err := l.Take(more); err != nil {
				return nil, err
			}
			grown := make([]byte, len(b), int64(cap(b))+more)
			copy(grown, b)
			b = grown
		}
	}
}
