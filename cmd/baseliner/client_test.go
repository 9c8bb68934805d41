package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"testing"

	"github.com/baseliner/baseliner/pkg/web"
)

// get fetches a page of the instance.
func (r *running) get(path string) (status int, body string) {
	r.t.Helper()
	resp, err := http.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.read(resp)
}

func (r *running) post(path string) (status int, body string) {
	r.t.Helper()
	resp, err := http.Post(r.url+path, "", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.read(resp)
}

func (r *running) read(resp *http.Response) (int, string) {
	r.t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// data fetches an answer of the APIs and decodes what is inside the envelope.
func (r *running) data(into any, path string, params ...string) {
	r.t.Helper()
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Add(params[i], params[i+1])
	}
	status, body := r.get(path + "?" + q.Encode())
	var envelope struct {
		Status string
		Data   json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &envelope); err != nil || status != http.StatusOK || envelope.Status != "success" {
		r.t.Fatalf("GET %s %v: %d %s (%v)", path, params, status, body, err)
	}
	d := json.NewDecoder(bytes.NewReader(envelope.Data))
	if err := d.Decode(into); err != nil {
		r.t.Fatalf("GET %s %v: %v in %s", path, params, err, envelope.Data)
	}
}

// sample is a pair of Prometheus' API: seconds and a number as text.
type sample struct {
	at    float64
	value float64
}

func (s *sample) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &[]any{&s.at, &text}); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(text, 64)
	s.value = v
	return err
}

// answer is the data of query and query_range.
type answer struct {
	ResultType string
	Result     []struct {
		Metric map[string]string
		Value  sample
		Values []sample
	}
}

func (r *running) query(expr string) answer {
	r.t.Helper()
	var a answer
	r.data(&a, "/api/v1/query", "query", expr)
	return a
}

// signals is what the instance says of its signals, by name.
func (r *running) signals() map[string]web.SignalView {
	r.t.Helper()
	var list []web.SignalView
	r.data(&list, "/api/baseliner/v1/signals")
	out := map[string]web.SignalView{}
	for _, s := range list {
		out[s.Name] = s
	}
	return out
}

// inState tells whether the signal has n series and all of them are in that state.
func (r *running) inState(signal string, n int, want web.SeriesState) error {
	r.t.Helper()
	s := r.signals()[signal]
	if len(s.Series) != n {
		return fmt.Errorf("signal %q has %d series, want %d", signal, len(s.Series), n)
	}
	for _, one := range s.Series {
		if one.State != want {
			return fmt.Errorf("%s%v is %s (%s), want %s", signal, one.Labels, one.State, one.Reason, want)
		}
	}
	return nil
}

// metric reads an own metric of the instance by its name and labels as they are written in the exposition.
func (r *running) metric(name string) (v float64, ok bool) {
	r.t.Helper()
	_, body := r.get("/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return v, true
}

func wantStatus(t *testing.T, what string, got, want int, body string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: status %d, want %d: %s", what, got, want, body)
	}
}
