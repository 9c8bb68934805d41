package state

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/series"
)

func TestUnlearnedWindowsAreKept(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLedger(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	a := Unlearned{ID: "a", From: 1, To: 2, Match: `{x="y"}`, Reason: "why", Created: 3, Tick: 4}
	err = l.Update(func(tx *bbolt.Tx) error {
		if all, err := AllUnlearned(tx, nil); err != nil || all != nil {
			t.Errorf("to begin with there are %v, %v", all, err)
		}
		if err := DropUnlearned(tx, "none"); err != nil {
			return err
		}
		for _, id := range []string{"b", "a", "c"} {
			one := a
			one.ID = id
			if err := PutUnlearned(tx, &one); err != nil {
				return err
			}
		}
		if err := tx.Bucket(unlearnedBucket).Put([]byte("d"), []byte("{")); err != nil {
			return err
		}
		return DropUnlearned(tx, "c")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = OpenLedger(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, damaged := a, ""
	b.ID = "b"
	err = l.View(func(tx *bbolt.Tx) error {
		all, err := AllUnlearned(tx, func(id string, _ error) { damaged += id })
		if !reflect.DeepEqual(all, []Unlearned{a, b}) || damaged != "d" {
			t.Errorf("kept %+v, damaged %q", all, damaged)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOfTwoSummariesOfAnHourTheBetterIsKept(t *testing.T) {
	l, err := OpenLedger(t.TempDir(), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	id := IDOf("x", series.FromStrings("a", "b"))
	for _, order := range [][]uint16{{7, 60, 9}, {60, 7, 9}, {9, 7, 60}} {
		err := l.Update(func(tx *bbolt.Tx) error {
			if err := DropSummaries(tx, id, 1<<31-1); err != nil {
				return err
			}
			for _, n := range order {
				if err := MergeSummary(tx, id, &baseline.Summary{Hour: 1000, N: n, Mean: float64(n)}); err != nil {
					return err
				}
			}
			got, err := Summaries(tx, id, 0, 1<<31-1)
			if err == nil && (len(got) != 1 || got[0].N != 60 || got[0].Mean != 60) {
				t.Errorf("in the order %v: %+v", order, got)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestASnapshotOfAnOlderVersionIsPutAside(t *testing.T) {
	dir := t.TempDir()
	if err := SaveSnapshot(dir, 5, []byte("payload")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, snapshotName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[len(snapshotMagic):], SnapshotVersion-1)
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, ok, damaged, err := LoadSnapshot(dir)
	if ok || err != nil || len(damaged) != 1 || !errors.Is(damaged[0], ErrOlder) {
		t.Errorf("loaded %t, damaged %v, %v", ok, damaged, err)
	}
	if _, err := os.Stat(path + ".old"); err != nil {
		t.Error(err)
	}
}
