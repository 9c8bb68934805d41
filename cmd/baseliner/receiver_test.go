package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
)

// receiver takes notifications as a pager would, and refuses whatever Alertmanager would not have sent.
type receiver struct {
	url string

	mu       sync.Mutex
	messages []webhook.Message
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d := json.NewDecoder(req.Body)
		d.DisallowUnknownFields()
		var m webhook.Message
		err := d.Decode(&m)
		if err == nil {
			if _, more := d.Token(); !errors.Is(more, io.EOF) {
				err = fmt.Errorf("something follows the message: %w", more)
			}
		}
		if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("not a notification of Alertmanager's: %s %v: %v", req.Method, req.Header, err)
			http.Error(w, "not a notification", http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.messages = append(r.messages, m)
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

func (r *receiver) heard() []webhook.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]webhook.Message(nil), r.messages...)
}

// episode is what identifies an alert from its begin to its end.
type episode struct {
	fingerprint string
	startsAt    time.Time
}

// told is what a receiver heard of an episode, in the order of arrival.
type told struct {
	labels   template.KV
	statuses []string
}

// episodes sorts what was heard by episode.
func (r *receiver) episodes() map[episode]*told {
	out := map[episode]*told{}
	for _, m := range r.heard() {
		for _, a := range m.Alerts {
			k := episode{a.Fingerprint, a.StartsAt.UTC()}
			if out[k] == nil {
				out[k] = &told{labels: a.Labels}
			}
			out[k].statuses = append(out[k].statuses, a.Status)
		}
	}
	return out
}
