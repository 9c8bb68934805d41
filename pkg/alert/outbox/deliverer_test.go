package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a deliverer at work.
type bench struct {
	*Deliverer
	db   *bbolt.DB
	reg  *prometheus.Registry
	log  *bytes.Buffer
	stop func()
}

// sends are endpoints that put the names of the alerts into a line, those that ended with a minus.
func sends(m map[string]func(context.Context, []byte) error) (es []Endpoint) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		receiver, _, _ := strings.Cut(name, "/")
		send := m[name]
		es = append(es, Endpoint{
			Name: name, Receiver: receiver, SendResolved: true, Encode: encode,
			Send: func(ctx context.Context, _ string, body []byte) error { return send(ctx, body) },
		})
	}
	return es
}

func encode(n *alert.Notification) ([]byte, bool, error) {
	names := make([]string, len(n.Alerts))
	for i, a := range n.Alerts {
		if names[i] = a.Labels["pod"]; !a.Firing {
			names[i] = "-" + names[i]
		}
	}
	return []byte(strings.Join(names, " ")), len(names) > 0, nil
}

// told is a notification of a receiver's group about pods; those with a minus have ended.
func told(receiver, group string, pods ...string) *alert.Notification {
	n := &alert.Notification{Receiver: receiver, GroupKey: group, Reason: alert.ReasonNew}
	for _, pod := range pods {
		name, ended := strings.CutPrefix(pod, "-")
		tr := begin(name, 1)
		if tr.Firing = !ended; ended {
			tr.EndsAt = 2
		}
		n.Alerts = append(n.Alerts, alert.Episode{Transition: tr, Fingerprint: alert.Fingerprint(tr.Labels)})
	}
	return n
}

func prepared(db *bbolt.DB, es []Endpoint, l Limits) *bench {
	b := &bench{db: db, reg: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	b.Deliverer = NewDeliverer(Options{DB: db, Logger: slog.New(slog.NewTextHandler(b.log, nil)), Registerer: b.reg, Now: time.Now})
	b.SetEndpoints(es, l)
	return b
}

func (b *bench) run(t *testing.T) *bench {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func start(t *testing.T, db *bbolt.DB, m map[string]func(context.Context, []byte) error) *bench {
	t.Helper()
	return prepared(db, sends(m), Limits{}).run(t)
}

// tell puts a notification into the outbox.
func (b *bench) tell(t *testing.T, ns ...*alert.Notification) {
	t.Helper()
	update(t, b.db, func(tx *bbolt.Tx) error {
		for _, n := range ns {
			if err := b.Enqueue(tx, time.Now().UnixMilli(), n); err != nil {
				return err
			}
		}
		return nil
	})
}

// pass lets simulated time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// enqueue puts notifications into the outbox before there is a deliverer, each of one alert.
func enqueue(t *testing.T, db *bbolt.DB, endpoint, group string, pods ...string) {
	t.Helper()
	receiver, _, _ := strings.Cut(endpoint, "/")
	e := &Endpoint{Name: endpoint, Receiver: receiver, SendResolved: true, Encode: encode}
	update(t, db, func(tx *bbolt.Tx) error {
		for _, pod := range pods {
			if err := add(tx, e, time.Now().UnixMilli(), told(receiver, group, pod), nil, whole(t)); err != nil {
				return err
			}
		}
		return nil
	})
}

// letters are the bodies of the dead letters.
func letters(t *testing.T, db *bbolt.DB) (all []string) {
	t.Helper()
	update(t, db, func(tx *bbolt.Tx) error {
		ls, err := DeadLetters(tx, whole(t))
		for i := range ls {
			all = append(all, string(ls[i].Body))
		}
		return err
	})
	return all
}

func bodies(t *testing.T, db *bbolt.DB, list func(*bbolt.Tx, Damaged) ([]Delivery, error)) (all []string) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		ds, err := list(tx, whole(t))
		for _, d := range ds {
			all = append(all, string(d.Body))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// pen writes down what arrived.
type pen struct {
	mu    sync.Mutex
	lines []string
}

func (p *pen) write(body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, string(body))
}

func (p *pen) accept(_ context.Context, body []byte) error {
	p.write(body)
	return nil
}

func (p *pen) want(t *testing.T, lines ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.lines, lines) {
		t.Errorf("arrived %v, want %v", p.lines, lines)
	}
}

func (b *bench) metric(t *testing.T, text string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(b.reg, strings.NewReader(text), names...); err != nil {
		t.Error(err)
	}
}

func TestFirstInFirstOutWithinAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var p pen
		failures := 3
		flaky := func(_ context.Context, body []byte) error {
			if strings.HasPrefix(string(body), "a") && failures > 0 {
				failures--
				return errors.New("not now")
			}
			p.write(body)
			return nil
		}
		enqueue(t, db, "r/0", "a", "a1", "a2")
		enqueue(t, db, "r/0", "b", "b1")
		b := start(t, db, map[string]func(context.Context, []byte) error{"r/0": flaky})
		synctest.Wait()
		p.want(t, "b1") // does not wait for the group that fails
		b.tell(t, told("r", "a", "a3"))
		pass(time.Minute)
		p.want(t, "b1", "a1", "a2 a3") // what has not left takes up what is new
		if got := bodies(t, db, Pending); got != nil {
			t.Errorf("pending: %v", got)
		}
		b.metric(t, `# HELP baseliner_notifications_failed_total Posts that were not accepted, by reason.
# TYPE baseliner_notifications_failed_total counter
baseliner_notifications_failed_total{endpoint="r/0",reason="other"} 3
# HELP baseliner_notifications_total Attempted posts of notifications.
# TYPE baseliner_notifications_total counter
baseliner_notifications_total{endpoint="r/0"} 6
# HELP baseliner_outbox_pending Notifications that no receiver has accepted yet.
# TYPE baseliner_outbox_pending gauge
baseliner_outbox_pending{endpoint="r/0"} 0
`, "baseliner_notifications_total", "baseliner_notifications_failed_total", "baseliner_outbox_pending")
	})
}

func TestADeadEndpointStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var p pen
		release := make(chan struct{})
		var mu sync.Mutex
		inFlight, most := 0, 0
		hangs := func(context.Context, []byte) error {
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			mu.Unlock()
			<-release
			mu.Lock()
			inFlight--
			mu.Unlock()
			return nil
		}
		for i := range 20 {
			enqueue(t, db, "dead/0", fmt.Sprint(i), "x")
		}
		enqueue(t, db, "live/0", "g", "y")
		b := start(t, db, map[string]func(context.Context, []byte) error{"dead/0": hangs, "live/0": p.accept})
		synctest.Wait()
		p.want(t, "y")
		if most != PerEndpoint {
			t.Errorf("%d at once, want %d", most, PerEndpoint)
		}
		close(release)
		synctest.Wait()
		if got := bodies(t, db, Pending); got != nil {
			t.Errorf("pending: %v", got)
		}
		if most != PerEndpoint {
			t.Errorf("%d at once, want %d", most, PerEndpoint)
		}
		b.stop()
	})
}

func TestRetriesSendTheSameBytesAfterTheBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var at []time.Duration
		began := time.Now()
		enqueue(t, db, "r/0", "g", "body")
		start(t, db, map[string]func(context.Context, []byte) error{"r/0": func(_ context.Context, body []byte) error {
			if string(body) != "body" {
				t.Errorf("sent %q", body)
			}
			at = append(at, time.Since(began))
			switch len(at) {
			case 3:
				return &webhook.Failure{Class: webhook.ClassRateLimit, Status: 429, RetryAfter: 20 * time.Minute, Err: errors.New("slow down")}
			case 16:
				return nil
			}
			return errors.New("not now")
		}})
		pass(3 * time.Hour)
		if len(at) != 16 {
			t.Fatalf("%d attempts", len(at))
		}
		for i := 1; i < len(at); i++ {
			least, most := time.Second, min(firstDelay<<max(i-1-len(immediate), 0), longDelay)
			if i <= len(immediate) {
				least, most = immediate[i-1]/2, immediate[i-1]*3/2
			}
			if i >= breakAfter { // the endpoint is only probed
				most = max(most, min(firstDelay<<(i-breakAfter), longestProbe))
			}
			if i == 3 {
				least, most = 20*time.Minute, 20*time.Minute
			}
			if gap := at[i] - at[i-1]; gap < least-time.Millisecond || gap > most+time.Millisecond {
				t.Errorf("attempt %d came %s after the one before, want %s to %s", i+1, gap, least, most)
			}
		}
	})
}

func TestGivenUpAfterThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		began := time.Now()
		var p pen
		var last time.Duration
		enqueue(t, db, "r/0", "g", "old")
		b := start(t, db, map[string]func(context.Context, []byte) error{"r/0": func(_ context.Context, body []byte) error {
			if string(body) == "old" {
				last = time.Since(began)
				return errors.New("gone fishing")
			}
			p.write(body)
			return nil
		}})
		enqueue(t, db, "r/0", "g", "new")
		pass(73 * time.Hour)
		if last < giveUpAt-longDelay || last > giveUpAt+longDelay {
			t.Errorf("last tried after %s", last)
		}
		p.want(t, "new") // the group goes on
		if got := letters(t, db); !slices.Equal(got, []string{"old"}) {
			t.Errorf("dead letters: %v", got)
		}
		update(t, db, func(tx *bbolt.Tx) error {
			dead, err := DeadLetters(tx, whole(t))
			if err == nil && (dead[0].LastError != "gone fishing" || dead[0].Attempts < 800 || dead[0].Endpoint != "r/0") {
				t.Errorf("dead letter %+v", dead[0])
			}
			return err
		})
		b.metric(t, `# HELP baseliner_outbox_dead_letters_total Notifications given up and kept as dead letters.
# TYPE baseliner_outbox_dead_letters_total counter
baseliner_outbox_dead_letters_total{endpoint="r/0"} 1
`, "baseliner_outbox_dead_letters_total")
	})
}

// TestALongDowntimeGivesNothingUp finds a delivery older than three days that was never tried.
func TestALongDowntimeGivesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var p pen
		enqueue(t, db, "r/0", "g", "body")
		pass(100 * time.Hour)
		attempts := 0
		start(t, db, map[string]func(context.Context, []byte) error{"r/0": func(_ context.Context, body []byte) error {
			if attempts++; attempts < leastAttempts {
				return errors.New("the network is not up yet")
			}
			p.write(body)
			return nil
		}})
		pass(time.Hour)
		p.want(t, "body")
	})
}

func TestClockBackHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var p pen
		update(t, db, func(tx *bbolt.Tx) error {
			year := time.Now().AddDate(1, 0, 0).UnixMilli()
			d := Delivery{Endpoint: "r/0", Body: []byte("body"), Created: year, NextTry: year, Attempts: 1}
			return insert(tx.Bucket(bucketDeliveries), laneOf("r/0", ""), &d)
		})
		start(t, db, map[string]func(context.Context, []byte) error{"r/0": p.accept})
		synctest.Wait()
		p.want(t, "body")
	})
}

func TestRemovedEndpointGoesToTheDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var p pen
		refuses := func(context.Context, []byte) error { return errors.New("no") }
		enqueue(t, db, "gone/0", "g", "g1", "g2")
		enqueue(t, db, "stays/0", "g", "s1")
		b := start(t, db, map[string]func(context.Context, []byte) error{"gone/0": refuses, "stays/0": refuses})
		pass(time.Second)
		b.SetEndpoints(sends(map[string]func(context.Context, []byte) error{"stays/0": p.accept}), Limits{})
		pass(time.Minute)
		p.want(t, "s1")
		if got := letters(t, db); !slices.Equal(got, []string{"g1", "g2"}) {
			t.Errorf("dead letters: %v", got)
		}
		if got := bodies(t, db, Pending); got != nil {
			t.Errorf("pending: %v", got)
		}
		b.metric(t, `# HELP baseliner_outbox_pending Notifications that no receiver has accepted yet.
# TYPE baseliner_outbox_pending gauge
baseliner_outbox_pending{endpoint="stays/0"} 0
`, "baseliner_outbox_pending")
	})
}

// TestEndpointRemovedDuringAnAttempt lets the attempt end before it decides.
func TestEndpointRemovedDuringAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		release := make(chan struct{})
		enqueue(t, db, "gone/0", "g", "arrives", "does not")
		b := start(t, db, map[string]func(context.Context, []byte) error{"gone/0": func(context.Context, []byte) error { <-release; return nil }})
		synctest.Wait()
		b.SetEndpoints(nil, Limits{})
		synctest.Wait()
		if got := letters(t, db); got != nil {
			t.Errorf("dead letters during the attempt: %v", got)
		}
		close(release)
		synctest.Wait()
		if got := letters(t, db); !slices.Equal(got, []string{"does not"}) {
			t.Errorf("dead letters: %v", got)
		}
	})
}

func TestNothingLeavesBeforeEndpointsAreSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var p pen
		enqueue(t, db, "r/0", "g", "body")
		d := NewDeliverer(Options{DB: db})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		pass(time.Hour)
		if got := letters(t, db); got != nil {
			t.Errorf("dead letters: %v", got)
		}
		d.SetEndpoints(sends(map[string]func(context.Context, []byte) error{"r/0": p.accept}), Limits{})
		synctest.Wait()
		p.want(t, "body")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedRecordIsPassedOverAndReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		var p pen
		enqueue(t, db, "r/0", "g", "first", "second")
		update(t, db, func(tx *bbolt.Tx) error {
			k, v := tx.Bucket(bucketDeliveries).Cursor().First()
			v = slices.Clone(v)
			v[10] ^= 1
			return tx.Bucket(bucketDeliveries).Put(k, v)
		})
		b := start(t, db, map[string]func(context.Context, []byte) error{"r/0": p.accept})
		for range 5 {
			b.Wake()
			pass(time.Minute)
		}
		p.want(t, "second")
		b.metric(t, `# HELP baseliner_outbox_corrupt_records_total Records of the outbox that could not be read.
# TYPE baseliner_outbox_corrupt_records_total counter
baseliner_outbox_corrupt_records_total 1
`, "baseliner_outbox_corrupt_records_total")
		b.stop()
		if n := strings.Count(b.log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d errors are logged: %s", n, b.log)
		}
	})
}

// TestDeathAfterEveryDelivery goes on from what was on disk at the instant that each body arrived: before its
// acknowledgement was written. That body comes again, byte by byte; nothing else does, and nothing is missing.
func TestDeathAfterEveryDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		dir := t.TempDir()
		enqueue(t, db, "r/0", "g", "a", "b", "c", "d")
		all := []string{"a", "b c d"}
		var copies []string
		b := start(t, db, map[string]func(context.Context, []byte) error{"r/0": func(context.Context, []byte) error {
			path := filepath.Join(dir, fmt.Sprint(len(copies)))
			copies = append(copies, path)
			return db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, 0o600) })
		}})
		synctest.Wait()
		b.stop()
		if len(copies) != len(all) {
			t.Fatalf("%d deliveries", len(copies))
		}
		for i, path := range copies {
			var p pen
			next := start(t, open(t, path), map[string]func(context.Context, []byte) error{"r/0": p.accept})
			synctest.Wait()
			next.stop()
			p.want(t, all[i:]...)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		enqueue(t, db, "r/0", "g", "hangs")
		enqueue(t, db, "r/0", "h", "ends in time", "is not begun")
		b := start(t, db, map[string]func(context.Context, []byte) error{"r/0": func(ctx context.Context, body []byte) error {
			if string(body) == "hangs" {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(2 * time.Second)
			return nil
		}})
		pass(time.Second)
		stopping := time.Now()
		b.stop()
		if took := time.Since(stopping); took != grace {
			t.Errorf("stopping took %s, want %s", took, grace)
		}
		if got := bodies(t, db, Pending); !slices.Equal(got, []string{"hangs", "is not begun"}) {
			t.Errorf("pending: %v", got)
		}
		update(t, db, func(tx *bbolt.Tx) error {
			ds, err := Pending(tx, whole(t))
			if ds[0].Attempts != 0 {
				t.Errorf("the receiver is blamed for our stopping: %+v", ds[0])
			}
			return err
		})
	})
}

// TestRealReceiver is refused twice over a real connection.
func TestRealReceiver(t *testing.T) {
	answers := []int{500, 500, 200, 204}
	var p pen
	accepted := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.write(body)
		code := answers[0]
		answers = answers[1:]
		w.WriteHeader(code)
		if code == 204 {
			close(accepted)
		}
	}))
	defer server.Close()
	s, err := webhook.NewSender("r", webhook.SenderOptions{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	db := create(t)
	enqueue(t, db, "r/0", "g", "body", "next")
	b := start(t, db, map[string]func(context.Context, []byte) error{
		"r/0": func(ctx context.Context, body []byte) error { return s.Send(ctx, "msg_1", body) },
	})
	<-accepted
	b.stop()
	p.want(t, "body", "body", "body", "next")
	if got := bodies(t, db, Pending); got != nil {
		t.Errorf("pending: %v", got)
	}
}
