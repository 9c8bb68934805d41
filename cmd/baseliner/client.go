package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/baseliner/baseliner/pkg/state"

	"github.com/prometheus/common/model"
)

// defaultURL is where an instance listens unless told otherwise.
const defaultURL = "http://127.0.0.1:9780"

// callTimeout is how long an instance may take: ten thousand series are folded anew in less than a minute.
const callTimeout = 5 * time.Minute

// where says which instance a command is for: a running one, or the storage of a stopped one.
type where struct{ url, path string }

func (w *where) flags(c *kingpin.CmdClause) {
	c.Flag("url", "URL of the running instance.").Default(defaultURL).StringVar(&w.url)
	c.Flag("storage.path", "Storage of a stopped instance, instead of a running one.").StringVar(&w.path)
}

// stopped tells whether the command is for a stopped instance.
func (w *where) stopped() bool { return w.path != "" }

// withLedger hands the ledger of the stopped instance to stored, or leaves it to running where none is named.
func (w *where) withLedger(stored func(*state.Ledger) error, running func() error) (err error) {
	if !w.stopped() {
		return running()
	}
	ledger, err := openStopped(w.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	return stored(ledger)
}

// locked explains who holds the storage.
func (w *where) locked() error {
	return fmt.Errorf("%s: %w: a running instance is asked with --url", w.path, state.ErrLocked)
}

// call asks the running instance. body is sent as JSON unless it is nil; what is in the answer is decoded into the last, unless
// that is nil.
func (w *where) call(ctx context.Context, method, path string, params url.Values, body, into any) error {
	text, from, err := w.ask(ctx, method, path, params, body)
	if err != nil || into == nil {
		return err
	}
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(text, &envelope); err != nil || envelope.Data == nil {
		return fmt.Errorf("%s answers no JSON of ours: %.200s", from, bytes.TrimSpace(text))
	}
	if err := json.Unmarshal(envelope.Data, into); err != nil {
		return fmt.Errorf("decode the answer of %s: %w", from, err)
	}
	return nil
}

// ask returns the answer of the running instance as it is, and who gave it; a refusal is an error.
func (w *where) ask(ctx context.Context, method, path string, params url.Values, body any) (text []byte, from string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	u, err := url.Parse(w.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, "", fmt.Errorf("--url %q is not an http or https URL", w.url)
	}
	u = u.JoinPath("api/baseliner/v1", path)
	u.RawQuery = params.Encode()
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, "", fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("User-Agent", "baseliner/"+version)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("ask the instance: %w; of one that is stopped, give --storage.path", err)
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", fmt.Errorf("read the answer of %s: %w", u.Redacted(), err)
	}
	if resp.StatusCode/100 == 2 {
		return text, u.Redacted(), nil
	}
	var envelope struct{ Status, Error string }
	if err := json.Unmarshal(text, &envelope); err != nil || envelope.Status == "" {
		return nil, "", fmt.Errorf("%s answers %s and no JSON of ours: %.200s", u.Redacted(), resp.Status, bytes.TrimSpace(text))
	}
	return nil, "", fmt.Errorf("%s refuses: %s", u.Host, envelope.Error)
}

// parseInstant reads unix seconds, RFC 3339, now, or a time before now such as -90m.
func parseInstant(flag, text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if strings.HasPrefix(text, "-") {
		if d, err := model.ParseDuration(text[1:]); err == nil {
			return now.Add(-time.Duration(d)), nil
		}
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f < 1e11 {
		return time.UnixMilli(int64(f * 1000)).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("--%s=%s: not a time such as 2026-11-24T10:00:00+01:00, unix seconds, now or -90m", flag, text)
	}
	return t.UTC(), nil
}
