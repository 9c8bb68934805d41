package remotewrite_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/remotewrite"
)

// More comes at once than fits: some are told to come again, what is held stays within its limit, and in the end
// everything is there once.
func TestOverload(t *testing.T) {
	const senders, requests, samples = 8, 10, 500
	body := func(sender, request int) []byte {
		var req prompb.WriteRequest
		for i := range samples {
			req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
				Labels:  pairs("__name__", "load", "sender", fmt.Sprint(sender), "i", fmt.Sprint(i)),
				Samples: []prompb.Sample{{Timestamp: at(time.Duration(request) * time.Second), Value: 1}},
			})
		}
		b, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one := body(0, 0)
	s := newStation(t, func(o *remotewrite.Options) {
		o.Memory = ingest.NewMemory(int64(3*(len(one)+len(snappy.Encode(nil, one)))), nil, nil)
	})
	var busy atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for sender := range senders {
		wg.Go(func() {
			<-gate
			for request := range requests {
				packed := snappy.Encode(nil, body(sender, request))
				for attempt := 0; ; attempt++ {
					// A body that comes slowly is held while it comes.
					req := httptest.NewRequest(http.MethodPost, "/api/v1/write", &slow{Reader: bytes.NewReader(packed)})
					req.Header.Set("Content-Encoding", "snappy")
					req.ContentLength = int64(len(packed))
					w := httptest.NewRecorder()
					s.handler.ServeHTTP(w, req)
					if w.Code == http.StatusNoContent {
						break
					}
					if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || attempt > 1000 {
						t.Errorf("answer %d %q", w.Code, w.Body)
						return
					}
					busy.Add(1)
					time.Sleep(2 * time.Millisecond)
				}
			}
		})
	}
	close(gate)
	wg.Wait()
	if busy.Load() == 0 {
		t.Error("nobody was told to come again: it was no overload")
	}
	series := s.read()
	if len(series) != senders*samples {
		t.Errorf("%d series are stored, want %d", len(series), senders*samples)
	}
	for name, got := range series {
		if len(got) != requests {
			t.Fatalf("%s has %d samples, want %d", name, len(got), requests)
		}
	}
}

// slow gives a body in two pieces, a millisecond apart.
type slow struct {
	*bytes.Reader
	begun bool
}

func (s *slow) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		return s.Reader.Read(p[:len(p)/2])
	}
	time.Sleep(time.Millisecond)
	return s.Reader.Read(p)
}
