package outbox

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// keep stores an episode as the grouping does.
func keep(t *testing.T, db *bbolt.DB, n *alert.Notification) {
	t.Helper()
	update(t, db, func(tx *bbolt.Tx) error {
		for i := range n.Alerts {
			if err := put(tx.Bucket(bucketEpisodes), []byte(n.Alerts[i].Key()), &n.Alerts[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// refusing is a bench whose receiver has refused one notification about a and b for good.
func refusing(t *testing.T) (*bench, *desk, *atomic.Int64) {
	t.Helper()
	status := saying(400)
	d := &desk{answer: always(status)}
	b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
	keep(t, b.db, told("r", "g", "a", "b"))
	b.tell(t, told("r", "g", "a", "b"))
	pass(time.Hour)
	want(t, "dead letters", letters(t, b.db), "a b")
	return b, d, status
}

func only(t *testing.T, b *bench) DeadLetter {
	t.Helper()
	ls, err := b.Letters("r")
	if err != nil || len(ls) != 1 {
		t.Fatalf("%d letters, %v", len(ls), err)
	}
	return ls[0]
}

func TestReplaySendsTheSameUnderTheSameID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, status := refusing(t)
		l := only(t, b)
		if l.Attempts != 4 || l.LastStatus != 400 || l.FirstTry == 0 || l.Why == "" || b.Dead()["r/0"] != 1 {
			t.Errorf("%+v", l)
		}
		status.Store(200)
		if err := b.ReplayLetter(l.ID, false); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		want(t, "accepted", d.accepted(), "a b")
		if first, last := d.posts[0].id, d.posts[len(d.posts)-1].id; first != last || first != l.ID {
			t.Errorf("sent as %s, then as %s", first, last)
		}
		want(t, "dead letters", letters(t, b.db))
		if b.Dead()["r/0"] != 0 {
			t.Error("a letter is counted")
		}
		if err := b.ReplayLetter(l.ID, false); !errors.Is(err, ErrNoSuchLetter) {
			t.Errorf("replayed again: %v", err)
		}
	})
}

func TestReplayOfWhatIsOverSendsTheStateOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, status := refusing(t)
		update(t, b.db, func(tx *bbolt.Tx) error { // a has ended and was forgotten, b fires on
			a := told("r", "g", "a").Alerts[0]
			ended := a.Transition
			ended.Firing, ended.EndsAt = false, 9
			if err := PutTransitions(tx, 9, []alert.Transition{ended}); err != nil {
				return err
			}
			return tx.Bucket(bucketEpisodes).Delete([]byte(a.Key()))
		})
		status.Store(200)
		id := only(t, b).ID
		if err := b.ReplayLetter(id, false); !errors.Is(err, ErrSuperseded) {
			t.Fatalf("replayed: %v", err)
		}
		want(t, "accepted", d.accepted())
		if err := b.ReplayLetter(id, true); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		want(t, "accepted", d.accepted(), "-a b")
		want(t, "dead letters", letters(t, b.db))
	})
}

func TestReplayOfWhatTheReceiverHasHeardSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, status := refusing(t)
		status.Store(200)
		b.tell(t, told("r", "g", "a", "b", "c"))
		pass(time.Second)
		want(t, "accepted", d.accepted(), "a b c")
		if err := b.ReplayLetter(only(t, b).ID, false); !errors.Is(err, ErrSuperseded) {
			t.Errorf("replayed: %v", err)
		}
	})
}

func TestReplayOfAnEndIsNeverOutdated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := saying(400)
		d := &desk{answer: always(status)}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "-a"))
		pass(time.Hour)
		status.Store(200)
		if err := b.ReplayLetter(only(t, b).ID, false); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		want(t, "accepted", d.accepted(), "-a")
	})
}

func TestDropAndReplayWithoutAnEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, _ := refusing(t)
		id := only(t, b).ID
		b.SetEndpoints(nil, Limits{})
		if err := b.ReplayLetter(id, true); err == nil || !strings.Contains(err.Error(), "no longer configured") {
			t.Errorf("replayed to nowhere: %v", err)
		}
		if err := b.DropLetter(id); err != nil {
			t.Fatal(err)
		}
		want(t, "dead letters", letters(t, b.db))
		if err := b.DropLetter(id); !errors.Is(err, ErrNoSuchLetter) {
			t.Errorf("dropped again: %v", err)
		}
	})
}

