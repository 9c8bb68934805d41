package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/common/model"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// The stories that Alertmanager's own acceptance tests tell, under their names, for the whole way from a tick to a
// receiver, on simulated time. The two about clusters are told in pkg/alert/alertmanager, to a real one.

// stage runs grouping and delivery as an instance does.
type stage struct {
	t       *testing.T
	path    string
	began   time.Time
	resolve bool
	route   amconfig.Route
	answer  func(ctx context.Context) error // of the receiver, nil accepts

	db   *bbolt.DB
	a    *Announcer
	stop func()

	mu    sync.Mutex
	heard []string
}

func onStage(t *testing.T, play func(*stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		wait, interval, repeat := model.Duration(time.Second), model.Duration(time.Second), model.Duration(time.Hour)
		s := &stage{
			t: t, path: filepath.Join(t.TempDir(), "ledger"), began: time.Now(), resolve: true,
			route: amconfig.Route{Receiver: "default", GroupBy: []model.LabelName{}, GroupWait: &wait, GroupInterval: &interval, RepeatInterval: &repeat},
		}
		play(s)
		s.ends()
	})
}

func (s *stage) opens() {
	s.t.Helper()
	var err error
	if s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{NoSync: true}); err != nil {
		s.t.Fatal(err)
	}
	d := outbox.NewDeliverer(outbox.Options{DB: s.db})
	if s.a, err = NewAnnouncer(s.db, d, discard()); err != nil {
		s.t.Fatal(err)
	}
	s.configure()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.a.Run(ctx, time.Now) })
	wg.Go(func() { _ = d.Run(ctx) })
	s.stop = func() {
		cancel()
		wg.Wait()
		if err := s.db.Close(); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *stage) ends() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func (s *stage) configure() {
	s.t.Helper()
	receiver := s.route.Receiver
	o := webhook.PayloadOptions{SendResolved: s.resolve}
	err := s.a.Configure(time.Now().UnixMilli(), alert.Routing{Route: dispatch.NewRoute(&s.route, nil)}, []outbox.Endpoint{{
		Name: receiver + "/0", Receiver: receiver, SendResolved: s.resolve,
		Encode: func(n *alert.Notification) ([]byte, bool, error) { return webhook.Encode(n, o) },
		Send: func(ctx context.Context, _ string, body []byte) error {
			if s.answer != nil {
				if err := s.answer(ctx); err != nil {
					return err
				}
			}
			var m amwebhook.Message
			if err := json.Unmarshal(body, &m); err != nil {
				s.t.Error(err)
			}
			line := fmt.Sprintf("%s %s:", time.Since(s.began).Round(100*time.Millisecond), m.Receiver)
			for _, a := range m.Alerts {
				line += " " + a.Status + " " + a.Labels["pod"]
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.heard = append(s.heard, line)
			return nil
		},
	}}, outbox.Limits{})
	if err != nil {
		s.t.Fatal(err)
	}
}

// at lets time run until an instant and commits a tick there.
func (s *stage) at(when time.Duration, ts ...Transition) {
	s.t.Helper()
	time.Sleep(time.Until(s.began.Add(when)))
	if err := s.db.Update(func(tx *bbolt.Tx) error { return s.a.Put(tx, time.Now().UnixMilli(), ts) }); err != nil {
		s.t.Fatal(err)
	}
	s.a.Committed()
	synctest.Wait()
}

func (s *stage) want(lines ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.heard, lines) {
		s.t.Errorf("heard\n\t%s\nwant\n\t%s", strings.Join(s.heard, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

func (s *stage) firing(pod string) Transition {
	t := firing(pod, 0)
	t.StartsAt = s.began.UnixMilli()
	return t
}

func (s *stage) over(pod string, after time.Duration) Transition {
	t := s.firing(pod)
	t.Firing, t.EndsAt = false, s.began.Add(after).UnixMilli()
	return t
}

func TestRepeat(t *testing.T) {
	onStage(t, func(s *stage) {
		s.opens()
		s.at(0, s.firing("a"))
		s.at(150 * minute)
		s.want("1s default: firing a", "1h0m1s default: firing a", "2h0m1s default: firing a")
	})
}

func TestRetry(t *testing.T) {
	onStage(t, func(s *stage) {
		failures := 3
		s.answer = func(context.Context) error {
			if failures--; failures >= 0 {
				return &webhook.Failure{Status: 500, Class: webhook.ClassServer, Err: io.ErrUnexpectedEOF}
			}
			return nil
		}
		s.opens()
		s.at(0, s.firing("a"))
		s.at(10 * second)
		if len(s.heard) != 1 || !strings.HasSuffix(s.heard[0], "default: firing a") {
			t.Errorf("heard %q", s.heard)
		}
	})
}

func TestBatching(t *testing.T) {
	onStage(t, func(s *stage) {
		wait, interval := model.Duration(time.Second), model.Duration(5*time.Second)
		s.route.GroupWait, s.route.GroupInterval = &wait, &interval
		s.opens()
		s.at(0, s.firing("a"))
		s.at(500*time.Millisecond, s.firing("b"))
		s.at(2*second, s.firing("c"))
		s.at(4*second, s.firing("d"))
		s.at(20 * second)
		s.want("1s default: firing a firing b", "6s default: firing a firing b firing c firing d")
	})
}

func TestResolved(t *testing.T) {
	onStage(t, func(s *stage) {
		s.opens()
		s.at(0, s.firing("a"), s.firing("b"))
		s.at(9500*time.Millisecond, s.over("a", 9*second))
		s.at(19500*time.Millisecond, s.over("b", 19*second))
		s.at(2 * time.Hour)
		s.want("1s default: firing a firing b", "10s default: resolved a firing b", "20s default: resolved b")
	})
}

func TestResolvedFilter(t *testing.T) {
	onStage(t, func(s *stage) {
		s.resolve = false
		s.opens()
		s.at(0, s.firing("a"), s.firing("b"))
		s.at(9500*time.Millisecond, s.over("a", 9*second), s.firing("c"))
		s.at(19500*time.Millisecond, s.over("b", 19*second))
		s.at(29500*time.Millisecond, s.over("c", 29*second))
		s.at(2 * time.Hour)
		s.want("1s default: firing a firing b", "10s default: firing b firing c")
	})
}

// TestColdStart starts again while an alert fires: it is not told anew, and its end is told.
func TestColdStart(t *testing.T) {
	onStage(t, func(s *stage) {
		s.opens()
		s.at(0, s.firing("a"))
		s.at(5 * second)
		s.ends()
		time.Sleep(minute)
		s.opens()
		s.at(70*second, s.firing("a")) // recovery finds it again
		s.at(79500*time.Millisecond, s.firing("b"))
		s.at(89500*time.Millisecond, s.over("a", 89*second))
		s.at(100 * second)
		s.want("1s default: firing a", "1m20s default: firing a firing b", "1m30s default: resolved a firing b")
	})
}

func TestReloadOfRoutes(t *testing.T) {
	onStage(t, func(s *stage) {
		s.opens()
		s.at(0, s.firing("a"))
		s.at(5 * second)
		s.configure() // the same once more is no news
		s.at(10 * second)
		s.route.Receiver = "other"
		s.configure()
		s.at(20 * second)
		s.want("1s default: firing a", "11s other: firing a")
	})
}

// TestWebhookTimeout hangs over a real connection.
func TestWebhookTimeout(t *testing.T) {
	posts := make(chan struct{}, 10)
	release := make(chan struct{})
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		posts <- struct{}{}
		if calls.Add(1) == 1 {
			<-release
		}
	}))
	defer server.Close()
	defer close(release)
	s, err := webhook.NewSender("shop", webhook.SenderOptions{URL: server.URL, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l := begin(t, filepath.Join(t.TempDir(), "ledger"), later(0), s.Send)
	l.tick(later(0), firing("a", 0))
	l.advance(later(0))
	l.advance(later(31 * second))
	stop := l.delivering()
	defer stop()
	<-posts
	select {
	case <-posts:
	case <-time.After(10 * second):
		t.Error("a receiver that hangs is not asked again")
	}
}
