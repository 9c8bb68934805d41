package otlp_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/otlp"
)

// dial serves the receiver over gRPC for the length of the test, and returns a client of OTel's own.
func (s *station) dial(options ...grpc.DialOption) pmetricotlp.GRPCClient {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.receiver.RunGRPC(ctx, l) }()
	conn, err := grpc.NewClient(l.Addr().String(), append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			s.t.Error(err)
		}
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	return pmetricotlp.NewGRPCClient(conn)
}

func TestGRPC(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("served", func(t *testing.T) {
		s := newStation(t)
		client := s.dial()
		for i, compression := range []string{"", "gzip", "zstd"} {
			md, ms := shop()
			counter(ms, "a", cumulative, 0, time.Duration(i)*time.Second, float64(i))
			counter(ms, "future", cumulative, 0, time.Hour, 1)
			var options []grpc.CallOption
			if compression != "" {
				options = append(options, grpc.UseCompressor(compression))
			}
			resp, err := client.Export(context.Background(), pmetricotlp.NewExportRequestFromMetrics(md), options...)
			if err != nil || resp.PartialSuccess().RejectedDataPoints() != 1 {
				t.Errorf("%s: %v, %d points left out", compression, err, resp.PartialSuccess().RejectedDataPoints())
			}
		}
		s.want(series("a_total"), stored{0, 0}, stored{1000, 1}, stored{2000, 2})
	})
}

// https://opentelemetry.io/docs/specs/otlp/#failures
func TestGRPCFailures(t *testing.T) {
	md, ms := shop()
	for range 100 {
		counter(ms, "a", cumulative, 0, 0, 1)
	}
	check := func(s *station, want codes.Code, again bool, options ...grpc.CallOption) {
		t.Helper()
		_, err := s.dial().Export(context.Background(), pmetricotlp.NewExportRequestFromMetrics(md), options...)
		st := status.Convert(err)
		told := false
		for _, d := range st.Details() {
			if r, ok := d.(*errdetails.RetryInfo); ok && r.GetRetryDelay().AsDuration() > 0 {
				told = true
			}
		}
		if st.Code() != want || told != again {
			t.Errorf("%v, told when to repeat: %t, want %v and %t", err, told, want, again)
		}
		if got := s.read(); len(got) != 0 {
			t.Errorf("the store holds %v, want nothing", got)
		}
	}
	check(newStation(t, func(o *otlp.Options) { o.Memory = ingest.NewMemory(10_000, nil, nil) }), codes.ResourceExhausted, false) // it would never fit
	check(newStation(t, func(o *otlp.Options) { o.MaxBytes = 100 }), codes.ResourceExhausted, false)
	check(newStation(t, func(o *otlp.Options) { o.MaxBytes = 3000 }), codes.ResourceExhausted, false, grpc.UseCompressor("zstd"))

	s := newStation(t)
	held := s.memory.Lease()
	if err := held.Take(s.memory.Limit() - 10_000); err != nil {
		t.Fatal(err)
	}
	check(s, codes.Unavailable, true)
	held.Release()

	s = newStation(t)
	s.close()
	s.open(func(o *otlp.Options) {
		o.Door = ingest.NewGuard(broken{s.db}, ingest.GuardOptions{Now: func() time.Time { return now }})
	})
	check(s, codes.Unavailable, true)

	// Another message than ours.
	s = newStation(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.receiver.RunGRPC(ctx, l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Invoke(ctx, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
		&errdetails.ErrorInfo{Reason: string(bytes.Repeat([]byte("\a"), 100))}, &errdetails.ErrorInfo{})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("another message: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
