package pipeline

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// TestTheDigestComesOnce kills the process between every two steps around the hour of the digest: it is delivered once, and knows what happened before.
func TestTheDigestComesOnce(t *testing.T) {
	routing := alert.Routing{
		Route:  announceRoute("alertname"),
		Digest: &alert.Digest{Receiver: "shop", Weekday: time.Monday, At: 9 * time.Hour, Zone: time.UTC}, // an hour after the start
	}
	steps := []func(*life){
		func(l *life) { l.tick(later(0), firing("a", 0)) },
		func(l *life) { l.advance(later(31 * second)) },
		func(l *life) { l.tick(later(5*minute), over("a", 0, 5*minute)) },
		func(l *life) { l.advance(later(6 * minute)) },
		func(l *life) { l.deliver() },
		func(l *life) { l.advance(later(time.Hour)) },
		func(l *life) { l.deliver() },
		func(l *life) { l.advance(later(2 * time.Hour)) },
		func(l *life) { l.deliver() },
		func(l *life) { l.advance(later(6 * 24 * time.Hour)) },
		func(l *life) { l.deliver() },
	}
	for dies := range len(steps) + 1 {
		synctest.Test(t, func(t *testing.T) {
			path, box := filepath.Join(t.TempDir(), "outbox"), &mailbox{}
			live := func(now int64) *life {
				db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
				if err != nil {
					t.Fatal(err)
				}
				l := &life{t: t, db: db, d: outbox.NewDeliverer(outbox.Options{DB: db})}
				if l.a, err = NewAnnouncer(db, l.d, discard()); err != nil {
					t.Fatal(err)
				}
				err = l.a.Configure(now, routing, []outbox.Endpoint{{
					Name: "shop/0", Receiver: "shop", SendResolved: true, Send: box.accept,
					Encode: func(n *alert.Notification) ([]byte, bool, error) {
						return webhook.Encode(n, webhook.PayloadOptions{SendResolved: true})
					},
				}}, outbox.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				l.a.SetFacts(func(int64) alert.Facts { return alert.Facts{Budgets: []string{"x: 3.0 a week of 1.0"}} })
				return l
			}
			l := live(later(0))
			for i, step := range steps {
				if i == dies {
					l.die()
					l = live(later(time.Duration(i) * minute))
				}
				step(l)
			}
			l.die()
			digests := 0
			for _, body := range box.bodies {
				if strings.Contains(body, alert.DigestAlertname) {
					digests++
					if !strings.Contains(body, "1 alert of 1 signal, 1 over within 10 minutes") || !strings.Contains(body, "x: 3.0 a week of 1.0") {
						t.Errorf("killed before step %d: %s", dies, body)
					}
				}
			}
			if digests != 1 {
				t.Errorf("killed before step %d: %d digests", dies, digests)
			}
		})
	}
}
