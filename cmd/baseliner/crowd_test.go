package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// crowded is an instance that serves pages and OTLP/gRPC, and what it held before anybody came.
type crowded struct {
	*running
	t      *testing.T
	grpc   string
	before int64
	n      int
}

func newCrowded(t *testing.T) *crowded {
	t.Helper()
	dir, overGRPC := t.TempDir(), freeAddress(t)
	c := &crowded{t: t, grpc: overGRPC, running: runInstanceOf(t, write(t, dir, "c.yml", fmt.Sprintf("ingest: {otlp: {grpc: {endpoint: '%s'}}}\n", overGRPC)), dir+"/data")}
	c.served("at first")
	c.before = anonymous(t, c.cmd.Process.Pid)
	return c
}

// served fails unless a new client of each kind is served soon.
func (c *crowded) served(when string) {
	c.t.Helper()
	began := time.Now()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(c.url + "/-/healthy")
	if err != nil {
		c.t.Fatalf("%s: %v", when, err)
	}
	_ = resp.Body.Close()
	conn, err := grpc.NewClient(c.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("crowded")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	c.n++
	p.SetIntValue(int64(c.n))
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	if _, err := pmetricotlp.NewGRPCClient(conn).Export(c.t.Context(), pmetricotlp.NewExportRequestFromMetrics(md)); err != nil {
		c.t.Fatalf("%s: %v", when, err)
	}
	if took := time.Since(began); took > 10*time.Second {
		c.t.Errorf("%s: served after %s", when, took)
	}
}

// held fails if the crowd costs too much.
func (c *crowded) held() {
	c.t.Helper()
	if more := anonymous(c.t, c.cmd.Process.Pid) - c.before; more > 64<<20 {
		c.t.Errorf("%d MiB more are held", more>>20)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	if len(files) > 1000 {
		c.t.Errorf("%d files are open", len(files))
	}
}

// Ten thousand connections on which nothing comes keep nobody out, of the pages and of OTLP.
func TestIdleConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("opens ten thousand connections")
	}
	total := 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	total = min(total, int(limit.Cur)-1000)
	if total < 2000 {
		t.Skipf("%d open files are allowed", limit.Cur)
	}
	c := newCrowded(t)
	crowd := func(address string, n int) (conns []net.Conn) {
		t.Helper()
		var mtx sync.Mutex
		var all sync.WaitGroup
		for s := range 16 {
			all.Go(func() {
				for range n / 16 {
					conn, err := net.DialTimeout("tcp", address, 10*time.Second)
					if err != nil {
						t.Errorf("connection of sender %d: %v", s, err)
						return
					}
					mtx.Lock()
					conns = append(conns, conn)
					mtx.Unlock()
				}
			})
		}
		all.Wait()
		return conns
	}
	idle := crowd(c.url[len("http://"):], total*4/5)
	defer func() {
		for _, conn := range idle {
			_ = conn.Close()
		}
	}()
	c.served(fmt.Sprintf("beside %d of the pages", len(idle)))
	idle = append(idle, crowd(c.grpc, total/5)...)
	c.served(fmt.Sprintf("beside %d of all", len(idle)))
	c.held()
}

// A client that opens requests and takes them back at once, 50,000 times, costs little and stops nobody: CVE-2023-44487.
func TestRapidReset(t *testing.T) {
	if testing.Short() {
		t.Skip("resets for seconds")
	}
	c := newCrowded(t)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 25 { // a server may hang up
				if err := resetRapidly(c.grpc, 1000); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	c.served("while others reset")
	all.Wait()
	c.served("after that")
	c.held()
}

// resetRapidly opens and resets requests on one connection until they are n or the server hangs up.
func resetRapidly(address string, n int) error {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil
	}
	var header bytes.Buffer
	encoder := hpack.NewEncoder(&header)
	framer := http2.NewFramer(conn, nil)
	if framer.WriteSettings() != nil {
		return nil
	}
	for i := range n {
		header.Reset()
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: "POST"},
			{Name: ":scheme", Value: "http"},
			{Name: ":authority", Value: address},
			{Name: ":path", Value: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
			{Name: "content-type", Value: "application/grpc"},
			{Name: "te", Value: "trailers"},
		} {
			if err := encoder.WriteField(f); err != nil {
				return err
			}
		}
		stream := uint32(2*i + 1)
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header.Bytes(), EndHeaders: true}) != nil ||
			framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			return nil
		}
	}
	return nil
}
