package main

import (
	"math"
	"sort"

	"github.com/baseliner/baseliner/pkg/ingest/csv"
	"github.com/baseliner/baseliner/pkg/series"
)

// The protocol's constants; see docs/accuracy.md.
const (
	delayRows   = 7 // an event is found if flagged at its start or at most so many rows later
	earlyRows   = 2 // flags so shortly before an event belong to it
	weekSeconds = 7 * 86400
)

// track is what is judged of one series: the rows from its split on that hold a value.
type track struct {
	entry
	time  []int64   // unix seconds
	score []float64 // absolute; 1 is the edge of the band
	flag  []bool    // the product's decision
	label []bool

	event [][2]int // labelled runs [first, end)
	near  []bool   // in an event or near enough that a flag belongs to it
	gap   int64    // flags at most so many seconds apart are one alarm
	weeks float64
}

// replay runs a fresh detector over the rows of a series. It looks at labels only to keep them for the judge.
func replay(e entry, rows []csv.Row) *track {
	d := newDetector(stepOf(rows))
	t := &track{entry: e}
	split := e.Split * 1000
	if split == 0 {
		split = rows[min(probation(len(rows)), len(rows)-1)].T
	}
	for i := range rows {
		v := d.step(rows[i].Point)
		if rows[i].T < split || rows[i].Missing != series.Observed {
			continue
		}
		s := math.Abs(v.score)
		if math.IsNaN(s) {
			s = 0
		}
		t.push(rows[i].T/1000, s, v.anomalous(), rows[i].Truth == csv.Anomalous)
	}
	t.prepare()
	return t
}

// prepare derives events and tolerances from the labels.
func (t *track) prepare() {
	n := len(t.time)
	t.near = make([]bool, n)
	t.event = nil
	for i := 0; i < n; i++ {
		if !t.label[i] {
			continue
		}
		first := i
		for i < n && t.label[i] {
			i++
		}
		t.event = append(t.event, [2]int{first, i})
		for k := max(0, first-earlyRows); k < min(n, i+delayRows); k++ {
			t.near[k] = true
		}
	}
	t.gap = alarmGap(t.Resolution)
	t.weeks = float64(n) * float64(t.Resolution) / weekSeconds
}

// alarmGap is how many seconds apart two false flags may be to count as one alarm: 15 minutes, or three rows of slower series.
func alarmGap(resolution int64) int64 {
	if resolution > 300 {
		return 3 * resolution
	}
	return 900
}

// rowAt is the first row at or after the time.
func (t *track) rowAt(unix int64) int {
	return sort.Search(len(t.time), func(i int) bool { return t.time[i] >= unix })
}

// push appends a row.
func (t *track) push(unix int64, score float64, flag, label bool) {
	t.time = append(t.time, unix)
	t.score = append(t.score, score)
	t.flag = append(t.flag, flag)
	t.label = append(t.label, label)
}
