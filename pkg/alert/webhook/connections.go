package webhook

import (
	"context"
	"net"
	"sync"
)

// connections caps the connections that are open to one address at once. Go's own limits count those in use: one that
// was dialled and found no work any more would come on top.
type connections struct {
	most int

	mu    sync.Mutex
	slots map[string]chan struct{}
}

// dial waits for a free slot, at most until the context ends.
func (c *connections) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	slot := c.slots[address]
	if slot == nil {
		slot = make(chan struct{}, c.most)
		c.slots[address] = slot
	}
	c.mu.Unlock()
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		<-slot
		return nil, err
	}
	return &counted{Conn: conn, free: sync.OnceFunc(func() { <-slot })}, nil
}

type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
