package outbox

import (
	"cmp"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/alert"
)

const (
	// pastMost bounds what is remembered of alerts that were, some 300 bytes each.
	pastMost = 10_000
	// pastText bounds a text of theirs, in runes.
	pastText = 300
)

// Past is what is remembered of an alert, for reports. Times are unix milliseconds.
type Past struct {
	Signal   string `json:"signal"` // or its alertname, when it is of none
	Name     string `json:"alertname"`
	Type     string `json:"type,omitempty"`
	Layer    string `json:"layer,omitempty"`
	Severity string `json:"severity,omitempty"`
	StartsAt int64  `json:"startsAt"`
	EndsAt   int64  `json:"endsAt,omitempty"` // 0 while it fires
	Quiet    bool   `json:"quiet,omitempty"`  // it paged nobody, to the last word of it
	Incident string `json:"incident,omitempty"`
	Summary  string `json:"summary,omitempty"`
	Impact   string `json:"impact,omitempty"`
}

// PutPast remembers alerts as they are now.
func PutPast(tx *bbolt.Tx, ts []alert.Transition) error {
	b := tx.Bucket(bucketPast)
	for i := range ts {
		t := &ts[i]
		if t.Meta() {
			continue
		}
		p := Past{
			Signal: cmp.Or(t.Labels["signal"], t.Labels["alertname"]), Name: t.Labels["alertname"], Type: t.Labels["type"], Layer: t.Labels["layer"],
			Severity: t.Severity(), StartsAt: t.StartsAt, EndsAt: t.EndsAt, Quiet: t.Annotations[alert.PagingAnnotation] == "false",
			Incident: t.Incident, Summary: clip(t.Annotations["summary"]), Impact: clip(t.Annotations["impact"]),
		}
		key := binary.BigEndian.AppendUint64(nil, uint64(t.StartsAt))
		key = append(key, alert.Fingerprint(t.Labels)...)
		if err := put(b, key, &p); err != nil {
			return err
		}
	}
	return nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > pastText {
		return string(r[:pastText-1]) + "…"
	}
	return s
}

// PastAlerts returns those that began in [from, to), oldest first.
func PastAlerts(tx *bbolt.Tx, from, to int64, damaged Damaged) (ps []Past, err error) {
	b := tx.Bucket(bucketPast)
	if b == nil {
		return nil, nil
	}
	c := b.Cursor()
	for k, record := c.Seek(binary.BigEndian.AppendUint64(nil, uint64(from))); len(k) >= 8 && int64(binary.BigEndian.Uint64(k)) < to; k, record = c.Next() {
		var p Past
		if err := get(record, &p); err != nil {
			damaged("past", k, err)
			continue
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// ForgetPast drops the memory of alerts that began before the instant, and of all but the newest.
func ForgetPast(tx *bbolt.Tx, before int64) error {
	b := tx.Bucket(bucketPast)
	surplus := b.Stats().KeyN - pastMost
	c := b.Cursor()
	for k, _ := c.First(); len(k) >= 8 && (surplus > 0 || int64(binary.BigEndian.Uint64(k)) < before); k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return err
		}
		surplus--
	}
	return nil
}
