package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// announceStart is when the stories of this file begin.
var announceStart = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func later(d time.Duration) int64 { return announceStart.Add(d).UnixMilli() }

// announceRoute waits 30 s, tells news every 5 minutes and repeats every hour.
func announceRoute(groupBy ...model.LabelName) *dispatch.Route {
	wait, interval, repeat := model.Duration(30*time.Second), model.Duration(5*time.Minute), model.Duration(time.Hour)
	return dispatch.NewRoute(&amconfig.Route{
		Receiver: "shop", GroupBy: append([]model.LabelName{}, groupBy...), GroupWait: &wait, GroupInterval: &interval, RepeatInterval: &repeat,
	}, nil)
}

// mailbox keeps the bodies that arrived at a receiver, in order.
type mailbox struct {
	mu     sync.Mutex
	bodies []string
}

func (m *mailbox) accept(_ context.Context, _ string, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bodies = append(m.bodies, string(body))
	return nil
}

// lines puts what each message says into a line.
func (m *mailbox) lines(t *testing.T) (all []string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, body := range m.bodies {
		all = append(all, announced(t, []byte(body)))
	}
	return all
}

func announced(t *testing.T, body []byte) string {
	t.Helper()
	var msg amwebhook.Message
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&msg); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	line := msg.NotificationReason + ":"
	for _, a := range msg.Alerts {
		line += fmt.Sprintf(" %s %s@%s", a.Status, a.Labels["pod"], a.StartsAt.Sub(announceStart))
		if a.Status == "resolved" {
			line += fmt.Sprintf("..%s", a.EndsAt.Sub(announceStart))
		}
	}
	return line
}

// life is one process over the file that outlives it.
type life struct {
	t    *testing.T
	db   *bbolt.DB
	a    *Announcer
	d    *outbox.Deliverer
	owed []Transition // of ticks that could not be committed
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func refuses(context.Context, string, []byte) error { return errors.New("down") }

// delivering sends what is pending until it is stopped.
func (l *life) delivering() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.d.Run(ctx) // it has no error to give
	}()
	return func() {
		cancel()
		<-done
	}
}

func begin(t *testing.T, path string, now int64, send outbox.Send) *life {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the death of most lives has closed it
	l := &life{t: t, db: db, d: outbox.NewDeliverer(outbox.Options{DB: db})}
	if l.a, err = NewAnnouncer(db, l.d, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	l.configure(now, announceRoute("alertname"), send)
	return l
}

func (l *life) configure(now int64, route *dispatch.Route, send outbox.Send) {
	l.t.Helper()
	err := l.a.Configure(now, alert.Routing{Route: route}, []outbox.Endpoint{{
		Name: "shop/0", Receiver: "shop", SendResolved: true, Send: send,
		Encode: func(n *alert.Notification) ([]byte, bool, error) {
			return webhook.Encode(n, webhook.PayloadOptions{SendResolved: true})
		},
	}}, outbox.Limits{})
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) die() {
	l.t.Helper()
	if err := l.db.Close(); err != nil {
		l.t.Fatal(err)
	}
}

// tick commits transitions as an instance does.
func (l *life) tick(now int64, ts ...Transition) {
	l.t.Helper()
	if err := l.db.Update(func(tx *bbolt.Tx) error { return l.a.Put(tx, now, ts) }); err != nil {
		l.t.Fatal(err)
	}
	l.a.Committed()
}

func (l *life) advance(now int64) {
	l.t.Helper()
	if _, err := l.a.Advance(now); err != nil {
		l.t.Fatal(err)
	}
}

// deliver sends everything that is pending. Call it in a bubble of simulated time.
func (l *life) deliver() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.d.Run(ctx) // it has no error to give
	}()
	synctest.Wait()
	cancel()
	<-done
}

func firing(pod string, start time.Duration) Transition {
	return Transition{
		Words:  Words{Labels: map[string]string{"alertname": "X", "pod": pod}, Annotations: map[string]string{"summary": pod + " is slow"}},
		Firing: true, StartsAt: later(start),
	}
}

func over(pod string, start, end time.Duration) Transition {
	t := firing(pod, start)
	t.Firing, t.EndsAt = false, later(end)
	return t
}

const (
	second = time.Second
	minute = time.Minute
)

// announceStory is ticks, groupings and deliveries, each a step of its own: between any two of them a process may die.
var announceStory = []func(*life){
	func(l *life) { l.tick(later(0), firing("a", 0)) },
	func(l *life) { l.advance(later(second)) },
	func(l *life) { l.advance(later(31 * second)) },
	(*life).deliver,
	func(l *life) { l.tick(later(minute), firing("b", minute)) },
	func(l *life) { l.tick(later(2*minute), over("a", 0, 2*minute), firing("d", 2*minute)) },
	func(l *life) { l.advance(later(3 * minute)) },
	func(l *life) { l.tick(later(4*minute), over("d", 2*minute, 4*minute)) },
	func(l *life) { l.advance(later(5*minute + 31*second)) },
	func(l *life) { l.tick(later(6*minute), firing("a", 6*minute)) },
	(*life).deliver,
	func(l *life) { l.advance(later(11 * minute)) },
	func(l *life) { l.tick(later(12*minute), over("a", 6*minute, 12*minute), over("b", minute, 12*minute)) },
	func(l *life) { l.advance(later(17 * minute)) },
	(*life).deliver,
	func(l *life) { l.advance(later(30 * minute)) },
	(*life).deliver,
}

