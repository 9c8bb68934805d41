package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Explainer says why something fired, or why not. It is safe for concurrent use.
type Explainer interface {
	// Explain returns, as a JSON list, what was decided on each series of a signal that the selector matches, at the last
	// tick not after the instant. What cannot be answered because of what was asked is an *InvalidError.
	Explain(ctx context.Context, signal, match string, at time.Time) (json.RawMessage, error)
}

// explain is GET explain?signal=&match=&at=; at is now by default.
func (h *handler) explain(r *http.Request) (answer, error) {
	name := r.FormValue("signal")
	if name == "" {
		return answer{}, badParameter("signal", errors.New("name the signal"))
	}
	at, err := timeParam(r, "at", h.Now())
	if err != nil {
		return answer{}, err
	}
	out, err := h.Explainer.Explain(r.Context(), name, r.FormValue("match"), at)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return answer{}, &apiError{typ: errBadData, err: invalid}
	}
	return answer{data: out}, err
}
