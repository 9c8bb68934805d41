package main

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
)

// spans is an OTLP receiver that counts spans by name.
type spans struct {
	ptraceotlp.UnimplementedGRPCServer
	mu    sync.Mutex
	count map[string]int
}

func (s *spans) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range r.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				s.count[span.Name()]++
			}
		}
	}
	return ptraceotlp.NewExportResponse(), nil
}

// TestTracing sends traces of ticks and requests to a real OTLP receiver.
func TestTracing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := &spans{count: map[string]int{}}
	server := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(server, got)
	go func() { _ = server.Serve(l) }() // ends with Stop
	defer server.Stop()

	target := httptest.NewServer(newShop(1))
	defer target.Close()
	cfg := write(t, t.TempDir(), "c.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s, evaluation_delay: 1s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['%s']}]
signals:
  - {name: up, layer: infrastructure, expr: up}
tracing: {endpoint: '%s', insecure: true, client_type: grpc, sampling_fraction: 1}
`, strings.TrimPrefix(target.URL, "http://"), l.Addr()))
	in := runInstanceOf(t, cfg, t.TempDir())
	in.get("/-/healthy")
	in.get("/api/v1/query?query=up")
	eventually(t, "spans of ticks and requests", 30*time.Second, func() error {
		got.mu.Lock()
		defer got.mu.Unlock()
		if got.count["tick"] < 3 || got.count["GET /api/v1/query"] == 0 {
			return fmt.Errorf("spans so far: %v", got.count)
		}
		return nil
	})
}
