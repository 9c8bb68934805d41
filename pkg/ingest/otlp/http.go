package otlp

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/klauspost/compress/zstd"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/baseliner/baseliner/pkg/ingest"
)

const (
	// retryAfter is when a sender may try again, in seconds.
	retryAfter = 5
	// zstdWindow is how far back a body may refer. Encoders at their usual levels stay below.
	zstdWindow = 8 << 20
)

// ServeHTTP receives POST requests of OTLP/HTTP. It answers 200, where points were left out with a partial success; 400 to
// what is no request, 413 to one that is too large, 415 to another format, and 503 with Retry-After when nothing was kept
// and a repetition may succeed.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.http.ServeHTTP(w, req) }

func (r *Receiver) answer(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "OTLP is sent by POST", http.StatusMethodNotAllowed)
		return
	}
	var e encoding
	switch kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); {
	case err == nil && kind == protobuf.contentType:
		e = protobuf
	case err == nil && kind == jsonText.contentType:
		e = jsonText
	default:
		http.Error(w, fmt.Sprintf("content type %q is not %s or %s", req.Header.Get("Content-Type"), protobuf.contentType, jsonText.contentType), http.StatusUnsupportedMediaType)
		return
	}
	lease := r.Memory.Lease()
	defer lease.Release()
	body, err := r.body(req, lease)
	var answer []byte
	if err == nil {
		answer, err = r.serve(req.Context(), body, e, lease)
	}
	if err != nil {
		fail(w, e, err)
		return
	}
	w.Header().Set("Content-Type", e.contentType)
	_, _ = w.Write(answer) // the client may have gone
}

type unknownEncodingError string

// Error implements error.
func (u unknownEncodingError) Error() string {
	return fmt.Sprintf("content encoding %q is not known: send gzip, zstd or none", string(u))
}

// body reads a request's body, decompressed, and takes the memory for it.
func (r *Receiver) body(req *http.Request, lease *ingest.Lease) ([]byte, error) {
	var body io.Reader = http.MaxBytesReader(nil, req.Body, r.MaxBytes)
	switch encoding := req.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		b, err := lease.ReadAll(req.Body, req.ContentLength, r.MaxBytes)
		return b, readError(err)
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, readError(err)
		}
		b, err := lease.ReadAll(z, 0, r.MaxBytes)
		return b, readError(err)
	case "zstd":
		if err := lease.Take(zstdWindow); err != nil {
			return nil, err
		}
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, readError(err)
		}
		defer z.Close()
		b, err := lease.ReadAll(z, 0, r.MaxBytes)
		return b, readError(err)
	default:
		return nil, unknownEncodingError(encoding)
	}
}

// readError tells a body that is broken from one that is too much.
func readError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return ingest.ErrTooLarge
	}
	if err == nil || errors.Is(err, ingest.ErrTooLarge) || errors.Is(err, ingest.ErrBusy) {
		return err
	}
	return malformedError{fmt.Errorf("read body: %w", err)}
}

// fail answers with a Status message, as the specification asks for.
func fail(w http.ResponseWriter, e encoding, err error) {
	status, code := http.StatusServiceUnavailable, codes.Unavailable
	if _, ok := errors.AsType[unknownEncodingError](err); ok {
		status, code = http.StatusUnsupportedMediaType, codes.InvalidArgument
	} else if errors.Is(err, ingest.ErrTooLarge) {
		status, code = http.StatusRequestEntityTooLarge, codes.ResourceExhausted
	} else if isMalformed(err) {
		status, code = http.StatusBadRequest, codes.InvalidArgument
	} else {
		w.Header().Set("Retry-After", fmt.Sprint(retryAfter))
	}
	message := &spb.Status{Code: int32(code), Message: err.Error()}
	var text []byte
	if e.contentType == jsonText.contentType {
		text, err = protojson.Marshal(message)
	} else {
		text, err = proto.Marshal(message)
	}
	if err != nil { // a text that is not UTF-8
		http.Error(w, "bad request", status)
		return
	}
	w.Header().Set("Content-Type", e.contentType)
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client may have gone
}
