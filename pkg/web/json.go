package web

import (
	"log/slog"
	"net/http"
)

// JSON turns a function into a handler that answers in the envelope of the APIs, for routes of other packages.
func JSON(logger *slog.Logger, f func(*http.Request) (data any, err error)) http.Handler {
	h := &handler{Options: Options{Logger: logger}}
	return h.api(func(r *http.Request) (answer, error) {
		data, err := f(r)
		return answer{data: data}, err
	})
}

// NotFound is the error of a JSON route about something that does not exist.
func NotFound(err error) error { return &apiError{typ: errNotFound, err: err} }

// BadRequest is the error of a JSON route about a request that makes no sense.
func BadRequest(err error) error { return &apiError{typ: errBadData, err: err} }

// Conflict is the error of a JSON route about something that the present state forbids.
func Conflict(err error) error {
	return &apiError{typ: errExecution, status: http.StatusConflict, err: err}
}
