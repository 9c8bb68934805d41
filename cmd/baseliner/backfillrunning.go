package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/ingest/points"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/web"
)

// filled is the answer to a backfill into a running instance.
type filled struct {
	First  int64 `json:"first"` // unix milliseconds
	Last   int64 `json:"last"`
	Series int   `json:"series"`
	Points int   `json:"points"`
	Silent int   `json:"missing"`
}

// add counts a further part of the same past.
func (f *filled) add(part filled) {
	if f.First == 0 {
		f.First = part.First
	}
	f.Last, f.Series = max(f.Last, part.Last), max(f.Series, part.Series)
	f.Points += part.Points
	f.Silent += part.Silent
}

// stalled is how long a client may say nothing.
const stalled = time.Minute

// filler takes POST /api/baseliner/v1/backfill: points as JSON lines, one request for a whole past, in the order of time. It answers
// 200 when all is learnt, 400 to a line that cannot be meant, 409 while another one is at it. Doing it again changes nothing.
type filler struct {
	*instance
	busy sync.Mutex
}

func (f *filler) route() web.Route {
	return web.Route{Pattern: "POST /api/baseliner/v1/backfill", Handler: f, Admin: true}
}

// linesError is the fault of whoever sent them.
type linesError struct{ error }

func (f *filler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := func(code int, v map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v) // the client may have gone
	}
	if !f.busy.TryLock() {
		answer(http.StatusConflict, map[string]any{"status": "error", "errorType": "conflict", "error": "another backfill is running: wait for it"})
		return
	}
	defer f.busy.Unlock()
	c := http.NewResponseController(w)
	body := io.Reader(&patient{r.Body, c})
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(body)
		if err != nil {
			answer(http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": "the body is not gzip"})
			return
		}
		body = z
	}
	began := time.Now()
	b, err := f.fill(r.Context(), body)
	_ = c.SetWriteDeadline(time.Now().Add(stalled)) // all the while nothing was to be written
	var lines linesError
	switch {
	case errors.As(err, &lines):
		answer(http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": err.Error()})
	case err != nil:
		f.logger.Error("backfill was not finished; repeat it", "err", err)
		answer(http.StatusInternalServerError, map[string]any{"status": "error", "errorType": "internal", "error": err.Error()})
	default:
		f.logger.Info("history was filled", "from", utc(b.First), "to", utc(b.Last), "series", b.Core().Size(), "points", b.Points, "took", time.Since(began))
		answer(http.StatusOK, map[string]any{"status": "success", "data": filled{b.First, b.Last, b.Core().Size(), b.Points, b.Silent}})
	}
}

func (f *filler) fill(ctx context.Context, body io.Reader) (*pipeline.Backfill, error) {
	cfg := f.cfg.Load()
	if err := scratchIn(f.o.path); err != nil {
		return nil, err
	}
	latest := time.Now().Add(cfg.Limits.Future).UnixMilli()
	between := func(do func() error) error { return f.driver.Do(ctx, do) }
	return f.in.Fill(ctx, time.Now(), between, func(b *pipeline.Backfill) error {
		return eachTick(points.NewReader(body), b.Core(), latest, func(t int64, inputs []pipeline.Input) error { return b.Step(ctx, t, inputs) })
	})
}

// eachTick puts lines of one time together. A signal that a tick does not name was not due.
func eachTick(r *points.Reader, core *pipeline.Core, latest int64, f func(int64, []pipeline.Input) error) error {
	var inputs []pipeline.Input
	at := map[string]int{} // signal → its place in inputs
	last, known := int64(0), false
	flush := func() error {
		if len(inputs) == 0 {
			return nil
		}
		err := f(last, inputs)
		inputs = inputs[:0]
		clear(at)
		return err
	}
	for r.Next() {
		if !known {
			known = true
			if err := sameSignals(core, r.Signals()); err != nil {
				return linesError{err}
			}
		}
		p := r.Point()
		if p.T != last {
			if err := flush(); err != nil {
				return err
			}
			if last = p.T; last > latest {
				return linesError{fmt.Errorf("line %d: %s is in the future: history ends now", r.Line(), utc(last))}
			}
		}
		i, ok := at[p.Signal]
		if !ok {
			s := core.Signal(p.Signal)
			if s == nil {
				return linesError{fmt.Errorf("line %d: no signal %s is configured", r.Line(), p.Signal)}
			}
			i = len(inputs)
			at[p.Signal] = i
			inputs = append(inputs, pipeline.Input{Signal: s, Otherwise: series.NoData})
		}
		in := &inputs[i]
		if len(p.Labels) == 0 && p.Missing != series.Observed {
			in.Otherwise = p.Missing // of all series that the tick does not name
			continue
		}
		in.Observations = append(in.Observations, pipeline.Observation{Labels: p.Labels, Point: p.Point})
	}
	if err := r.Err(); err != nil {
		return linesError{err}
	}
	return flush()
}

// sameSignals wants points to have been evaluated by the definitions that are in force here.
func sameSignals(core *pipeline.Core, identities map[string]string) error {
	for _, s := range core.Signals() {
		if have, named := identities[s.Def.Name]; named && have != s.Def.Identity() {
			return fmt.Errorf("signal %s is defined otherwise in the running instance: use its configuration, or reload it first", s.Def.Name)
		}
	}
	return nil
}