var announceWant = []string{
	"first notification: firing a@0s",
	"new alerts added: resolved a@0s..2m0s firing b@1m0s resolved d@2m0s..4m0s",
	"new alerts added: firing a@6m0s firing b@1m0s",
	"all alerts resolved: resolved a@6m0s..12m0s resolved b@1m0s..12m0s",
}

func TestAnnounceOutlivesDeathBetweenAnyTwoSteps(t *testing.T) {
	check := func(name string, dies func(step int) bool) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "ledger")
				var m mailbox
				l := begin(t, path, later(0), m.accept)
				now := later(0)
				for i, step := range announceStory {
					step(l)
					if dies(i) {
						l.die()
						l = begin(t, path, now, m.accept)
						// Recovery steps through the recorded points again and finds the same transitions.
						l.tick(now, firing("a", 0))
					}
				}
				if got := m.lines(t); !slices.Equal(got, announceWant) {
					t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(announceWant, "\n\t"))
				}
			})
		})
	}
	check("never", func(int) bool { return false })
	check("always", func(int) bool { return true })
	for i := range announceStory {
		check(fmt.Sprint("after ", i), func(step int) bool { return step == i })
	}
}

// TestAnnounceOutlivesDeathWithinADelivery goes on from what is on disk when a body arrives: it is sent again, byte by
// byte, and nothing else is.
func TestAnnounceOutlivesDeathWithinADelivery(t *testing.T) {
	for victim := range announceWant {
		t.Run(fmt.Sprint(victim), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				var m mailbox
				var l *life
				died := false
				rest := filepath.Join(dir, "rest")
				l = begin(t, filepath.Join(dir, "ledger"), later(0), func(ctx context.Context, id string, body []byte) error {
					if err := m.accept(ctx, id, body); err != nil || len(m.bodies) <= victim {
						return err
					}
					died = true
					if err := l.db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(rest, 0o600) }); err != nil {
						t.Error(err)
					}
					<-ctx.Done() // the dead do nothing
					return ctx.Err()
				})
				for _, step := range announceStory {
					before := died
					step(l)
					if died && !before {
						l.die()
						l = begin(t, rest, later(0), m.accept)
						l.deliver()
					}
				}
				want := slices.Insert(slices.Clone(announceWant), victim, announceWant[victim])
				if got := m.lines(t); !slices.Equal(got, want) {
					t.Errorf("told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
				}
				if m.bodies[victim] != m.bodies[victim+1] {
					t.Errorf("sent again as\n%s\nafter\n%s", m.bodies[victim+1], m.bodies[victim])
				}
			})
		})
	}
}

// TestAnnounceToAReceiver goes all the way: a tick's transaction, the running loops, a real connection.
func TestAnnounceToAReceiver(t *testing.T) {
	arrived := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		arrived <- announced(t, body)
	}))
	defer server.Close()
	sender, err := webhook.NewSender("shop", webhook.SenderOptions{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	l := begin(t, filepath.Join(t.TempDir(), "ledger"), later(0), sender.Send)
	now := clockAt(later(0))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = l.a.Run(ctx, now.read) })
	wg.Go(func() { _ = l.d.Run(ctx) })
	step := func(at time.Duration, want string, ts ...Transition) {
		t.Helper()
		now.set(later(at))
		l.tick(later(at), ts...)
		if want == "" {
			return
		}
		if got := <-arrived; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	step(0, "", firing("a", 0))
	// Until the loop has seen it, the wait of the group has not begun.
	for deadline := time.Now().Add(10 * second); len(l.pending()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the loop does not take what is queued")
		}
	}
	step(31*second, "first notification: firing a@0s", firing("a", 0))
	step(6*minute, "all alerts resolved: resolved a@0s..3m0s", firing("a", 0), over("a", 0, 3*minute))
	cancel()
	wg.Wait()
}

// pending is what is queued for the grouping.
func (l *life) pending() []alert.Transition {
	l.t.Helper()
	l.a.mu.Lock()
	defer l.a.mu.Unlock()
	ts, _, err := l.a.queued()
	if err != nil {
		l.t.Fatal(err)
	}
	return ts
}

// testClock is a wall clock that is set by hand.
type testClock struct {
	mu sync.Mutex
	ms int64
}

