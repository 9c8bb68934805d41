package calendar

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// ranked is a timed event with its place in the list.
type ranked struct {
	from, to int64 // unix milliseconds
	rank     int
}

// byRank is a heap with the event that decides on top.
type byRank []*ranked

func (h byRank) Len() int           { return len(h) }
func (h byRank) Less(i, j int) bool { return h[i].rank < h[j].rank }
func (h byRank) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byRank) Push(x any)        { *h = append(*h, x.(*ranked)) }
func (h *byRank) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// timed turns the timed events into spans that do not overlap: where several apply, the one listed first does.
func (b *builder) timed(zone *Zone) {
	n := 0
	for i := range b.rules.Events {
		if e := &b.rules.Events[i]; e.Kind != AllDay {
			n += len(e.Starts)
		}
	}
	all, bounds := make([]ranked, 0, n), make([]int64, 0, 2*n)
	for i := range b.rules.Events {
		e := &b.rules.Events[i]
		if e.Kind == AllDay {
			continue
		}
		for _, start := range e.Starts {
			r := ranked{start, start + e.Length, i}
			if e.Kind == Floating {
				r.from, r.to = zone.instant(r.from), zone.instant(r.to)
			}
			r.from, r.to = max(r.from, 0), min(r.to, int64(len(b.group))*day)
			if r.from < r.to {
				all = append(all, r)
				bounds = append(bounds, r.from, r.to)
			}
		}
	}
	if len(all) == 0 {
		return
	}
	b.spans = make([]span, 0, len(all))
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.rank, b.rank)) })
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	var open byRank
	for i := 0; i+1 < len(bounds); i++ {
		from, to := bounds[i], bounds[i+1]
		for ; len(all) > 0 && all[0].from == from; all = all[1:] {
			heap.Push(&open, &all[0])
		}
		for len(open) > 0 && open[0].to <= from {
			heap.Pop(&open)
		}
		if len(open) > 0 {
			e := &b.rules.Events[open[0].rank]
			for ; to-from > math.MaxUint32; from += math.MaxUint32 {
				b.span(zone, from, from+math.MaxUint32, e)
			}
			b.span(zone, from, to, e)
		}
	}
}

func (b *builder) span(zone *Zone, from, to int64, e *Event) {
	s := span{from, uint32(to - from), b.number(e.Name), e.Like}
	if n := len(b.spans); n > 0 && b.spans[n-1].to() == from && b.spans[n-1].group == s.group && b.spans[n-1].like == s.like && to-b.spans[n-1].from <= math.MaxUint32 {
		b.spans[n-1].length = uint32(to - b.spans[n-1].from)
	} else {
		b.spans = append(b.spans, s)
	}
	first, last := floorDiv(from+zone.Offset(from), day), floorDiv(to-1+zone.Offset(to-1), day)
	// A clock that was set back over midnight shows a day twice: it may lie outside both ends.
	for d := max(min(first, last)-1, 0); d <= min(max(first, last)+1, int64(len(b.marks))-1); d++ {
		b.marks[d] = true
	}
}

// instant returns when the clock on the wall shows what it would show in UTC at ms. A time that is skipped counts with
// the offset before, one that comes twice is the first, as in package time.
func (z *Zone) instant(ms int64) int64 {
	return ms - z.Offset(ms-z.Offset(ms))
}
