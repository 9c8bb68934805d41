package remotewrite

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"

	"github.com/golang/snappy"
	"github.com/prometheus/client_golang/exp/api/remote"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// Options configure a handler. Door and Memory are required.
type Options struct {
	Logger     *slog.Logger   // nil discards
	Door       *ingest.Guard  // where samples go
	Memory     *ingest.Memory // what all requests may hold at once
	MaxBytes   int64          // of a body, compressed or not; 0 is 32 MiB
	MaxSamples int            // of a request; 0 is no limit
}

// NewHandler returns the receiver. It answers 204 when everything was kept, 400 when something was refused for good, 413
// when the request is too large, 415 to another protocol, and 503 with Retry-After when nothing was kept and a repetition
// may succeed.
func NewHandler(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 32 << 20
	}
	if o.MaxSamples == 0 {
		o.MaxSamples = math.MaxInt
	}
	r := &receiver{o}
	both := remote.MessageTypes{remote.WriteV1MessageType, remote.WriteV2MessageType}
	return remote.NewWriteHandler(r, both, remote.WithWriteHandlerMiddlewares(r.open))
}

type receiver struct{ Options }

// body is a request's body once it is decoded.
type body struct{ content []byte }

// Read implements io.Reader. Nobody reads it: Store knows what it is.
func (body) Read([]byte) (int, error) { return 0, io.EOF }

// Close implements io.Closer.
func (body) Close() error { return nil }

// open decompresses the bodies of requests that speak the protocol.
func (r *receiver) open(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost {
			next.ServeHTTP(w, req) // which refuses it
			return
		}
		if err := plain(req.Header); err != nil {
			http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
			return
		}
		lease := r.Memory.Lease()
		defer lease.Release()
		content, err := r.decompress(req, lease)
		if err != nil {
			fail(w, err)
			return
		}
		req.Body = body{content}
		next.ServeHTTP(w, req)
	})
}

// plain checks that the headers are those of remote-write, and writes the type of the message the way the handler reads it.
func plain(h http.Header) error {
	if enc := h.Get("Content-Encoding"); enc != "" && enc != string(remote.SnappyBlockCompression) {
		return fmt.Errorf("content encoding %q is not that of remote-write: send %s", enc, remote.SnappyBlockCompression)
	}
	if h.Get("Content-Type") == "" {
		return nil // of 1.0
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", h.Get("Content-Type"), err)
	}
	if proto := params["proto"]; proto != "" {
		kind += ";proto=" + proto
	}
	if _, err := remote.ParseProtoMsg(kind); err != nil {
		return err
	}
	h.Set("Content-Type", kind)
	return nil
}

var errNotSnappy = errors.New("body is not in snappy's block format")

// decompress reads a body. What it says to be is looked at before room is made for it.
func (r *receiver) decompress(req *http.Request, lease *ingest.Lease) ([]byte, error) {
	packed, err := lease.ReadAll(req.Body, req.ContentLength, r.MaxBytes)
	if err != nil {
		return nil, err
	}
	n, err := snappy.DecodedLen(packed)
	if err != nil {
		return nil, errNotSnappy
	}
	if int64(n) > r.MaxBytes {
		return nil, ingest.ErrTooLarge
	}
	// The format cannot make more than 64 bytes of three: a body that claims more lies.
	if n/22 > len(packed) {
		return nil, errNotSnappy
	}
	if err := lease.Take(int64(n)); err != nil {
		return nil, err
	}
	content, err := snappy.Decode(make([]byte, n), packed)
	if err != nil {
		return nil, errNotSnappy
	}
	return content, nil
}

func fail(w http.ResponseWriter, err error) {
	code := http.StatusBadRequest
	switch {
	case errors.Is(err, ingest.ErrTooLarge):
		code = http.StatusRequestEntityTooLarge
	case errors.Is(err, ingest.ErrBusy):
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	}
	http.Error(w, err.Error(), code)
}

// retryAfter is when a sender may try again, in seconds.
const retryAfter = "5"

type tooManySamplesError int

// Error implements error.
func (n tooManySamplesError) Error() string {
	return fmt.Sprintf("request holds more than %d samples (limits.samples_per_scrape): send smaller ones", int(n))
}

// Store implements what the protocol's handler calls.
func (r *receiver) Store(req *http.Request, kind remote.WriteMessageType) (*remote.WriteResponse, error) {
	resp := remote.NewWriteResponse()
	decoded, ok := req.Body.(body)
	if !ok {
		return nil, fmt.Errorf("request body is %T", req.Body)
	}
	tx := &transaction{app: r.Door.AppenderV2(req.Context()), door: r.Door}
	b := &batch{tx: tx, limit: r.MaxSamples}
	var err error
	if kind == remote.WriteV2MessageType {
		err = b.v2(decoded.content)
	} else {
		err = b.v1(decoded.content)
	}
	if err != nil { // the message is broken: nothing of it is kept
		resp.SetStatusCode(http.StatusBadRequest)
		if _, ok := errors.AsType[tooManySamplesError](err); ok {
			resp.SetStatusCode(http.StatusRequestEntityTooLarge)
		}
		return resp, errors.Join(err, tx.app.Rollback())
	}
	if err := tx.app.Commit(); err != nil {
		r.Logger.Error("remote-write request not stored; its sender will repeat it", "err", err)
		resp.SetStatusCode(http.StatusServiceUnavailable)
		resp.SetExtraHeader("Retry-After", retryAfter)
		return resp, err
	}
	resp.Add(remote.WriteResponseStats{Samples: tx.samples, Histograms: tx.histograms})
	err = tx.partial()
	if b.empty > 0 && kind == remote.WriteV2MessageType { // 1.0 allows them
		err = errors.Join(err, fmt.Errorf("%d series came without samples", b.empty))
	}
	if err != nil {
		resp.SetStatusCode(http.StatusBadRequest)
		return resp, err
	}
	return resp, nil
}
