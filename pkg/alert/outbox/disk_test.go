package outbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

// faulty is a store whose file can be exchanged under its feet: a device that is always full takes the writes, or the
// same file opened for reading.
type faulty struct {
	db    *bbolt.DB
	path  string
	file  *os.File
	whole int // the descriptor that works
}

func faultyStore(t *testing.T) *faulty {
	t.Helper()
	f := &faulty{path: filepath.Join(t.TempDir(), "outbox")}
	var err error
	f.db, err = bbolt.Open(f.path, 0o600, &bbolt.Options{
		NoSync: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			file, err := os.OpenFile(name, flag, mode)
			f.file = file
			return file, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.whole, err = syscall.Dup(int(f.file.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.repair(t)
		_ = f.db.Close()
		_ = syscall.Close(f.whole)
	})
	update(t, f.db, Prepare)
	return f
}

func (f *faulty) breaks(t *testing.T, how string) {
	t.Helper()
	var with *os.File
	var err error
	switch how {
	case "full":
		with, err = os.OpenFile("/dev/full", os.O_RDWR, 0)
	case "read-only":
		with, err = os.Open(f.path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer with.Close()
	if err := syscall.Dup3(int(with.Fd()), int(f.file.Fd()), syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
}

func (f *faulty) repair(t *testing.T) {
	t.Helper()
	if err := syscall.Dup3(f.whole, int(f.file.Fd()), syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
}

// TestTheDiskFailsAtEveryWrite breaks the disk before one write of a story and repairs it two minutes later. Nothing is
// lost, nothing waits for the disk, and the order holds.
func TestTheDiskFailsAtEveryWrite(t *testing.T) {
	story := []*alert.Notification{told("r", "g", "a"), told("r", "g", "a", "b"), told("r", "g", "-a", "b"), told("r", "g", "-b")}
	for _, how := range []string{"full", "read-only"} {
		for breaks := range len(story)*2 + 1 {
			t.Run(how+" at write "+string(rune('0'+breaks)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := faultyStore(t)
					status := saying(200)
					d := &desk{answer: always(status)}
					b := prepared(f.db, []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
					pass(time.Second)
					for i, n := range story {
						if breaks == 2*i {
							f.breaks(t, how)
						}
						now := time.Now().UnixMilli()
						err := b.Flush()
						if err == nil {
							err = b.Write(func(tx *bbolt.Tx) error { return b.Enqueue(tx, now, n) })
						}
						if err != nil {
							b.Remember(now, []alert.Notification{*n})
						}
						if breaks == 2*i+1 { // between the notification and its acknowledgement
							f.breaks(t, how)
						}
						pass(2 * time.Second)
						if got := d.accepted(); len(got) != i+1 {
							t.Errorf("after %d notifications %q are accepted", i+1, got)
						}
						if breaks/2 == i && testutil.ToFloat64(b.metrics.unwritable) != 1 {
							t.Error("no metric says that the disk does not take anything")
						}
					}
					f.repair(t)
					pass(2 * time.Minute)
					if err := b.Flush(); err != nil {
						t.Error(err)
					}
					b.tell(t, told("r", "g", "c"))
					pass(2 * time.Second)
					want(t, "accepted", d.accepted(), "a", "a b", "-a b", "-b", "c")
					want(t, "waits", bodies(t, f.db, Pending))
					if testutil.ToFloat64(b.metrics.unwritable) != 0 || testutil.ToFloat64(b.metrics.memory) != 0 {
						t.Error("the metrics say that the disk still does not take anything")
					}
				})
			})
		}
	}
}

// TestFromMemoryWhileTheReceiverIsDownToo keeps the order and the ids until there is room, and then on disk.
func TestFromMemoryWhileTheReceiverIsDownToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faultyStore(t)
		status := saying(500)
		d := &desk{answer: always(status)}
		b := prepared(f.db, []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		b.tell(t, told("r", "g", "a"))
		pass(time.Second)
		f.breaks(t, "full")
		for _, n := range []*alert.Notification{told("r", "g", "a", "b"), told("r", "g", "-a", "b"), told("r", "h", "x")} {
			b.Remember(time.Now().UnixMilli(), []alert.Notification{*n})
		}
		pass(10 * time.Minute)
		if n := testutil.ToFloat64(b.metrics.memory); n != 2 {
			t.Errorf("%v in memory, want one state of each group", n)
		}
		f.repair(t)
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		b.stop() // and what is on disk now is all there is
		status.Store(200)
		prepared(f.db, []Endpoint{d.endpoint("r/0")}, Limits{}).run(t)
		pass(6 * time.Minute)
		got := d.accepted()
		if strings.Join(got, ",") != "a,-a b,x" && strings.Join(got, ",") != "a,x,-a b" && strings.Join(got, ",") != "x,a,-a b" {
			t.Errorf("accepted %q", got)
		}
		ids := map[string]string{}
		for _, p := range d.posts {
			if was := ids[p.body]; was != "" && was != p.id {
				t.Errorf("%q was sent as %s and as %s", p.body, was, p.id)
			}
			ids[p.body] = p.id
		}
	})
}

func TestTheReserveIsReleasedAndTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faultyStore(t)
		r := &Reserve{Path: filepath.Join(t.TempDir(), "reserve")}
		status := saying(200)
		d := &desk{answer: always(status)}
		b := &bench{db: f.db}
		b.Deliverer = NewDeliverer(Options{DB: f.db, Reserve: r})
		b.SetEndpoints([]Endpoint{d.endpoint("r/0")}, Limits{})
		b.run(t)
		pass(time.Second)
		if st, err := os.Stat(r.Path); err != nil || st.Size() != reserveBytes {
			t.Fatalf("no reserve: %v", err)
		}
		f.breaks(t, "full")
		err := b.Write(func(tx *bbolt.Tx) error {
			if _, err := os.Stat(r.Path); errors.Is(err, os.ErrNotExist) {
				f.repair(t) // what was given back is room
			}
			return b.Enqueue(tx, time.Now().UnixMilli(), told("r", "g", "a"))
		})
		if err != nil {
			t.Errorf("the reserve did not help: %v", err)
		}
		pass(2 * time.Second)
		want(t, "accepted", d.accepted(), "a")
		pass(2 * time.Minute)
		if st, err := os.Stat(r.Path); err != nil || st.Size() != reserveBytes {
			t.Errorf("the reserve was not taken again: %v", err)
		}
	})
}

