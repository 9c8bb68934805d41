package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcencoding "google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // senders may compress
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// What a server grants its clients: a sender has one connection and a handful of requests on it.
const (
	maxConnections = 128
	maxStreams     = 16
	drainTimeout   = 3 * time.Second
)

const serviceName = "opentelemetry.proto.collector.metrics.v1.MetricsService"

func init() { grpcencoding.RegisterCompressor(zstdCompressor{}) }

// RunGRPC serves OTLP/gRPC until ctx ends or the listener fails. It closes the listener, and returns nil if ctx ended it.
func (r *Receiver) RunGRPC(ctx context.Context, l net.Listener) error {
	server := grpc.NewServer(
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(int(r.MaxBytes)),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.MaxHeaderListSize(64<<10),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 5 * time.Minute, Time: time.Minute, Timeout: 20 * time.Second}),
	)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Export",
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				answer, err := r.export(ctx, decode)
				r.requests.WithLabelValues("grpc", status.Code(err).String()).Inc()
				return answer, err
			},
		}},
	}, r)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ingest.Crowd(l, maxConnections)) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve OTLP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drained := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(drainTimeout):
		server.Stop()
		<-drained
	}
	return <-ended // nil, as it was stopped
}

// export is the one method there is.
func (r *Receiver) export(ctx context.Context, decode func(any) error) (any, error) {
	var body []byte
	if err := decode(&body); err != nil {
		return nil, err
	}
	lease := r.Memory.Lease()
	defer lease.Release()
	err := lease.Take(int64(len(body)))
	var answer []byte
	if err == nil {
		answer, err = r.serve(ctx, body, protobuf, lease)
	}
	if err == nil {
		return answer, nil
	}
	return nil, statusOf(ctx, err)
}

// statusOf is the code of an error, such that its sender does the right thing: https://opentelemetry.io/docs/specs/otlp/#failures.
func statusOf(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case isMalformed(err):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, ingest.ErrTooLarge): // without RetryInfo it is not repeated
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	s := status.New(codes.Unavailable, err.Error())
	if with, e := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter * time.Second)}); e == nil {
		s = with
	}
	return s.Err()
}

// rawCodec leaves messages as they are: they are weighed before anything decodes them.
type rawCodec struct{}

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("marshal %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("unmarshal %T", v)
	}
	*b = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }

// zstdCompressor is the compression that gRPC does not bring along.
type zstdCompressor struct{}

// Name implements encoding.Compressor.
func (zstdCompressor) Name() string { return "zstd" }

var zstdDecoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		panic(err) // of our options
	}
	return d
}}

// Compress implements encoding.Compressor.
func (zstdCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
}

// Decompress implements encoding.Compressor.
func (zstdCompressor) Decompress(r io.Reader) (io.Reader, error) {
	d := zstdDecoders.Get().(*zstd.Decoder)
	if err := d.Reset(r); err != nil {
		zstdDecoders.Put(d)
		return nil, err
	}
	return &zstdReader{d}, nil
}

// zstdReader gives its decoder back at the end.
type zstdReader struct{ decoder *zstd.Decoder }

// Read implements io.Reader.
func (z *zstdReader) Read(p []byte) (int, error) {
	if z.decoder == nil {
		return 0, io.EOF
	}
	n, err := z.decoder.Read(p)
	if err != nil {
		zstdDecoders.Put(z.decoder)
		z.decoder = nil
	}
	return n, err
}
