package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// callTimeout is how long an instance may take: ten thousand series are folded anew in less than a minute.
const callTimeout = 5 * time.Minute

// where says which instance a command is for: a running one, or the storage of a stopped one.
type where struct{ url, path string }

func (w *where) flags(c *kingpin.CmdClause) {
	c.Flag("url", "URL of the running instance.").Default("http://127.0.0.1:9780").StringVar(&w.url)
	c.Flag("storage.path", "Storage of a stopped instance, instead of a running one.").StringVar(&w.path)
}

// stopped tells whether the command is for a stopped instance.
func (w *where) stopped() bool { return w.path != "" }

// locked explains who holds the storage.
func (w *where) locked() error {
	return fmt.Errorf("%s: %w: a running instance is asked with --url", w.path, state.ErrLocked)
}

// call asks the running instance. body is sent as JSON unless it is nil; what is in the answer is decoded into the last.
func (w *where) call(ctx context.Context, method, path string, params url.Values, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	u, err := url.Parse(w.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url %q is not an http or https URL", w.url)
	}
	u = u.JoinPath("api/baseliner/v1", path)
	u.RawQuery = params.Encode()
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), reader)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "baseliner/"+version)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the instance: %w; of one that is stopped, give --storage.path", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", u.Redacted(), err)
	}
	var envelope struct {
		Status string
		Error  string
		Data   json.RawMessage
	}
	if err := json.Unmarshal(text, &envelope); err != nil || envelope.Status == "" {
		return fmt.Errorf("%s answers %s and no JSON of ours: %.200s", u.Redacted(), resp.Status, bytes.TrimSpace(text))
	}
	if envelope.Status != "success" {
		return fmt.Errorf("%s refuses: %s", u.Host, envelope.Error)
	}
	if err := json.Unmarshal(envelope.Data, into); err != nil {
		return fmt.Errorf("decode the answer of %s: %w", u.Redacted(), err)
	}
	return nil
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
