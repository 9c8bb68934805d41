package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// defaultURL is where an instance listens unless told otherwise.
const defaultURL = "http://127.0.0.1:9780"

// api speaks to a running instance.
type api struct{ base string }

// call sends a request below /api/baseliner/v1/ and decodes what is in the envelope into data, unless that is nil.
func (a api) call(ctx context.Context, method, path string, params url.Values, body io.Reader, data any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	target := strings.TrimRight(a.base, "/") + "/api/baseliner/v1/" + path
	if len(params) > 0 {
		target += "?" + params.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w; with the instance stopped, use --storage.path", err)
	}
	defer resp.Body.Close()
	var envelope struct {
		Status, Error string
		Data          json.RawMessage
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", a.base, err)
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("%s is no baseliner: it answered %s", a.base, resp.Status)
	}
	if envelope.Status != "success" {
		return errors.New(envelope.Error)
	}
	if data == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, data); err != nil {
		return fmt.Errorf("answer of %s: %w", a.base, err)
	}
	return nil
}
