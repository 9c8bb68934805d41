package ingest

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// admit says whether a series may be one of the store's. What is established is never given up for what is new.
func (a *appender) admit(ls labels.Labels) *RefusedError {
	l := a.guard.limits
	if err := l.fit(ls); err != nil {
		return err
	}
	few, full := l.Series == 0 || a.guard.series() < uint64(l.Series), a.guard.memory.Full()
	if few && !full {
		return nil
	}
	if known, ok := a.AppenderV2.(storage.GetRef); ok {
		if ref, _ := known.GetRef(ls, ls.Hash()); ref != 0 {
			return nil
		}
	}
	if few {
		return &RefusedError{MemoryLimit, fmt.Sprintf("%s is new, and memory is nearly used up (limits.memory_bytes)", abridged(ls))}
	}
	return &RefusedError{SeriesLimit, fmt.Sprintf("%s is new, and there are %d series already (limits.series)", abridged(ls), l.Series)}
}

// Fits says whether a series is within the limits of labels.
func (g *Guard) Fits(ls labels.Labels) *RefusedError { return g.limits.fit(ls) }

// fit says whether a series is within its limits.
func (l Limits) fit(ls labels.Labels) (why *RefusedError) {
	n := 0
	ls.Range(func(one labels.Label) {
		n++
		switch {
		case why != nil:
		case l.LabelNameBytes > 0 && len(one.Name) > l.LabelNameBytes:
			why = &RefusedError{LabelTooLong, fmt.Sprintf("a label name of %d bytes is longer than %d", len(one.Name), l.LabelNameBytes)}
		case l.LabelValueBytes > 0 && len(one.Value) > l.LabelValueBytes:
			why = &RefusedError{LabelTooLong, fmt.Sprintf("the value of label %s has %d bytes, %d are allowed (limits.label_value_bytes)", one.Name, len(one.Value), l.LabelValueBytes)}
		}
	})
	if why == nil && l.Labels > 0 && n > l.Labels {
		why = &RefusedError{LabelLimit, fmt.Sprintf("%s has %d labels, %d are allowed (limits.labels)", abridged(ls), n, l.Labels)}
	}
	return why
}

// abridged prints labels for a message: who makes too many of them is not given more room here.
func abridged(ls labels.Labels) string {
	const longest = 300
	s := ls.String()
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}
