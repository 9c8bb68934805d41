package pipeline

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// TestTheFirstAttemptFollowsAtOnce measures from a tick's commit to the arrival of its notification, with every write
// fsynced and a group that waits for nothing.
func TestTheFirstAttemptFollowsAtOnce(t *testing.T) {
	const alerts = 200
	arrived := make(chan struct{}, alerts)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
	}))
	defer server.Close()
	sender, err := webhook.NewSender("shop", webhook.SenderOptions{URL: server.URL, Connections: outbox.PerEndpoint})
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "ledger"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := outbox.NewDeliverer(outbox.Options{DB: db})
	a, err := NewAnnouncer(db, d, discard())
	if err != nil {
		t.Fatal(err)
	}
	zero, interval := model.Duration(0), model.Duration(time.Minute)
	route := dispatch.NewRoute(&amconfig.Route{Receiver: "shop", GroupByAll: true, GroupWait: &zero, GroupInterval: &interval}, nil)
	err = a.Configure(time.Now().UnixMilli(), alert.Routing{Route: route}, []outbox.Endpoint{{
		Name: "shop/0", Receiver: "shop", SendResolved: true, Send: sender.Send,
		Encode: func(n *alert.Notification) ([]byte, bool, error) {
			return webhook.Encode(n, webhook.PayloadOptions{SendResolved: true})
		},
	}}, outbox.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.Run(ctx, time.Now) })
	wg.Go(func() { _ = d.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	var took []time.Duration
	for i := range alerts {
		tr := firing(fmt.Sprint(i), 0)
		tr.StartsAt = time.Now().UnixMilli()
		if err := db.Update(func(tx *bbolt.Tx) error { return a.Put(tx, tr.StartsAt, []Transition{tr}) }); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		a.Committed()
		select {
		case <-arrived:
			took = append(took, time.Since(began))
		case <-time.After(20 * time.Second):
			t.Fatalf("alert %d does not arrive", i)
		}
	}
	slices.Sort(took)
	p50, p99 := took[alerts/2], took[alerts*99/100]
	if p99 > time.Second {
		t.Errorf("the first attempt came %s after the commit (p99), want at most 1s", p99)
	}
	t.Logf("from commit to arrival: p50 %s, p99 %s", p50.Round(100*time.Microsecond), p99.Round(100*time.Microsecond))
}
