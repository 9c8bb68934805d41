package otlp

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// encoding is how a request over HTTP is written. Its answer is written the same way.
type encoding struct {
	contentType string
	weigh       func([]byte) (int64, error)
	read        func(pmetricotlp.ExportRequest, []byte) error
	write       func(pmetricotlp.ExportResponse) ([]byte, error)
}

var (
	protobuf = encoding{"application/x-protobuf", weigh, pmetricotlp.ExportRequest.UnmarshalProto, pmetricotlp.ExportResponse.MarshalProto}
	jsonText = encoding{"application/json", weighJSON, pmetricotlp.ExportRequest.UnmarshalJSON, pmetricotlp.ExportResponse.MarshalJSON}
)

// malformedError is the error of a request that is not one.
type malformedError struct{ error }

// Unwrap gives what is wrong.
func (m malformedError) Unwrap() error { return m.error }

// serve takes a decoded body and returns the answer. Errors are malformedError, ingest.ErrTooLarge, ingest.ErrBusy, or that of
// the store: then nothing was kept and the request may be repeated.
func (r *Receiver) serve(ctx context.Context, body []byte, e encoding, lease *ingest.Lease) ([]byte, error) {
	n, err := e.weigh(body)
	if err != nil {
		return nil, malformedError{err}
	}
	if n > r.Memory.Limit() {
		return nil, fmt.Errorf("%w: decoded it takes %d MiB (limits.in_flight_bytes)", ingest.ErrTooLarge, n>>20)
	}
	if err := lease.Take(n); err != nil {
		return nil, err
	}
	req := pmetricotlp.NewExportRequest()
	if err := read(e, req, body); err != nil {
		return nil, malformedError{err}
	}
	resp, err := r.take(ctx, req.Metrics())
	if err != nil {
		return nil, err
	}
	return e.write(resp)
}

// read decodes a request. The decoder is of others, and bytes from strangers must not end the program.
func read(e encoding, req pmetricotlp.ExportRequest, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder gave up: %v", p)
		}
	}()
	return e.read(req, body)
}

func isMalformed(err error) bool {
	_, ok := errors.AsType[malformedError](err)
	return ok
}
