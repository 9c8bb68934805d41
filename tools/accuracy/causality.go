package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/ingest/csv"
	"github.com/baseliner/baseliner/pkg/series"
)

// causalSize is how many cuts are tried on each series, and how long that is.
type causalSize struct{ cuts, weeks int }

var (
	causalFull  = causalSize{cuts: 50, weeks: 8}
	causalShort = causalSize{cuts: 3, weeks: 3}
)

const causalPurpose = 0xca05a1

// causalLine is what became of one series.
type causalLine struct {
	Series   string `json:"series"`
	Rows     int    `json:"rows"`
	Flagged  int    `json:"flagged"`
	Cuts     int    `json:"cuts"`
	Garbage  int    `json:"cuts_with_garbage_identical"`
	Permuted bool   `json:"permuted_labels_identical"`
}

type causalReport struct {
	Lines []causalLine `json:"lines"`
}

// runCausality checks a series of every quiet kind, with planted events so that there are labels and excursions.
func runCausality(o options) (finding, error) {
	size := causalFull
	if o.short {
		size = causalShort
	}
	r := &causalReport{Lines: make([]causalLine, nullKinds)}
	parallel(int(nullKinds), func(k int) { r.Lines[k] = size.check(nullKind(k)) })
	for _, l := range r.Lines {
		if l.Garbage != l.Cuts || !l.Permuted {
			return r, fmt.Errorf("series %q: scores depend on later rows or on labels: %+v", l.Series, l)
		}
	}
	return r, nil
}

func (size causalSize) check(kind nullKind) causalLine {
	rows := plantedRows(kind, size.weeks*perWeek)
	e := entry{Name: kind.String(), Resolution: fiveMin, Split: 1} // every row is judged
	want := replay(e, rows)
	l := causalLine{Series: e.Name, Rows: len(rows), Cuts: size.cuts}
	for _, f := range want.flag {
		l.Flagged += int(one(f))
	}
	r := seeded(causalPurpose, int(kind), 1)
	for range size.cuts {
		k := r.IntN(len(rows))
		if same(want, replay(e, garbageAfter(rows, k, r.NormFloat64)), k) {
			l.Garbage++
		}
	}
	permuted := slices.Clone(rows)
	r.Shuffle(len(permuted), func(i, j int) { permuted[i].Truth, permuted[j].Truth = permuted[j].Truth, permuted[i].Truth })
	l.Permuted = same(want, replay(e, permuted), len(rows)-1)
	return l
}

// plantedRows is a quiet series with a labelled excursion every other day and holes.
func plantedRows(kind nullKind, n int) []csv.Row {
	r := seeded(causalPurpose, int(kind))
	s, f := newNullSeries(kind, r), newSharedFactor(r)
	rows := make([]csv.Row, n)
	for i := range rows {
		unix := epoch + int64(i)*fiveMin
		p := series.Point{T: unix * 1000, Value: s.next(unix, f.next())}
		rows[i] = csv.Row{Point: p, Truth: csv.Normal}
		switch at := i % (2 * perDay); {
		case at >= 300 && at < 306:
			rows[i].Value += s.level
			rows[i].Truth = csv.Anomalous
		case at >= 100 && at < 103:
			rows[i].Point = series.Point{T: p.T, Missing: series.NoData}
		}
	}
	return rows
}

// garbageAfter replaces everything behind row k but the times.
func garbageAfter(rows []csv.Row, k int, normal func() float64) []csv.Row {
	out := slices.Clone(rows)
	for i := k + 1; i < len(out); i++ {
		out[i].Point = series.Point{T: out[i].T, Value: math.Exp(20 * normal())}
		switch i % 5 {
		case 0:
			out[i].Value = -out[i].Value
		case 1:
			out[i].Point = series.Point{T: out[i].T, Missing: series.Gap}
		}
		out[i].Truth = csv.Anomalous
	}
	return out
}

// same reports whether all scores and decisions up to row k are the same bits.
func same(a, b *track, k int) bool {
	until := epoch + int64(k)*fiveMin
	for i := range a.time {
		if a.time[i] > until {
			break
		}
		if i >= len(b.time) || a.time[i] != b.time[i] || math.Float64bits(a.score[i]) != math.Float64bits(b.score[i]) || a.flag[i] != b.flag[i] {
			return false
		}
	}
	return true
}

func (r *causalReport) tables() []table {
	t := table{
		title: "Causality: scores up to a random row, bit by bit",
		head:  []string{"series", "rows", "flagged", "cuts", "identical with garbage behind", "identical with permuted labels"},
	}
	for _, l := range r.Lines {
		t.row(l.Series, l.Rows, l.Flagged, l.Cuts, l.Garbage, l.Permuted)
	}
	return []table{t}
}
