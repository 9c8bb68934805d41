package main

import (
	"cmp"
	"math"
	"slices"
)

const (
	borderSteps = 6   // border widths, from none to the widest
	rankCuts    = 250 // ranks at which precision and recall are read: so many evenly, so many by ratio
)

// vusPR is the volume under the precision-recall surface (Paparrizos et al., VLDB 2022): the mean over border widths of the
// average precision against labels that fade out as sqrt(1 - distance/width), recall weighted by the share of events
// touched. The widest border is 60 rows, 12 when rows are slower than a minute. It needs no threshold.
func (t *track) vusPR() float64 {
	n := len(t.score)
	if n == 0 || len(t.event) == 0 {
		return 0
	}
	widest := 60
	if t.Resolution > 60 {
		widest = 12
	}
	order := make([]int, n) // rows, highest score first; ties in the order of time
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.score[b], t.score[a]) })
	cuts := make([]int, 0, 2*rankCuts)
	for k := range rankCuts {
		f := float64(k) / (rankCuts - 1)
		cuts = append(cuts, int(f*float64(n-1)), int(math.Pow(float64(n), f))-1)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)

	labelled := 0
	for _, e := range t.event {
		labelled += e[1] - e[0]
	}
	sum := 0.0
	soft := make([]float64, n)
	for k := range borderSteps {
		t.soften(soft, widest*k/(borderSteps-1))
		sum += t.averagePrecision(soft, float64(labelled), order, cuts)
	}
	return sum / borderSteps
}

// soften writes the faded labels of one border width. Half of the border lies on each side of an event.
func (t *track) soften(soft []float64, width int) {
	clear(soft)
	for _, e := range t.event {
		for i := e[0]; i < e[1]; i++ {
			soft[i] = 1
		}
		for d := 1; d <= width/2; d++ {
			w := math.Sqrt(1 - float64(d)/float64(width))
			if i := e[0] - d; i >= 0 {
				soft[i] = max(soft[i], w)
			}
			if i := e[1] - 1 + d; i < len(soft) {
				soft[i] = max(soft[i], w)
			}
		}
	}
}

func (t *track) averagePrecision(soft []float64, labelled float64, order, cuts []int) float64 {
	var peaks []float64 // highest score of each faded event
	softSum := 0.0
	for i, w := range soft {
		if w == 0 {
			continue
		}
		softSum += w
		if i == 0 || soft[i-1] == 0 {
			peaks = append(peaks, t.score[i])
		}
		last := &peaks[len(peaks)-1]
		*last = max(*last, t.score[i])
	}
	slices.Sort(peaks)
	full := (labelled + softSum) / 2
	hit, next, recallBefore, area := 0.0, 0, 0.0, 0.0
	for _, cut := range cuts {
		for ; next <= cut; next++ {
			hit += soft[order[next]]
		}
		below, _ := slices.BinarySearch(peaks, t.score[order[cut]])
		recall := min(hit/full, 1) * float64(len(peaks)-below) / float64(len(peaks))
		area += max(recall-recallBefore, 0) * hit / float64(cut+1)
		recallBefore = recall
	}
	return area
}
