package alert_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
)

// forest has a tree for every habit: two receivers with their own pace, continuation, grouping by everything and by
// nothing.
const forest = `
receiver: a
group_by: [alertname]
group_wait: 30s
group_interval: 2m
repeat_interval: 10m
routes:
- {receiver: all, continue: true, group_by: ['...'], group_wait: 0s, group_interval: 7m, matchers: ['pod=~"p[12]"']}
- {receiver: slow, group_by: [], group_wait: 5m, group_interval: 11m, matchers: ['pod=~"p[23]"']}
`

// TestRestartsChangeNothing compares a machine that is stored, thrown away and loaded after every step with one that
// lives on.
func TestRestartsChangeNothing(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "outbox"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	routing := alert.Routing{
		Route: routes(t, forest), Flapping: alert.Flapping{Begins: 3, Within: 20 * minute, QuietFor: 10 * minute},
		Allowances: map[string]alert.Allowance{"a": {PerHour: 3}, "all": {PerDay: 10}},
		Digest:     &alert.Digest{Receiver: "a", Weekday: time.Monday, At: 8*hour + 30*minute, Zone: time.UTC},
	}
	told := 0
	rapid.Check(t, func(t *rapid.T) {
		update := func(f func(tx *bbolt.Tx) error) {
			if err := db.Update(f); err != nil {
				t.Fatal(err)
			}
		}
		update(func(tx *bbolt.Tx) error {
			var names [][]byte
			if err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
				names = append(names, slices.Clone(name))
				return nil
			}); err != nil {
				return err
			}
			for _, name := range names {
				if err := tx.DeleteBucket(name); err != nil {
					return err
				}
			}
			return outbox.Prepare(tx)
		})
		spared, killed := alert.NewMachine(nil), alert.NewMachine(nil)
		spared.Rebuild(at(0), routing)
		killed.Rebuild(at(0), routing)
		now := at(0)
		open := map[string]int64{} // pod → begin
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			now += rapid.Int64Range(-30, 400).Draw(t, "seconds") * 1000
			var ts []alert.Transition
			for _, pod := range []string{"p1", "p2", "p3", "p4"} {
				start, firing := open[pod]
				switch rapid.IntRange(0, 5).Draw(t, pod) {
				case 0: // begins or ends
					if firing {
						end := ends(pod, 0, 0)
						end.StartsAt, end.EndsAt = start, now
						ts = append(ts, end)
						delete(open, pod)
						break
					}
					begin := fires(pod, 0)
					begin.StartsAt = now
					ts = append(ts, begin)
					open[pod] = now
				case 2: // grows
					if firing {
						more := grown(fires(pod, 0))
						more.StartsAt = start
						ts = append(ts, more)
					}
				case 1: // comes and goes between two ticks
					if !firing {
						flash := ends(pod, 0, 0)
						flash.StartsAt, flash.EndsAt = now-1, now
						ts = append(ts, flash)
					}
				}
			}
			want, wantNext := spared.Advance(now, ts)
			got, gotNext := killed.Advance(now, ts)
			told += len(want)
			if a, b := text(t, want), text(t, got); a != b || wantNext != gotNext {
				t.Fatalf("without restarts, next at %d:\n%s\nwith restarts, next at %d:\n%s", wantNext, a, gotNext, b)
			}

			update(func(tx *bbolt.Tx) error { return outbox.SaveMachine(tx, killed) })
			killed = alert.NewMachine(nil)
			update(func(tx *bbolt.Tx) error {
				stored, err := outbox.LoadMachine(tx, func(bucket string, _ []byte, err error) { t.Fatalf("%s: %s", bucket, err) })
				killed.Restore(stored)
				return err
			})
			if abandoned := killed.Rebuild(now, routing); len(abandoned) > 0 {
				t.Fatalf("abandoned: %v", abandoned)
			}
		}
	})
	if told < 100 {
		t.Errorf("only %d notifications: the test does not see enough", told)
	}
}

func text(t *rapid.T, n []alert.Notification) string {
	b, err := json.MarshalIndent(n, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
