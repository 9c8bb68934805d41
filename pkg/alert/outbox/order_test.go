package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert/webhook"
)

// answer is what a receiver says to a body: a status, 200 accepts.
type desk struct {
	mu     sync.Mutex
	answer func(body string) int
	posts  []post
	last   time.Time // of them
	flying int
	most   int // posts at once
}

type post struct {
	id, body string
	status   int
}

func (d *desk) send(_ context.Context, id string, body []byte) error {
	d.mu.Lock()
	d.flying++
	d.most = max(d.most, d.flying)
	d.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flying--
	status := d.answer(string(body))
	d.last = time.Now()
	d.posts = append(d.posts, post{id, string(body), status})
	if status == 200 {
		return nil
	}
	return &webhook.Failure{Class: webhook.ClassOther, Status: status, Err: fmt.Errorf("status %d", status)}
}

// say changes what is answered.
func (d *desk) say(answer func(body string) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

func (d *desk) accepted() (bodies []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.posts {
		if p.status == 200 {
			bodies = append(bodies, p.body)
		}
	}
	return bodies
}

func (d *desk) endpoint(name string) Endpoint {
	receiver, _, _ := strings.Cut(name, "/")
	return Endpoint{Name: name, Receiver: receiver, SendResolved: true, Encode: encode, Send: d.send}
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// always answers the same until it is changed.
func always(status *atomic.Int64) func(string) int {
	return func(string) int { return int(status.Load()) }
}

// saying is what a receiver says until it is changed.
func saying(status int) *atomic.Int64 {
	s := &atomic.Int64{}
	s.Store(int64(status))
	return s
}

func TestWhatWasTriedNeverChangesAndWhatWaitsTakesUpNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := saying(500)
		d := &desk{answer: always(status)}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "a"))
		pass(time.Second)
		b.tell(t, told("r", "g", "a", "b"))
		b.tell(t, told("r", "g", "-a", "b"))
		b.tell(t, told("r", "g", "b", "c")) // the group has forgotten a, whose end nobody has heard
		pass(time.Minute)
		if n := len(bodies(t, b.db, Pending)); n != 2 {
			t.Errorf("%d deliveries wait, want the one that was tried and one behind", n)
		}
		status.Store(200)
		pass(10 * time.Minute)
		want(t, "accepted", d.accepted(), "a", "-a b c")
		for _, p := range d.posts[:len(d.posts)-1] {
			if p.body != "a" || p.id != d.posts[0].id {
				t.Errorf("sent %q as %s after %s", p.body, p.id, d.posts[0].id)
			}
		}
		if last := d.posts[len(d.posts)-1]; last.id == d.posts[0].id {
			t.Error("two bodies have one id")
		}
	})
}

func TestATooLargeNotificationIsHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{answer: func(body string) int {
			if strings.Count(body, " ") > 0 {
				return 413
			}
			return 200
		}}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "a", "b", "c"))
		b.tell(t, told("r", "g", "-a", "-b", "-c", "d", "e"))
		pass(time.Minute)
		want(t, "accepted", d.accepted(), "a", "b", "c", "-a", "-b", "-c", "d", "e")
		first := d.posts[0].id
		var ids []string
		for _, p := range d.posts {
			if p.status == 200 && strings.HasPrefix(p.id, first) {
				ids = append(ids, strings.TrimPrefix(p.id, first))
			}
		}
		want(t, "ids of the halves", ids, ".1.1", ".1.2", ".2")
	})
}

// TestHalvesOutliveARestart splits, and dies before any half was accepted.
func TestHalvesOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		d.answer = func(body string) int {
			if strings.Count(body, " ") > 0 {
				return 413
			}
			return 503
		}
		db := create(t)
		b := prepared(db, []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "a", "b"))
		pass(time.Second)
		b.stop()
		d.say(func(string) int { return 200 })
		prepared(db, []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		pass(time.Minute)
		want(t, "accepted", d.accepted(), "a", "b")
		if id := d.posts[len(d.posts)-1].id; id != d.posts[0].id+".2" {
			t.Errorf("the last half is %s of %s", id, d.posts[0].id)
		}
	})
}

// TestStatusClasses tells what becomes of a delivery that is answered the same for three days, and for two minutes.
func TestStatusClasses(t *testing.T) {
	for _, c := range []struct {
		status  int
		posts   int // until it is given up; 0 is until it is too old
		retried bool
	}{
		{500, 0, true},
		{502, 0, true},
		{503, 0, true},
		{408, 0, true},
		{425, 0, true},
		{429, 0, true},
		{301, 0, true},
		{307, 0, true},
		{400, 4, true},
		{401, 4, true},
		{403, 4, true},
		{404, 4, true},
		{405, 4, true},
		{413, 4, true},
		{415, 4, true},
		{418, 4, true},
		{422, 4, true},
		{410, 1, false},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				status := saying(c.status)
				d := &desk{answer: always(status)}
				b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
				b.tell(t, told("r", "g", "a"))
				pass(73 * time.Hour)
				want(t, "dead letters", letters(t, b.db), "a")
				if n := len(d.posts); c.posts > 0 && n != c.posts || c.posts == 0 && n < 500 {
					t.Errorf("%d posts", n)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				status := saying(c.status)
				d := &desk{answer: always(status)}
				b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
				b.tell(t, told("r", "g", "a"))
				pass(30 * time.Second)
				status.Store(200)
				pass(6 * time.Minute)
				if c.retried {
					want(t, "accepted", d.accepted(), "a")
				} else {
					want(t, "accepted", d.accepted())
				}
			})
		})
	}
}

