package state

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/series"
)

// SeriesID is the key of a series' state: a hash of the signal's identity and the labels.
type SeriesID [8]byte

// IDOf returns the id of a series of a signal with that identity.
func IDOf(identity string, ls series.Labels) SeriesID {
	h := sha256.Sum256([]byte(identity + "\xff" + ls.Key()))
	return SeriesID(h[:8])
}

// Known is a series the ledger has history of.
type Known struct {
	Signal   string            `json:"signal"`
	Identity string            `json:"identity"`
	Labels   map[string]string `json:"labels"`
}

// PutSeries remembers which series an id stands for and when it was last seen (unix milliseconds).
func PutSeries(tx *bbolt.Tx, id SeriesID, k Known, lastSeen int64) error {
	v, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode series: %w", err)
	}
	return tx.Bucket(seriesBucket).Put(id[:], append(binary.BigEndian.AppendUint64(nil, uint64(lastSeen)), v...))
}

// EachSeries calls f for every series of the ledger.
func EachSeries(tx *bbolt.Tx, f func(id SeriesID, k Known, lastSeen int64) error) error {
	return tx.Bucket(seriesBucket).ForEach(func(key, v []byte) error {
		if len(key) != len(SeriesID{}) || len(v) < 8 {
			return fmt.Errorf("series record %x is damaged", key)
		}
		var k Known
		if err := json.Unmarshal(v[8:], &k); err != nil {
			return fmt.Errorf("decode series %x: %w", key, err)
		}
		return f(SeriesID(key), k, int64(binary.BigEndian.Uint64(v)))
	})
}

// DropSeries forgets a series and its summaries.
func DropSeries(tx *bbolt.Tx, id SeriesID) error {
	if err := DropSummaries(tx, id, 1<<31-1); err != nil {
		return err
	}
	return tx.Bucket(seriesBucket).Delete(id[:])
}
