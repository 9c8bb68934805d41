package main

import (
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/ingest/csv"
)

// The Numenta Anomaly Benchmark's own score, from its definition (Lavin and Ahmad, "Evaluating Real-time Anomaly Detection
// Algorithms – the Numenta Anomaly Benchmark", ICMLA 2015, and the README of numenta/NAB). A window counts once, by its
// best detection, and the more the earlier that lies; what lies outside costs, the less the shorter it comes after a
// window; a window without detection costs too. All files share one threshold, chosen on the labels.

// nabProfile weighs what a detector does.
type nabProfile struct {
	name               string
	hit, alarm, missed float64 // a window found at its very beginning; a row flagged far from any; a window missed
}

var nabProfiles = []nabProfile{
	{"standard", 1, 0.11, 1},
	{"reward low FP rate", 1, 0.22, 1},
	{"reward low FN rate", 1, 0.11, 2},
}

// nabAlarm is how many seconds apart flags are at most to be told as one alarm.
const nabAlarm = 3600

// nabFile is one file of the corpus with a detector's scores of all its rows.
type nabFile struct {
	name    string
	time    []int64 // unix seconds
	score   []float64
	window  [][2]int // labelled rows [first, end)
	from    int      // the first row after probation
	gap     int64    // seconds that join flags into one alarm; negative: every flag is told
	scratch []nabFlag
}

func newNABFile(e entry, rows []csv.Row) *nabFile {
	t := track{entry: e}
	for i := range rows {
		t.time = append(t.time, rows[i].T/1000)
		t.label = append(t.label, rows[i].Truth == csv.Anomalous)
	}
	t.prepare()
	return &nabFile{name: e.Name, time: t.time, window: t.event, from: probation(len(rows)), gap: max(t.gap, nabAlarm), score: make([]float64, len(rows))}
}

// nabFlag says that a row is told at thresholds in (above, upTo].
type nabFlag struct{ above, upTo float64 }

// flags says of every row when it is told: at its beginning only, if an alarm is told once.
func (f *nabFile) flags() []nabFlag {
	out := f.scratch[:0]
	join := newRecentMax(f.gap)
	for i, x := range f.score {
		fl := nabFlag{math.Inf(-1), x}
		if f.gap >= 0 {
			fl.above = min(join.push(f.time[i], x), x)
		}
		out = append(out, fl)
	}
	f.scratch = out
	return out
}

// nabWeight is the value of a detection at a position relative to a window: -1 at its first row, 0 at its end, and so many
// widths beyond it.
func nabWeight(position float64) float64 {
	if position >= 3 {
		return -1
	}
	return 2/(1+math.Exp(5*position)) - 1
}

// edge changes the corpus' score at all thresholds up to at.
type edge struct{ at, change float64 }

// edges are the changes a file makes to the score of a corpus in which nothing was told.
func (f *nabFile) edges(p nabProfile) []edge {
	var out []edge
	add := func(above, upTo, value float64) {
		if above < upTo {
			out = append(out, edge{upTo, value}, edge{above, -value})
		}
	}
	flags := f.flags()
	next, last := 0, -1 // windows
	for i := 0; i < len(flags); i++ {
		if next < len(f.window) && i == f.window[next][0] {
			f.windowEdges(f.window[next], flags, p, add)
			last, next = next, next+1
			i = f.window[last][1] - 1
			continue
		}
		if i < f.from {
			continue
		}
		position := math.Inf(1)
		if last >= 0 {
			w := f.window[last]
			position = float64(i-(w[1]-1)) / float64(w[1]-w[0]-1)
		}
		add(flags[i].above, flags[i].upTo, p.alarm*nabWeight(position))
	}
	return out
}

// windowEdges: at every threshold the earliest row that is told decides.
func (f *nabFile) windowEdges(w [2]int, flags []nabFlag, p nabProfile, add func(above, upTo, value float64)) {
	first := max(w[0], f.from)
	var cuts []float64
	for _, fl := range flags[min(first, w[1]):w[1]] {
		cuts = append(cuts, fl.above, fl.upTo)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for k := 1; k < len(cuts); k++ {
		for i := first; i < w[1]; i++ {
			if flags[i].above < cuts[k] && cuts[k] <= flags[i].upTo {
				value := p.hit * nabWeight(-float64(w[1]-i)/float64(w[1]-w[0])) / nabWeight(-1)
				add(cuts[k-1], cuts[k], p.missed+max(value, -p.missed))
				break
			}
		}
	}
}

// windows is how many windows of the corpus reach beyond probation.
func windows(corpus []*nabFile) (n int) {
	for _, f := range corpus {
		for _, w := range f.window {
			if w[1] > f.from {
				n++
			}
		}
	}
	return n
}

// nabScore is a score between 0, as of a detector that tells nothing, and 100 of a perfect one.
type nabScore struct {
	Score     float64 `json:"score"`
	Threshold float64 `json:"threshold"` // the best one, for which the score holds; 0: it is best to tell nothing
	Default   float64 `json:"score_at_the_default"`
}

// score judges the corpus under a profile at its best threshold, and at 1.
func (p nabProfile) score(corpus []*nabFile) nabScore {
	var all []edge
	for _, f := range corpus {
		all = append(all, f.edges(p)...)
	}
	slices.SortFunc(all, func(a, b edge) int {
		switch {
		case a.at > b.at:
			return -1
		case a.at < b.at:
			return 1
		}
		return 0
	})
	n := float64(windows(corpus))
	out := nabScore{}
	best, sum := 0.0, 0.0
	for i := 0; i < len(all) && !math.IsInf(all[i].at, -1); {
		at := all[i].at
		for ; i < len(all) && all[i].at == at; i++ {
			sum += all[i].change
		}
		if sum > best {
			best, out.Threshold = sum, at
		}
		if at >= 1 {
			out.Default = sum
		}
	}
	whole := n * (p.hit + p.missed) // from all missed to all found at once
	out.Score, out.Default = 100*best/whole, 100*out.Default/whole
	return out
}
