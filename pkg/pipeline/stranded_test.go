package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert/outbox"
)

// brokenDisk opens a ledger whose writes fail while broken is called last, and not any more after repair.
func brokenDisk(t *testing.T) (db *bbolt.DB, broken, repair func()) {
	t.Helper()
	var file *os.File
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "ledger"), 0o600, &bbolt.Options{
		NoSync: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			file = f
			return f, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	swap := func(fd int) {
		if err := syscall.Dup3(fd, int(file.Fd()), syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	broken = func() {
		full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		swap(int(full.Fd()))
	}
	repair = func() { swap(whole) }
	t.Cleanup(func() {
		repair()
		_ = db.Close() // a test may have closed it
		_ = syscall.Close(whole)
	})
	return db, broken, repair
}

// TestAlertsOfTicksThatTheDiskDoesNotTake breaks the disk before each step of a story and repairs it at the end: what is
// told, and in which order, is the same as with a whole disk, and nothing waits for the repair.
func TestAlertsOfTicksThatTheDiskDoesNotTake(t *testing.T) {
	story := func(l *life) []func() {
		tick := func(at time.Duration, ts ...Transition) func() {
			return func() {
				// As an instance does: what a tick could not commit comes again with the next.
				l.owed = append(l.owed, ts...)
				err := l.db.Update(func(tx *bbolt.Tx) error { return l.a.Put(tx, later(at), l.owed) })
				if err != nil {
					l.a.Stranded(l.owed, err)
					return
				}
				l.owed = nil
				l.a.Committed()
			}
		}
		group := func(at time.Duration) func() {
			return func() {
				_, _ = l.a.Advance(later(at)) // it says that it cannot store
				synctest.Wait()
			}
		}
		return []func(){
			tick(0, firing("a", 0)), group(second), group(31 * second),
			tick(2*minute, firing("b", 2*minute)), group(2*minute + second), group(6 * minute),
			tick(7*minute, over("a", 0, 7*minute)), group(7*minute + second), group(12 * minute),
			tick(13*minute, over("b", 2*minute, 13*minute)), group(13*minute + second), group(18 * minute),
		}
	}
	want := []string{
		"first notification: firing a@0s",
		"new alerts added: firing a@0s firing b@2m0s",
		"some alerts resolved: resolved a@0s..7m0s firing b@2m0s",
		"all alerts resolved: resolved b@2m0s..13m0s",
	}
	for breaks := range 13 {
		synctest.Test(t, func(t *testing.T) {
			db, broken, repair := brokenDisk(t)
			var m mailbox
			l := &life{t: t, db: db, d: outbox.NewDeliverer(outbox.Options{DB: db})}
			var err error
			if l.a, err = NewAnnouncer(db, l.d, discard()); err != nil {
				t.Fatal(err)
			}
			l.configure(later(0), announceRoute("alertname"), m.accept)
			stop := l.delivering()
			synctest.Wait()
			for i, step := range story(l) {
				if i == breaks {
					broken()
				}
				step()
			}
			synctest.Wait()
			if got := m.lines(t); !slices.Equal(got, want) {
				t.Errorf("broken before step %d: told %q", breaks, got)
			}
			repair()
			if len(l.owed) > 0 {
				l.tick(later(19*minute), l.owed...)
			}
			for range 3 {
				if _, err := l.a.Advance(later(20 * minute)); err != nil {
					t.Errorf("the repair is not noticed: %v", err)
				}
				time.Sleep(2 * minute)
			}
			synctest.Wait()
			if got := m.lines(t); !slices.Equal(got, want) {
				t.Errorf("broken before step %d, after the repair: told %q", breaks, got)
			}
			firing, _ := l.a.Episodes()
			if len(firing) != 0 || len(l.a.handled) != 0 {
				t.Errorf("%d alerts fire, %d transitions are still to come", len(firing), len(l.a.handled))
			}
			stop()
		})
	}
}

// TestAStrandedAlertSurvivesARestartAfterTheRepair keeps it for a receiver that was down all along.
func TestAStrandedAlertSurvivesARestartAfterTheRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, broken, repair := brokenDisk(t)
		var m mailbox
		l := &life{t: t, db: db, d: outbox.NewDeliverer(outbox.Options{DB: db})}
		var err error
		if l.a, err = NewAnnouncer(db, l.d, discard()); err != nil {
			t.Fatal(err)
		}
		l.configure(later(0), announceRoute("alertname"), refuses)
		stop := l.delivering()
		synctest.Wait()
		broken()
		l.a.Stranded([]Transition{firing("a", 0)}, syscall.ENOSPC)
		for _, at := range []time.Duration{0, 31 * second} {
			if _, err := l.a.Advance(later(at)); err == nil {
				t.Error("no word of the disk")
			}
		}
		time.Sleep(minute)
		repair()
		l.advance(later(2 * minute))
		stop()

		next := &life{t: t, db: db, d: outbox.NewDeliverer(outbox.Options{DB: db})}
		if next.a, err = NewAnnouncer(db, next.d, discard()); err != nil {
			t.Fatal(err)
		}
		next.configure(later(3*minute), announceRoute("alertname"), m.accept)
		next.tick(later(3*minute), firing("a", 0)) // recovery finds it again
		next.advance(later(3 * minute))
		stop = next.delivering()
		time.Sleep(6 * minute)
		stop()
		if got, want := m.lines(t), []string{"first notification: firing a@0s"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}
