package scrape_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// A counter that says when it began was zero then: what it counted before its first scrape is an increase.
func TestCountersAreBorn(t *testing.T) {
	created := time.Now().Add(-5 * time.Second).Truncate(time.Millisecond)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0")
		fmt.Fprintf(w, "# TYPE orders counter\norders_total 7\norders_created %.3f\n# EOF\n", float64(created.UnixMilli())/1000)
	}))
	t.Cleanup(server.Close)
	f := start(t, static("shop", address(server)))
	f.eventuallyIs(7, "__name__", "orders_total", "job", "shop")
	q, err := f.db.Querier(0, created.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "orders_total"))
	if !set.Next() {
		t.Fatal("it was not there when it began")
	}
	it := set.At().Iterator(nil)
	if it.Next() != chunkenc.ValFloat {
		t.Fatal("it was not there when it began")
	}
	if at, v := it.At(); at != created.UnixMilli() || v != 0 {
		t.Errorf("it began at %d with %v, want %d with 0", at, v, created.UnixMilli())
	}
	if _, n := f.last("__name__", "orders_created"); n != 0 {
		t.Error("its begin is a series")
	}
}
