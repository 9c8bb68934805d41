package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/annotations"
)

// errorType is the machine-readable kind of a failure, in the words of Prometheus' API.
type errorType string

const (
	errTimeout     errorType = "timeout"
	errCanceled    errorType = "canceled"
	errExecution   errorType = "execution"
	errBadData     errorType = "bad_data"
	errInternal    errorType = "internal"
	errUnavailable errorType = "unavailable"
	errNotFound    errorType = "not_found"

	errUnauthorized errorType = "unauthorized"
)

// statusClientClosed is what nginx made of a client that went away. Nobody reads it; it tells apart in metrics.
const statusClientClosed = 499

// apiError is an answer that is not data.
type apiError struct {
	typ    errorType
	status int // 0: the usual one of the type
	err    error
}

func (e *apiError) Error() string { return e.err.Error() }
func (e *apiError) Unwrap() error { return e.err }

func (e *apiError) code() int {
	if e.status != 0 {
		return e.status
	}
	switch e.typ {
	case errBadData:
		return http.StatusBadRequest
	case errExecution:
		return http.StatusUnprocessableEntity
	case errCanceled:
		return statusClientClosed
	case errTimeout:
		return http.StatusServiceUnavailable
	case errNotFound:
		return http.StatusNotFound
	default:
		return http.StatusInternalServerError
	}
}

// badParameter says which parameter of the request is wrong.
func badParameter(name string, err error) error {
	return &apiError{typ: errBadData, err: fmt.Errorf("invalid parameter %q: %w", name, err)}
}

// queryError classifies what the engine or the storage returned.
func queryError(err error) error {
	var (
		canceled promql.ErrQueryCanceled
		timeout  promql.ErrQueryTimeout
		storage  promql.ErrStorage
	)
	switch {
	case errors.As(err, &canceled):
		return &apiError{typ: errCanceled, err: err}
	case errors.As(err, &timeout):
		return &apiError{typ: errTimeout, err: err}
	case errors.As(err, &storage):
		return &apiError{typ: errInternal, err: err}
	default:
		return &apiError{typ: errExecution, err: err}
	}
}

// answer is a successful result. Data is marshalled unless it is a json.RawMessage already.
type answer struct {
	data     any
	query    string // positions in warnings refer to it
	warnings annotations.Annotations
}

type envelope struct {
	Status    string          `json:"status"`
	Data      json.RawMessage `json:"data,omitempty"`
	ErrorType errorType       `json:"errorType,omitempty"`
	Error     string          `json:"error,omitempty"`
	Warnings  []string        `json:"warnings,omitempty"`
	Infos     []string        `json:"infos,omitempty"`
}

// maxAnnotations bounds the warnings of an answer, and separately its infos.
const maxAnnotations = 10

// api turns a function into a handler that answers in Prometheus' envelope.
func (h *handler) api(f func(*http.Request) (answer, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		if err := r.ParseForm(); err != nil {
			h.fail(w, r, &apiError{typ: errBadData, err: fmt.Errorf("parse form values: %w", err)})
			return
		}
		a, err := f(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		data, err := marshal(a.data)
		if err != nil {
			h.fail(w, r, &apiError{typ: errInternal, err: err})
			return
		}
		e := envelope{Status: "success", Data: data}
		e.Warnings, e.Infos = a.warnings.AsStrings(a.query, maxAnnotations, maxAnnotations)
		h.send(w, r, http.StatusOK, e)
	})
}

// maxFormBytes bounds a query sent as a form; expressions are long, but not that long.
const maxFormBytes = 1 << 20

func marshal(data any) (json.RawMessage, error) {
	if raw, ok := data.(json.RawMessage); ok {
		return raw, nil
	}
	return json.Marshal(data)
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var ae *apiError
	if !errors.As(err, &ae) {
		ae = &apiError{typ: errInternal, err: err}
	}
	h.send(w, r, ae.code(), envelope{Status: "error", ErrorType: ae.typ, Error: ae.Error()})
}

func (h *handler) send(w http.ResponseWriter, r *http.Request, code int, e envelope) {
	b, err := json.Marshal(e)
	if err != nil {
		h.Logger.Error("response not encoded; the client gets an error", "path", r.URL.Path, "err", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if _, err := w.Write(b); err != nil {
		h.Logger.Debug("response not written; the client is gone", "path", r.URL.Path, "err", err)
	}
}

// notFound answers unknown paths below /api/.
func (h *handler) notFound(r *http.Request) (answer, error) {
	return answer{}, &apiError{typ: errNotFound, err: fmt.Errorf("no such endpoint: %s", r.URL.Path)}
}

// notYet answers endpoints of the contract that this version does not have.
func (h *handler) notYet(*http.Request) (answer, error) {
	return answer{}, &apiError{typ: errUnavailable, status: http.StatusNotImplemented, err: errors.New("not available yet")}
}