// patient reads from a client as long as it says something.
type patient struct {
	io.Reader
	c *http.ResponseController
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.c.SetReadDeadline(time.Now().Add(stalled)); err != nil {
		return 0, err
	}
	return p.Reader.Read(b)
}

// scratchIn lets temporary files lie in the storage unless told otherwise: blocks are put together there, and in a container it may be
// the only place.
func scratchIn(dir string) error {
	if os.Getenv("TMPDIR") != "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("create storage: %w", err)
	}
	return os.Setenv("TMPDIR", dir)
}

// backfillRunning evaluates the past here and sends it to the instance that has the storage.
func backfillRunning(ctx context.Context, o *backfillOptions, cfg *config.Config, stdout io.Writer, logger *slog.Logger) (err error) {
	scratch, err := os.MkdirTemp("", "baseliner-backfill-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	source, err := openPast(ctx, o, cfg, scratch+"/db")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	u, err := url.Parse(o.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url %q is not an http or https URL", o.url)
	}
	logger.Info("an instance is running on the storage: the past is sent to it", "storage", o.path, "url", u.Redacted())
	if source.resumed {
		logger.Info("going on where an earlier backfill was interrupted", "from", utc(source.first))
	}
	cfg = source.sight.with(cfg)
	core, err := pipeline.NewCore(cfg.Signals)
	if err != nil {
		return err
	}
	began := time.Now()
	bar := newProgress(os.Stderr, source.first, source.last)
	defer bar.done()
	var total filled
	for _, part := range source.parts(openFor(cfg)) {
		if source.mark != nil {
			if err := source.mark(part.first); err != nil {
				return err
			}
		}
		source.first, source.last = part.first, part.last
		answer, err := sendPart(ctx, u, source, core, pace(cfg), bar)
		if err != nil {
			return err
		}
		total.add(answer)
	}
	if source.finished != nil {
		if err := source.finished(); err != nil {
			return err
		}
	}
	return printFilled(stdout, source.name(o.from), total, time.Since(began))
}

// stretch is a part of a past, unix milliseconds.
type stretch struct{ first, last int64 }

// parts are the requests a past is sent in: one, or, where it can be gone on with later, a week each. A part begins with what
// was still open at the end of the one before.
func (p *past) parts(open time.Duration) (out []stretch) {
	if p.mark == nil {
		return []stretch{{p.first, p.last}}
	}
	const week = 7 * 24 * int64(time.Hour/time.Millisecond)
	for from := p.first; ; from = out[len(out)-1].last + 1 - open.Milliseconds() {
		out = append(out, stretch{from, min(from+week-1, p.last)})
		if out[len(out)-1].last == p.last {
			return out
		}
	}
}

// sendPart sends a part of the past in a request of its own.
func sendPart(ctx context.Context, u *url.URL, source *past, core *pipeline.Core, tick time.Duration, bar *progress) (answer filled, err error) {
	reader, writer := io.Pipe()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = writer.CloseWithError(send(writer, source, core, tick, bar)) // the reader hears of it
	}()
	err = post(ctx, u.JoinPath("api/baseliner/v1/backfill"), reader, &answer)
	_ = reader.CloseWithError(errors.New("the instance takes no more")) // it never fails
	<-sent
	return answer, err
}

// send evaluates the past into lines.
func send(w io.Writer, source *past, core *pipeline.Core, tick time.Duration, bar *progress) (err error) {
	z := gzip.NewWriter(w)
	identities := map[string]string{}
	for _, s := range core.Signals() {
		identities[s.Def.Name] = s.Def.Identity()
	}
	lines, err := points.NewWriter(z, identities)
	if err != nil {
		return err
	}
	n := 0
	err = source.each(core, tick, func(t int64, inputs []pipeline.Input) error {
		bar.at(t, n)
		for _, in := range inputs {
			missing := points.Point{Signal: in.Signal.Def.Name, Point: series.Point{T: t, Missing: in.Otherwise}}
			if err := lines.Write(&missing); err != nil {
				return err
			}
			for _, o := range in.Observations {
				p := points.Point{Signal: in.Signal.Def.Name, Labels: o.Labels, Point: o.Point}
				p.T = t
				if len(o.Labels) == 0 && o.Point.Missing != series.Observed {
					missing.Missing = o.Point.Missing
					p = missing
				}
				if err := lines.Write(&p); err != nil {
					return err
				}
				n++
			}
		}
		return nil
	})
	if err != nil {
		return err // and leave the stream cut short: half a past is none
	}
	return z.Close()
}

func post(ctx context.Context, u *url.URL, body io.Reader, into *filled) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "baseliner/"+version)
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("send the past to the running instance: %w; name it with --url", err)
	}
	defer resp.Body.Close()
	var envelope struct {
		Status, Error string
		Data          filled
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", u.Redacted(), err)
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("%s answers %s and no JSON of ours: %.200s", u.Redacted(), resp.Status, text)
	}
	if envelope.Status != "success" {
		return fmt.Errorf("%s refuses: %s", u.Host, envelope.Error)
	}
	*into = envelope.Data
	return nil
}
