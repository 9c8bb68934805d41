package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxUnlearnBytes bounds the body of a request.
const maxUnlearnBytes = 64 << 10

// UnlearnedView is a window that nothing is learnt from.
type UnlearnedView struct {
	ID      string    `json:"id"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"` // exclusive
	Match   string    `json:"match,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Created time.Time `json:"created"`
	Series  int       `json:"series,omitempty"` // folded anew, in answers to changes
}

// Unlearner keeps what is not to be learnt from. It is safe for concurrent use.
type Unlearner interface {
	// List returns the windows by their start.
	List() []UnlearnedView
	// Unlearn keeps a window and folds the series concerned anew. A window that cannot be meant is an *InvalidError.
	Unlearn(ctx context.Context, w UnlearnedView) (UnlearnedView, error)
	// Undo forgets a window and folds the series concerned anew.
	Undo(ctx context.Context, id string) (w UnlearnedView, found bool, err error)
}

// InvalidError says that the client asks for what cannot be meant.
type InvalidError struct{ Err error }

func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *InvalidError) Unwrap() error { return e.Err }

func (h *handler) unlearnRoutes(base string) {
	if h.Unlearner == nil {
		return
	}
	h.route("GET "+base+"unlearn", h.api(func(*http.Request) (answer, error) {
		list := h.Unlearner.List()
		if list == nil {
			list = []UnlearnedView{}
		}
		return answer{data: list}, nil
	}))
	h.route("POST "+base+"unlearn", h.admin(jsonBody(h.api(h.unlearn))))
	h.route("DELETE "+base+"unlearn", h.admin(h.api(h.undoUnlearn)))
	h.route("DELETE "+base+"unlearn/{id}", h.admin(h.api(h.undoUnlearn)))
}

// jsonBody takes a body that is an object for JSON, whatever the client calls it: curl -d calls everything a form.
func jsonBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := bufio.NewReader(r.Body)
		if first, err := b.Peek(1); err == nil && first[0] == '{' {
			r.Header.Set("Content-Type", "application/json")
		}
		r.Body = struct {
			io.Reader
			io.Closer
		}{b, r.Body}
		next.ServeHTTP(w, r)
	})
}

// unlearn is POST unlearn: a window as JSON, or from, to, match and reason as parameters.
func (h *handler) unlearn(r *http.Request) (answer, error) {
	w, err := parseUnlearn(r)
	if err != nil {
		return answer{}, &apiError{typ: errBadData, err: err}
	}
	w.Created = h.Now().UTC().Truncate(time.Millisecond)
	done, err := h.Unlearner.Unlearn(r.Context(), w)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return answer{}, &apiError{typ: errBadData, err: invalid}
	}
	return answer{data: done}, err
}

func parseUnlearn(r *http.Request) (UnlearnedView, error) {
	var p struct {
		From   when   `json:"from"`
		To     when   `json:"to"`
		Match  string `json:"match"`
		Reason string `json:"reason"`
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxUnlearnBytes+1))
	if err != nil {
		return UnlearnedView{}, fmt.Errorf("read window: %w", err)
	}
	switch {
	case len(body) > maxUnlearnBytes:
		return UnlearnedView{}, fmt.Errorf("the body is larger than %d KiB", maxUnlearnBytes>>10)
	case len(bytes.TrimSpace(body)) > 0:
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			return UnlearnedView{}, fmt.Errorf(`the window is not JSON such as {"from": "2026-11-24T10:00:00Z", "to": "2026-11-24T12:00:00Z", "match": "{route=\"/checkout\"}", "reason": "load test"}: %w`, err)
		}
	default:
		p.Match, p.Reason = r.FormValue("match"), r.FormValue("reason")
		for name, t := range map[string]*when{"from": &p.From, "to": &p.To} {
			if s := r.FormValue(name); s != "" {
				if t.Time, err = parseTime(s); err != nil {
					return UnlearnedView{}, fmt.Errorf("%s: %w", name, err)
				}
				t.set = true
			}
		}
	}
	if !p.From.set || !p.To.set {
		return UnlearnedView{}, errors.New("from or to is missing: unix seconds or RFC 3339")
	}
	return UnlearnedView{
		From: p.From.UTC().Truncate(time.Millisecond), To: p.To.UTC().Truncate(time.Millisecond),
		Match: strings.TrimSpace(p.Match), Reason: p.Reason,
	}, nil
}

// undoUnlearn is DELETE unlearn/{id}, or DELETE unlearn?id=.
func (h *handler) undoUnlearn(r *http.Request) (answer, error) {
	id := r.PathValue("id")
	if id == "" {
		id = r.FormValue("id")
	}
	w, found, err := h.Unlearner.Undo(r.Context(), id)
	if err == nil && !found {
		err = &apiError{typ: errNotFound, err: fmt.Errorf("no such window: %s", id)}
	}
	return answer{data: w}, err
}