// TestAnAcknowledgementThatCannotBeWritten is written later, and the receiver is not told again.
func TestAnAcknowledgementThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faultyStore(t)
		sent := 0
		enqueue(t, f.db, "r/0", "g", "a")
		start(t, f.db, map[string]func(context.Context, []byte) error{"r/0": func(context.Context, []byte) error {
			sent++
			f.breaks(t, "read-only")
			return nil
		}})
		pass(time.Hour)
		if sent != 1 {
			t.Errorf("sent %d times", sent)
		}
		want(t, "on disk", bodies(t, f.db, Pending), "a")
		f.repair(t)
		pass(2 * time.Minute)
		want(t, "on disk", bodies(t, f.db, Pending))
		if sent != 1 {
			t.Errorf("sent %d times", sent)
		}
	})
}

// TestAProbeNoticesTheDisk: a disk that takes nothing shows before there is anything to write, and so does its recovery.
func TestAProbeNoticesTheDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "volume")
	f := faultyStore(t)
	d := NewDeliverer(Options{DB: f.db, Reserve: &Reserve{Path: filepath.Join(dir, "outbox.reserve")}})
	check := func(what string, bad bool) {
		t.Helper()
		err := d.Unwritable()
		metric := testutil.ToFloat64(d.metrics.unwritable)
		if (err != nil) != bad || (metric == 1) != bad {
			t.Errorf("%s: %v, metric %v", what, err, metric)
		}
	}
	check("at first", false)
	d.Probe()
	check("the volume is gone", true)
	d.Stored(nil) // the store had room left
	check("a write passed all the same", true)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.Probe()
	check("the volume is there", false)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a probe left %v (%v)", left, err)
	}
	d.Stored(syscall.ENOSPC)
	d.Probe()
	check("a write failed, whatever a small one does", true)
	d.Stored(nil)
	check("written", false)
}
