package state

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
)

// splitKey marks a ledger that holds no records of whole days any more.
const splitKey = "summaries_split"

// firstRecord is the number of the first record that data may have, of the year 2000. Before, a record held a day and bore its
// number, which is less for another thirty years.
const firstRecord = 10957 * 24 / hoursPerRecord

// splitAtOnce is how many records of days one transaction takes.
const splitAtOnce = 2000

// splitDays makes records of a third of a day from those of whole days, which versions before wrote. Cut short, it goes on at
// the next start.
func (l *Ledger) splitDays() error {
	var from []byte
	for done := false; !done; {
		err := l.Update(func(tx *bbolt.Tx) error {
			if done = Meta(tx, splitKey) != nil; done {
				return nil
			}
			b := tx.Bucket(summariesBucket)
			b.FillPercent = 0.95
			var days [][]byte
			c := b.Cursor()
			for k, _ := c.Seek(from); k != nil && len(days) < splitAtOnce; k, _ = c.Next() {
				if recordNumber(k) < firstRecord {
					days = append(days, bytes.Clone(k))
				}
			}
			for _, k := range days {
				if err := splitDay(b, k); err != nil {
					return err
				}
				from = k
			}
			if done = len(days) < splitAtOnce; done {
				return PutMeta(tx, splitKey, []byte{hoursPerRecord})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("split summaries of days: %w", err)
		}
	}
	return nil
}

func splitDay(b *bbolt.Bucket, key []byte) error {
	record := bytes.Clone(b.Get(key))
	if err := b.Delete(key); err != nil {
		return err
	}
	var last, part []byte
	for len(record) > 0 {
		s, n, err := baseline.DecodeSummary(recordNumber(key), record)
		if err != nil {
			return nil // the rest of the day cannot be read, and never could
		}
		if k := summaryKey(SeriesID(key[:len(SeriesID{})]), s.Hour); !bytes.Equal(k, last) {
			last, part = k, nil
		}
		part = append(part, record[:n]...)
		if err := b.Put(last, bytes.Clone(part)); err != nil {
			return err
		}
		record = record[n:]
	}
	return nil
}
