package state

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/series"
)

func TestSummariesAreReplacedByHour(t *testing.T) {
	l, err := OpenLedger(t.TempDir(), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	id, other := IDOf("x", series.FromStrings("a", "b")), IDOf("x", series.FromStrings("a", "c"))
	hours := rand.New(rand.NewPCG(1, 1)).Perm(200)
	err = l.Update(func(tx *bbolt.Tx) error {
		for round := range 2 {
			for _, h := range hours {
				if err := PutSummary(tx, id, &baseline.Summary{Hour: int32(1000 + h), N: 1, Mean: float64(round)}); err != nil {
					return err
				}
			}
		}
		return PutSummary(tx, other, &baseline.Summary{Hour: 1003, N: 9})
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(from, to int32, want int) {
		t.Helper()
		_ = l.View(func(tx *bbolt.Tx) error {
			got, err := Summaries(tx, id, from, to)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != want || !slices.IsSortedFunc(got, func(a, b baseline.Summary) int { return int(a.Hour - b.Hour) }) {
				t.Errorf("[%d,%d): %d summaries, want %d in order", from, to, len(got), want)
			}
			for _, s := range got {
				if s.Mean != 1 {
					t.Errorf("hour %d was not replaced", s.Hour)
				}
			}
			return nil
		})
	}
	check(0, 1<<30, 200)
	check(1010, 1011, 1)
	if err := l.Update(func(tx *bbolt.Tx) error { return DropSummaries(tx, id, 1100) }); err != nil {
		t.Fatal(err)
	}
	check(0, 1<<30, 104) // whole records: the one of hour 1100 begins at 1096
}

func TestASecondProcessIsLockedOut(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLedger(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := OpenLedger(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
}

func TestADamagedSnapshotGivesWayToTheOneBefore(t *testing.T) {
	payload := func(b byte) []byte { return slices.Repeat([]byte{b}, 300) }
	for name, damage := range map[string]func([]byte) []byte{
		"bit flipped": func(b []byte) []byte { b[100] ^= 1; return b },
		"cut":         func(b []byte) []byte { return b[:len(b)/2] },
		"empty":       func([]byte) []byte { return nil },
		"header flip": func(b []byte) []byte { b[12] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i := range 3 {
				if err := SaveSnapshot(dir, int64(i), payload(byte(i))); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, snapshotName)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			tick, p, ok, damaged, err := LoadSnapshot(dir)
			if err != nil || !ok || tick != 1 || !slices.Equal(p, payload(1)) || len(damaged) != 1 {
				t.Errorf("tick %d ok %v damaged %v err %v", tick, ok, damaged, err)
			}
			if _, err := os.Stat(path + ".corrupt"); err != nil {
				t.Error("the damaged file was not put aside")
			}
		})
	}
}

func TestASnapshotOfANewerVersionIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := SaveSnapshot(dir, 1, []byte("x")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, snapshotName)
	b, _ := os.ReadFile(path)
	b[len(snapshotMagic)]++
	// A newer version writes a sound checksum.
	b = resum(b)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, _, _, err := LoadSnapshot(dir); !errors.Is(err, ErrNewer) {
		t.Errorf("err = %v", err)
	}
}

func resum(b []byte) []byte {
	body := b[:len(b)-4]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
}
