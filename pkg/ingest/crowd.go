package ingest

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// silentFor is how long a connection on which something came has to be silent before another may take its place.
const silentFor = 5 * time.Second

// Crowd returns a listener with at most so many connections. A further one takes the place of one on which nothing has ever come, else of
// the one that is silent longest, if that is five seconds at least; else it waits. So connections that nobody uses, however many,
// keep nobody out, and those that are used are not cut off.
func Crowd(l net.Listener, most int) net.Listener {
	return &crowd{Listener: l, most: most, members: map[*member]struct{}{}, closed: make(chan struct{})}
}

type crowd struct {
	net.Listener
	most   int
	once   sync.Once
	closed chan struct{}

	mtx     sync.Mutex
	members map[*member]struct{}
}

// member is one connection.
type member struct {
	net.Conn
	crowd  *crowd
	opened time.Time
	heard  atomic.Int64 // when something came last, since it was opened; 0: never
}

// Accept implements net.Listener.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	m := &member{Conn: conn, crowd: c, opened: time.Now()}
	for !c.enter(m) {
		select {
		case <-c.closed:
			_ = conn.Close()
			return nil, net.ErrClosed
		case <-time.After(20 * time.Millisecond):
		}
	}
	return m, nil
}

// Close implements net.Listener.
func (c *crowd) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// enter makes room for a connection, and reports whether there is some.
func (c *crowd) enter(m *member) bool {
	c.mtx.Lock()
	defer c.mtx.Unlock()
	if len(c.members) >= c.most {
		idle := c.idle(time.Now())
		if idle == nil {
			return false
		}
		delete(c.members, idle)
		_ = idle.Conn.Close()
	}
	c.members[m] = struct{}{}
	return true
}

// idle is the connection that is missed least, or nil.
func (c *crowd) idle(now time.Time) (out *member) {
	for m := range c.members {
		if out == nil || m.before(out) {
			out = m
		}
	}
	if out != nil && out.heard.Load() > 0 && now.Sub(out.last()) < silentFor {
		return nil
	}
	return out
}

// before tells which of two is missed less.
func (m *member) before(other *member) bool {
	if a, b := m.heard.Load() > 0, other.heard.Load() > 0; a != b {
		return b
	}
	return m.last().Before(other.last())
}

func (m *member) last() time.Time { return m.opened.Add(time.Duration(m.heard.Load())) }

// Read implements net.Conn.
func (m *member) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if n > 0 {
		m.heard.Store(int64(time.Since(m.opened)))
	}
	return n, err
}

// Write implements net.Conn.
func (m *member) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	if n > 0 {
		m.heard.Store(int64(time.Since(m.opened)))
	}
	return n, err
}

// Close implements net.Conn.
func (m *member) Close() error {
	m.crowd.mtx.Lock()
	delete(m.crowd.members, m)
	m.crowd.mtx.Unlock()
	return m.Conn.Close()
}