func TestAnEndpointThatIsGoneIsDisabledUntilAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := saying(410)
		d := &desk{answer: always(status)}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "a"), told("r", "h", "b"))
		pass(time.Second)
		b.tell(t, told("r", "g", "c"))
		pass(2 * time.Minute)
		posts := len(d.posts)
		dead := letters(t, b.db)
		slices.Sort(dead)
		want(t, "dead letters", dead, "a", "b", "c")
		pass(time.Hour)
		if len(d.posts) != posts || posts > 2 {
			t.Errorf("%d posts, then %d", posts, len(d.posts))
		}
		status.Store(200)
		b.SetEndpoints([]Endpoint{d.endpoint("r/0")}, Limits{})
		b.tell(t, told("r", "g", "d"))
		pass(time.Second)
		want(t, "accepted", d.accepted(), "d")
	})
}

func TestTheEndIsToldWhenTheBeginIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{answer: func(body string) int {
			if body == "a" {
				return 400
			}
			return 200
		}}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "a"))
		pass(time.Second)
		b.tell(t, told("r", "g", "-a"))
		pass(time.Minute)
		want(t, "accepted before its begin is given up", d.accepted())
		pass(time.Hour)
		want(t, "accepted", d.accepted(), "-a")
		want(t, "dead letters", letters(t, b.db), "a")
	})
}

// TestAnEndIsNotMergedAwayFromWhoHearsOfBeginsAlone keeps the begin that nobody has heard.
func TestAnEndIsNotMergedAwayFromWhoHearsOfBeginsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := saying(500)
		d := &desk{answer: always(status)}
		e := d.endpoint("r/0")
		e.SendResolved = false
		b := prepared(create(t), []Endpoint{e}, Limits{}).run(t)
		b.tell(t, told("r", "g", "a"))
		pass(time.Second)
		b.tell(t, told("r", "g", "a", "b"))
		b.tell(t, told("r", "g", "-a", "-b"))
		status.Store(200)
		pass(10 * time.Minute)
		want(t, "accepted", d.accepted(), "a", "a b")
	})
}

// TestAPoisonedMessageHoldsUpNoOther sends to a receiver that breaks on one of them.
func TestAPoisonedMessageHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{answer: func(body string) int {
			if body == "poison" {
				return 500
			}
			return 200
		}}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "poison"))
		pass(10 * time.Minute) // long enough for the circuit to open
		for i := range 20 {
			b.tell(t, told("r", fmt.Sprint(i), fmt.Sprint(i)))
		}
		pass(2 * time.Minute)
		if n := len(d.accepted()); n != 20 {
			t.Errorf("%d of 20 accepted", n)
		}
	})
}

// TestTenThousandGroupsDrainInOrder waits out six hours of 500 and measures what that costs the receiver and us.
func TestTenThousandGroupsDrainInOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of work under the race detector")
	}
	synctest.Test(t, func(t *testing.T) {
		const groups = 10_000
		status := saying(500)
		d := &desk{answer: always(status)}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		for i := range groups / 100 {
			var all []func(*bbolt.Tx) error
			for k := range 100 {
				all = append(all, func(tx *bbolt.Tx) error {
					name := fmt.Sprintf("%05d", i*100+k)
					return b.Enqueue(tx, time.Now().UnixMilli(), told("r", name, name))
				})
			}
			update(t, b.db, func(tx *bbolt.Tx) (err error) {
				for _, f := range all {
					err = errors.Join(err, f(tx))
				}
				return err
			})
			pass(10 * time.Millisecond)
		}
		pass(6 * time.Hour)
		if n := len(d.posts); n > 6*60*3 {
			t.Errorf("%d posts in six hours of failure: the circuit is not open", n)
		}
		failed := len(d.posts)
		status.Store(200)
		recovered := time.Now()
		pass(5 * time.Minute)
		got, last := d.accepted(), d.last
		if len(got) != groups {
			t.Errorf("%d of %d accepted five minutes after the recovery", len(got), groups)
		}
		farthest := 0
		probe, _ := strconv.Atoi(got[0]) // whose turn it was when the receiver came back
		for i, name := range got[1:] {
			at, _ := strconv.Atoi(name)
			if at > probe {
				at--
			}
			farthest = max(farthest, i-at, at-i)
		}
		if farthest >= PerEndpoint { // so many are on their way at once
			t.Errorf("a group came %d places from where it stood", farthest)
		}
		if d.most > PerEndpoint {
			t.Errorf("%d posts at once", d.most)
		}
		t.Logf("%d groups, %d posts in 6 h of 500, drained within %s of simulated time, none more than %d places from where it stood", groups, failed, last.Sub(recovered), farthest)
	})
}

func TestAnOutboxThatIsFullSpillsIntoTheDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := saying(500)
		d := &desk{answer: always(status)}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{MaxBytes: 4000}).run(t)
		for i := range 20 {
			b.tell(t, told("r", fmt.Sprint(i), fmt.Sprint(i)))
			pass(time.Second)
		}
		dead, waits := letters(t, b.db), bodies(t, b.db, Pending)
		if len(dead) < 5 || len(waits) < 5 || len(dead)+len(waits) != 20 {
			t.Errorf("%d dead letters, %d wait", len(dead), len(waits))
		}
		if n := b.Dead()["r/0"]; n != len(dead) {
			t.Errorf("%d dead letters are counted, want %d", n, len(dead))
		}
	})
}
