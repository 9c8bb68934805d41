package business

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/prometheus/storage"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/ingest"
)

const (
	// late is how old an event may be to be counted.
	late = time.Hour
	// linesTold is how many refused lines an answer mentions.
	linesTold  = 20
	retryAfter = "5"
)

// Options configure a Receiver. Everything but Logger and Now is required.
type Options struct {
	DB        *bbolt.DB // where counters and ids are kept
	Door      *ingest.Guard
	Memory    *ingest.Memory
	MaxBytes  int64
	TokenFile string           // holds what a sender has to know; read for every request, so that it may change
	Interval  time.Duration    // at which counters without events are written
	Logger    *slog.Logger     // nil discards
	Now       func() time.Time // nil is time.Now
}

// Receiver takes events and values.
type Receiver struct {
	Options
	counters *counters
}

// New returns a receiver that goes on with the counters of before.
func New(o Options) (*Receiver, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c, err := openCounters(o.DB)
	return &Receiver{o, c}, err
}

// Run writes counters between events until ctx ends.
func (r *Receiver) Run(ctx context.Context) error {
	tick := time.NewTicker(r.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := r.Write(ctx); err != nil {
				r.Logger.Error("business counters not written; they will be with the next interval", "err", err)
			}
		}
	}
}

// Write writes every counter as of now.
func (r *Receiver) Write(ctx context.Context) error {
	app := r.Door.AppenderV2(ctx)
	for _, c := range r.counters.at(r.Now()) {
		// What the guard does not let in it counts and tells.
		_, _ = app.Append(0, c.labels, 0, c.t, c.value, nil, nil, storage.AppendV2Options{})
	}
	return app.Commit()
}

// answer is what a request came to.
type answer struct {
	Events   int       `json:"events"`   // counted
	Repeated int       `json:"repeated"` // ids that were known
	Values   int       `json:"values"`   // stored
	Refused  int       `json:"refused"`  // lines
	Lines    []badLine `json:"lines,omitempty"`
}

type badLine struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

func (a *answer) refuse(n int, err error) {
	if a.Refused++; len(a.Lines) < linesTold {
		a.Lines = append(a.Lines, badLine{n, err.Error()})
	}
}

// ServeHTTP takes POST requests of JSON lines. It answers 200 when every line was taken, 400 when some were refused and
// the others were taken, 401 without the token, 413 to a body that is too large, and 503 with Retry-After when nothing was
// taken and a repetition may succeed.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed, "bad_data", "events and values are sent by POST", nil)
		return
	}
	if err := r.authorize(req); err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		fail(w, http.StatusUnauthorized, "unauthorized", err.Error(), nil)
		return
	}
	lease := r.Memory.Lease()
	defer lease.Release()
	body, err := lease.ReadAll(req.Body, req.ContentLength, r.MaxBytes)
	if err == nil {
		err = lease.Take(8 * int64(len(body))) // a short line is a large struct
	}
	switch {
	case errors.Is(err, ingest.ErrTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "bad_data", err.Error(), nil)
		return
	case errors.Is(err, ingest.ErrBusy):
		w.Header().Set("Retry-After", retryAfter)
		fail(w, http.StatusServiceUnavailable, "unavailable", err.Error(), nil)
		return
	case err != nil:
		fail(w, http.StatusBadRequest, "bad_data", fmt.Sprintf("read body: %s", err), nil)
		return
	}
	a, err := r.take(req.Context(), body)
	switch {
	case err != nil:
		r.Logger.Error("business request not stored", "err", err)
		w.Header().Set("Retry-After", retryAfter)
		fail(w, http.StatusServiceUnavailable, "unavailable", err.Error(), nil)
	case a.Refused > 0:
		fail(w, http.StatusBadRequest, "bad_data", fmt.Sprintf("%d lines were refused, the others were taken: line %d: %s", a.Refused, a.Lines[0].Line, a.Lines[0].Error), &a)
	default:
		write(w, http.StatusOK, map[string]any{"status": "success", "data": a})
	}
}

func (r *Receiver) authorize(req *http.Request) error {
	token, err := os.ReadFile(r.TokenFile)
	if err != nil {
		return errors.New("the token cannot be read: ingest.business.token_file")
	}
	token = bytes.TrimSpace(token)
	given, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok || len(token) == 0 || subtle.ConstantTimeCompare([]byte(strings.TrimSpace(given)), token) != 1 {
		return errors.New("send the token of ingest.business.token_file: Authorization: Bearer TOKEN")
	}
	return nil
}

// take stores what the lines hold. Events are on disk before their counters are samples: if those cannot be written now,
// they are with the next interval.
func (r *Receiver) take(ctx context.Context, body []byte) (a answer, err error) {
	now := r.Now()
	var events []line
	app := r.Door.AppenderV2(ctx)
	n := 0
	for text := range bytes.Lines(body) {
		n++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		l, err := read(text)
		if err == nil && l.at.IsZero() {
			l.at = now
		}
		if err == nil {
			err = r.check(&l, now)
		}
		if err == nil && !l.event {
			_, err = app.Append(0, l.labels, 0, l.at.UnixMilli(), l.value, nil, nil, storage.AppendV2Options{})
		}
		switch {
		case err != nil:
			a.refuse(n, err)
		case l.event:
			events = append(events, l)
		default:
			a.Values++
		}
	}
	if err := app.Commit(); err != nil {
		return a, err
	}
	if len(events) == 0 {
		return a, nil
	}
	changed, repeated, err := r.counters.add(events, now)
	if err != nil {
		return a, err
	}
	a.Events, a.Repeated = len(events)-repeated, repeated
	app = r.Door.AppenderV2(ctx)
	for _, c := range changed {
		if _, err := app.Append(0, c.labels, c.start, c.t, c.value, nil, nil, storage.AppendV2Options{}); err != nil {
			r.Logger.Warn("business counter not written; it will be with the next interval", "series", c.labels.String(), "err", err)
		}
	}
	if err := app.Commit(); err != nil {
		r.Logger.Error("business counters not written; they will be with the next interval", "err", err)
	}
	return a, nil
}

// check refuses what would be counted at the wrong time or as another series than it will be stored as.
func (r *Receiver) check(l *line, now time.Time) error {
	if why := r.Door.Check(l.at.UnixMilli()); why != nil {
		r.Door.Refuse(why, 1)
		return why
	}
	if !l.event {
		return nil
	}
	if why := r.Door.Fits(l.labels); why != nil {
		r.Door.Refuse(why, 1)
		return why
	}
	if now.Sub(l.at) > late {
		why := &ingest.RefusedError{Reason: ingest.TooOld, Detail: fmt.Sprintf("the event is more than %s old: fill the past by baseliner backfill", late)}
		r.Door.Refuse(why, 1)
		return why
	}
	return nil
}

func fail(w http.ResponseWriter, code int, kind, text string, data *answer) {
	m := map[string]any{"status": "error", "errorType": kind, "error": text}
	if data != nil {
		m["data"] = data
	}
	write(w, code, m)
}

func write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
