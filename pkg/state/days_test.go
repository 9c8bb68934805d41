package state

import (
	"encoding/binary"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
)

// A ledger of before, with records of whole days, is read as it was.
func TestDaysAreSplit(t *testing.T) {
	const series, days, first = 30, 70, 20_500 // more than one transaction takes
	dir := t.TempDir()
	l, err := OpenLedger(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	idOf := func(i int) (id SeriesID) {
		binary.BigEndian.PutUint64(id[:], uint64(i)<<32)
		return id
	}
	hourOf := func(day, hour int) baseline.Summary {
		return baseline.Summary{Hour: int32(24*day + hour), N: uint16(hour + 1), Mean: float64(day)}
	}
	err = l.Update(func(tx *bbolt.Tx) error {
		if err := DropMeta(tx, splitKey); err != nil {
			return err
		}
		for i := range series {
			for d := first; d < first+days; d++ {
				var record []byte
				for h := range 24 {
					if h%11 == i%11 {
						continue // not every hour is known
					}
					s := hourOf(d, h)
					record = s.Append(record)
				}
				id := idOf(i)
				if err := tx.Bucket(summariesBucket).Put(binary.BigEndian.AppendUint32(id[:], uint32(d)), record); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if l, err = OpenLedger(dir, Options{NoSync: true}); err != nil {
			t.Fatal(err)
		}
		err = l.View(func(tx *bbolt.Tx) error {
			for i := range series {
				got, err := Summaries(tx, idOf(i), 0, 1<<31-1)
				if err != nil {
					return err
				}
				k := 0
				for d := first; d < first+days; d++ {
					for h := range 24 {
						if h%11 == i%11 {
							continue
						}
						want := hourOf(d, h)
						if k == len(got) || got[k].Hour != want.Hour || got[k].N != want.N || got[k].Mean != want.Mean {
							return fmt.Errorf("series %d, day %d, hour %d: summary %d of %d differs", i, d, h, k, len(got))
						}
						k++
					}
				}
				if k != len(got) {
					return fmt.Errorf("series %d: %d summaries, want %d", i, len(got), k)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
