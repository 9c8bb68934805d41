package outbox

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	amconfig "github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

func open(t *testing.T, path string) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // some tests have closed it already
	update(t, db, Prepare)
	return db
}

func create(t *testing.T) *bbolt.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "outbox"))
}

func update(t *testing.T, db *bbolt.DB, f func(tx *bbolt.Tx) error) {
	t.Helper()
	if err := db.Update(f); err != nil {
		t.Fatal(err)
	}
}

// whole wants every record to be readable.
func whole(t *testing.T) Damaged {
	return func(bucket string, key []byte, err error) {
		t.Helper()
		t.Errorf("%s: %x: %v", bucket, key, err)
	}
}

func begin(pod string, start int64) alert.Transition {
	return alert.Transition{Firing: true, Labels: map[string]string{"pod": pod}, StartsAt: start}
}

func queued(t *testing.T, db *bbolt.DB) (pods []string, last []byte) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		ts, l, err := Queued(tx, nil, whole(t))
		for _, tr := range ts {
			pods = append(pods, tr.Labels["pod"])
		}
		last = l
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pods, last
}

func TestTransitionsAreKeptOnce(t *testing.T) {
	db := create(t)
	put := func(now int64, ts ...alert.Transition) {
		t.Helper()
		update(t, db, func(tx *bbolt.Tx) error { return PutTransitions(tx, now, ts) })
	}
	want := func(pods ...string) {
		t.Helper()
		if got, _ := queued(t, db); !slices.Equal(got, pods) {
			t.Errorf("queued %v, want %v", got, pods)
		}
	}
	put(1, begin("b", 1), begin("a", 1), begin("b", 1))
	put(2, begin("a", 1), begin("a", 2))
	want("b", "a", "a")

	_, last := queued(t, db)
	put(3, begin("c", 3)) // between reading and taking
	update(t, db, func(tx *bbolt.Tx) error { return Taken(tx, last) })
	want("c")

	put(4, begin("a", 1), begin("c", 3)) // found again after they were taken
	want("c")
	update(t, db, func(tx *bbolt.Tx) error { return ForgetTransitions(tx, 3) })
	put(5, begin("a", 1), begin("c", 3))
	want("c", "a")
}

func TestATransactionKeepsAllOrNothing(t *testing.T) {
	db := create(t)
	failure := errors.New("the tick failed")
	err := db.Update(func(tx *bbolt.Tx) error {
		if err := PutTransitions(tx, 1, []alert.Transition{begin("a", 1)}); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	update(t, db, func(tx *bbolt.Tx) error { return PutTransitions(tx, 1, []alert.Transition{begin("a", 1)}) })
	if got, _ := queued(t, db); !slices.Equal(got, []string{"a"}) {
		t.Errorf("queued %v: what was rolled back is known", got)
	}
}

func TestNothingIsQueued(t *testing.T) {
	db := create(t)
	if pods, last := queued(t, db); pods != nil || last != nil {
		t.Errorf("queued %v, last %x", pods, last)
	}
}

// TestEveryFlippedBitIsNoticed damages a record at every place and cuts it at every length.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	db := create(t)
	enqueue(t, db, "r/0", "g", "a")
	update(t, db, func(tx *bbolt.Tx) error {
		k, v := tx.Bucket(bucketDeliveries).Cursor().First()
		k, v = slices.Clone(k), slices.Clone(v)
		check := func(what string, i int, record []byte) {
			if err := tx.Bucket(bucketDeliveries).Put(k, record); err != nil {
				t.Fatal(err)
			}
			noticed := 0
			ds, err := Pending(tx, func(string, []byte, error) { noticed++ })
			if err != nil || len(ds) != 0 || noticed != 1 {
				t.Errorf("%s at %d: %d deliveries, noticed %d times, %v", what, i, len(ds), noticed, err)
			}
		}
		for i := range v {
			bad := slices.Clone(v)
			bad[i] ^= 1 << (i % 8)
			check("flipped", i, bad)
			check("cut", i, v[:i])
		}
		return nil
	})
}

// TestLabelsOfAnyLength groups by labels that are longer than a key of the store may be.
func TestLabelsOfAnyLength(t *testing.T) {
	db := create(t)
	route := dispatch.NewRoute(&amconfig.Route{Receiver: "r", GroupByAll: true}, nil)
	m := alert.NewMachine(route)
	long := begin(strings.Repeat("x", 1<<20), 1)
	if _, next := m.Advance(1000, []alert.Transition{long}); next == 0 {
		t.Fatal("there is no group")
	}
	update(t, db, func(tx *bbolt.Tx) error { return SaveMachine(tx, m) })
	restored := alert.NewMachine(nil)
	load := func() {
		t.Helper()
		update(t, db, func(tx *bbolt.Tx) error {
			s, err := LoadMachine(tx, whole(t))
			if len(s.Episodes) != 1 || len(s.Groups) != 1 {
				t.Errorf("%d episodes and %d groups", len(s.Episodes), len(s.Groups))
			}
			restored.Restore(s)
			return err
		})
	}
	load()
	if abandoned := restored.Rebuild(1000, alert.Routing{Route: route}); len(abandoned) > 0 {
		t.Error("the group is gone")
	}
	long.Firing, long.EndsAt = false, 2
	if out, _ := restored.Advance(100_000, []alert.Transition{long}); len(out) != 1 {
		t.Errorf("%d notifications", len(out))
	}
	update(t, db, func(tx *bbolt.Tx) error { return SaveMachine(tx, restored) })
	update(t, db, func(tx *bbolt.Tx) error {
		s, err := LoadMachine(tx, whole(t))
		if len(s.Episodes)+len(s.Groups) != 0 {
			t.Errorf("%d episodes and %d groups are left", len(s.Episodes), len(s.Groups))
		}
		return err
	})
}