func clockAt(ms int64) *testClock { return &testClock{ms: ms} }

func (c *testClock) set(ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ms = ms
}

func (c *testClock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.UnixMilli(c.ms)
}

func TestAnnounceTransitionsOfferedTwiceAreSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m mailbox
		l := begin(t, filepath.Join(t.TempDir(), "ledger"), later(0), m.accept)
		for i := range 4 {
			l.tick(later(0), firing("a", 0), firing("a", 0))
			l.tick(later(10*second), over("a", 0, 10*second), firing("a", 0))
			l.advance(later(time.Duration(i) * 10 * minute))
			l.deliver()
		}
		if got, want := m.lines(t), []string{"all alerts resolved: resolved a@0s..10s"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestAnnounceLosesNothingPutMeanwhile lets ticks commit while the grouping is at work.
func TestAnnounceLosesNothingPutMeanwhile(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "ledger"), later(0), nil)
	const ticks = 300
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				l.advance(later(0))
			}
		}
	})
	for i := range ticks {
		l.tick(later(0), firing(fmt.Sprint(i), 0))
	}
	close(stop)
	wg.Wait()
	l.advance(later(0))
	firing, _ := l.a.Episodes()
	if len(firing) != ticks {
		t.Errorf("%d of %d transitions came through", len(firing), ticks)
	}
}

// TestAnnounceOnAFullDisk tells once there is room again what could not be stored before.
func TestAnnounceOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m mailbox
		l := begin(t, filepath.Join(t.TempDir(), "ledger"), later(0), m.accept)
		big := firing("a", 0)
		big.Annotations["description"] = strings.Repeat("x", 1<<20)
		l.tick(later(0), big)
		l.advance(later(0))
		l.db.MaxSize = 1 << 20
		if _, err := l.a.Advance(later(31 * second)); err == nil {
			t.Fatal("the disk is not full")
		}
		if _, err := l.a.Advance(later(32 * second)); err == nil {
			t.Fatal("what could not be stored is forgotten")
		}
		if firing, _ := l.a.Episodes(); len(firing) != 1 {
			t.Errorf("%d alerts fire", len(firing))
		}
		l.deliver()
		l.db.MaxSize = 0
		l.configure(later(33*second), announceRoute("alertname"), m.accept) // a reload in between
		l.advance(later(40 * second))
		l.deliver()
		if got, want := m.lines(t), []string{"first notification: firing a@0s"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestAnnounceNobodyBeforeConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger")
		var m mailbox
		l := begin(t, path, later(0), m.accept)
		l.tick(later(0), firing("a", 0))
		l.advance(later(0))
		l.die()

		db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		l = &life{t: t, db: db, d: outbox.NewDeliverer(outbox.Options{DB: db})}
		defer l.die()
		if l.a, err = NewAnnouncer(db, l.d, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		l.tick(later(minute), firing("b", minute))
		l.advance(later(minute))
		l.deliver()
		// What is recovered asks who fires before there is a configuration.
		var pods []string
		l.a.Firing(func(labels map[string]string, startsAt int64) {
			pods = append(pods, fmt.Sprint(labels["pod"], "@", time.UnixMilli(startsAt).Sub(announceStart)))
		})
		if want := []string{"a@0s", "b@1m0s"}; !slices.Equal(pods, want) {
			t.Errorf("firing %v, want %v", pods, want)
		}
		l.configure(later(minute), announceRoute("alertname"), m.accept)
		l.advance(later(minute))
		l.deliver()
		if got, want := m.lines(t), []string{"first notification: firing a@0s firing b@1m0s"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestAnnounceReloadWhileTheReceiverIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m mailbox
		down := func(context.Context, string, []byte) error { return errors.New("down") }
		l := begin(t, filepath.Join(t.TempDir(), "ledger"), later(0), down)
		l.tick(later(0), firing("a", 0))
		l.advance(later(0))
		l.advance(later(30 * second))
		l.deliver()
		l.configure(later(minute), announceRoute("alertname"), m.accept)
		time.Sleep(minute)
		l.deliver()
		if got, want := m.lines(t), []string{"first notification: firing a@0s"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestAnnounceShowsWhatIsOver(t *testing.T) {
	l := begin(t, filepath.Join(t.TempDir(), "ledger"), later(0), nil)
	for i := range ended + 5 {
		at := time.Duration(i) * minute
		l.tick(later(at), firing("a", at), over("a", at, at+second))
		l.advance(later(at))
	}
	l.tick(later(0), firing("b", 0))
	firing, over := l.a.Episodes()
	if len(firing) != 1 || firing[0].Labels["pod"] != "b" {
		t.Errorf("firing: %v", firing)
	}
	if len(over) != ended || over[0].StartsAt != later(5*minute) {
		t.Errorf("%d are over, the oldest since %s", len(over), time.UnixMilli(over[0].StartsAt).Sub(announceStart))
	}
}
