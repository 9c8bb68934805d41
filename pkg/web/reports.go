package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Reporter writes reports of what was learnt. It is safe for concurrent use.
type Reporter interface {
	// Report writes a report of a kind; of format json the data alone, which goes into the envelope. What cannot be answered
	// because of what was asked is an *InvalidError.
	Report(ctx context.Context, kind, format string, params url.Values) ([]byte, error)
}

// formats of reports and what they are on the wire.
var formats = map[string]string{
	"json": "", "md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8", "csv": "text/csv; charset=utf-8",
}

// report is GET reports/{kind}?format=&outcome=; json is in the envelope, the others are the file itself.
func (h *handler) report(w http.ResponseWriter, r *http.Request) {
	format := r.FormValue("format")
	if format == "" {
		format = "json"
	}
	contentType, ok := formats[format]
	if !ok {
		h.fail(w, r, badParameter("format", fmt.Errorf("%q is not one of json, md, html, csv", format)))
		return
	}
	body, err := h.Reporter.Report(r.Context(), r.PathValue("kind"), format, r.Form)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		err = &apiError{typ: errBadData, err: invalid}
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if format == "json" {
		h.api(func(*http.Request) (answer, error) { return answer{data: json.RawMessage(body)}, nil }).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", contentType)
	if format == "html" { // one file with its style inside, and no script
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'")
	}
	_, _ = w.Write(body) // a client that went away is nobody's failure
}