func TestDeadLettersAreForgottenForAgeAndSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := saying(400)
		d := &desk{answer: always(status)}
		b := prepared(create(t), []Endpoint{d.endpoint("r/0")}, Limits{DeadMaxAge: 24 * time.Hour}).run(t)
		b.tell(t, told("r", "g", "old"))
		pass(23 * time.Hour)
		b.tell(t, told("r", "g", "young"))
		pass(2 * time.Hour)
		want(t, "dead letters", letters(t, b.db), "young")
		if !strings.Contains(b.log.String(), `body=old`) {
			t.Errorf("the log does not keep what is forgotten: %s", b.log)
		}
		for _, pod := range []string{"1", "2", "3", "4"} {
			b.tell(t, told("r", pod, pod))
		}
		pass(time.Hour)
		size := 0
		update(t, b.db, func(tx *bbolt.Tx) error {
			_, v := tx.Bucket(bucketDead).Cursor().First()
			size = len(v)
			return nil
		})
		b.SetEndpoints([]Endpoint{d.endpoint("r/0")}, Limits{DeadMaxBytes: int64(size*2 + size/2)})
		pass(2 * time.Minute)
		if got := letters(t, b.db); len(got) != 2 || b.Dead()["r/0"] != 2 {
			t.Errorf("kept %q, counted %d", got, b.Dead()["r/0"])
		}
	})
}

// TestDeliveriesOfAnOlderVersionAreTakenOver finds one that was kept before there were lanes.
func TestDeliveriesOfAnOlderVersionAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := create(t)
		update(t, db, func(tx *bbolt.Tx) error {
			old := struct {
				Endpoint string `json:"endpoint"`
				GroupKey string `json:"groupKey"`
				Body     []byte `json:"body"`
				Created  int64  `json:"created"`
			}{"r/0", "g", []byte("old"), time.Now().UnixMilli()}
			return put(tx.Bucket(bucketDeliveries), []byte{0, 0, 0, 0, 0, 0, 0, 1}, &old)
		})
		status := saying(200)
		d := &desk{answer: always(status)}
		b := prepared(db, []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		pass(time.Second)
		want(t, "accepted", d.accepted(), "old")
		want(t, "waits", bodies(t, b.db, Pending))
	})
}

// TestWhatCannotBeEncodedIsNotLost: a notification that a template refuses, alone or with what waits, becomes a dead letter and
// holds up no other endpoint.
func TestWhatCannotBeEncodedIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := saying(503)
		d := &desk{answer: always(status)}
		choosy := d.endpoint("r/0")
		choosy.Encode = func(n *alert.Notification) ([]byte, bool, error) {
			for _, a := range n.Alerts {
				if a.Labels["pod"] == "poison" {
					return nil, false, errors.New("template: no such thing")
				}
			}
			return encode(n)
		}
		b := prepared(create(t), []Endpoint{choosy, d.endpoint("r/1")}, Limits{}).run(t)
		defer b.stop()
		for _, pod := range []string{"poison", "a", "b", "poison", "c"} {
			b.tell(t, told("r", "g", pod))
			pass(time.Second)
		}
		status.Store(200)
		pass(10 * time.Minute)
		got := d.accepted()
		slices.Sort(got)
		want(t, "accepted", got, "a", "a b c poison", "b c", "poison")
		letters, err := b.Letters("")
		if err != nil || len(letters) != 2 || !strings.Contains(letters[0].Why, "no such thing") || letters[1].Notification.Alerts[0].Labels["pod"] != "poison" {
			t.Errorf("letters %+v, %v", letters, err)
		}
		if n := b.Dead()["r/0"]; n != 2 {
			t.Errorf("%d dead letters are known", n)
		}
		// Replayed, it is a dead letter again as long as the template is what it is, and goes out once it is another.
		again := func() {
			t.Helper()
			if err := b.ReplayLetter(letters[0].ID, true); err != nil {
				t.Error(err)
			}
			pass(time.Minute)
		}
		plain := letters[0].Notification
		plain.Alerts = slices.Clone(plain.Alerts)
		update(t, b.db, func(tx *bbolt.Tx) error {
			return put(tx.Bucket(bucketEpisodes), []byte(plain.Alerts[0].Key()), &plain.Alerts[0])
		})
		again()
		if n := b.Dead()["r/0"]; n != 2 {
			t.Errorf("%d dead letters after a replay in vain", n)
		}
		b.SetEndpoints([]Endpoint{d.endpoint("r/0"), d.endpoint("r/1")}, Limits{})
		if letters, err = b.Letters(""); err != nil {
			t.Fatal(err)
		}
		for _, l := range letters {
			if err := b.ReplayLetter(l.ID, true); err != nil {
				t.Error(err)
			}
		}
		pass(time.Minute)
		if n := b.Dead()["r/0"]; n != 0 {
			t.Errorf("%d dead letters are left", n)
		}
	})
}
