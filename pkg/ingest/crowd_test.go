package ingest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// A connection on which nothing came gives way, the oldest first; one that is used does not, and the listener can be closed meanwhile.
func TestCrowd(t *testing.T) {
	var config net.ListenConfig
	inner, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := ingest.Crowd(inner, 2)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	enter := func() (client, server net.Conn) {
		client = dial()
		select {
		case server = <-accepted:
		case <-time.After(10 * time.Second):
			t.Fatal("it is not let in")
		}
		return client, server
	}
	speak := func(client, server net.Conn) {
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(c net.Conn) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it was not closed: %v", err)
		}
	}
	used, usedServer := enter()
	speak(used, usedServer)
	idle, _ := enter()
	third, thirdServer := enter()
	gone(idle)
	speak(third, thirdServer)
	speak(used, usedServer)
	dial() // both were used just now: it waits
	select {
	case <-accepted:
		t.Error("a third was let in beside two that are used")
	case <-time.After(300 * time.Millisecond):
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	if err := thirdServer.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-accepted:
	case <-time.After(10 * time.Second):
		t.Error("there is room, and it waits")
	}
	speak(used, usedServer)
	fourth, fourthServer := enter() // instead of the one that waited, which has said nothing
	speak(fourth, fourthServer)
	dial() // waits
	time.Sleep(50 * time.Millisecond)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on after it was closed")
	}
}
