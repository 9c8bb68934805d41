package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/baseliner/baseliner/pkg/series"
)

// Case is what is to be explained: series on common times, the window in which something happened, and which of the
// series is the outcome that suffered. Rows outside the window are taken for normal.
type Case struct {
	Times  []int64 // unix milliseconds, ascending
	Series []Series
	// From and Until bound the incident, both inclusive, in unix milliseconds.
	From, Until int64
	// Graph is who calls whom; nil when that is not known.
	Graph *Graph
	// Floor is the smallest scale, where values are in units in which one is known; else 0.
	Floor float64
}

// Series is a column of a case.
type Series struct {
	Name    string
	Service string // what it belongs to; series of the same service are judged together
	Signal  string // what is measured, and which statistic of it: the same for the same signal of another service
	Layer   series.Layer
	Outcome bool      // what suffered; several outcomes are several views of it
	Values  []float64 // one for each time; NaN where there is none
}

// Named fills in service and signal from a name in the form service|metric[|statistic]. A name of one part is a service
// of its own.
func Named(name string, values []float64) Series {
	s := Series{Name: name, Service: name, Values: values}
	if service, signal, ok := strings.Cut(name, "|"); ok {
		s.Service, s.Signal = service, signal
	}
	return s
}

// metric is the signal without its statistic.
func (s *Series) metric() string {
	m, _, _ := strings.Cut(s.Signal, "|")
	return m
}

// Fewer normal rows than these say nothing of what is usual.
const fewestNormal = 5

// before is how many times the length of the incident is looked at before it, to see what moved with the outcome; and
// how many rows at least.
const (
	before      = 4
	leastBefore = 12
)

// rows are the indices of a case's times by what they are used for.
type rows struct {
	normal   []int // outside the window
	incident []int // inside
	recent   []int // the incident and what came just before it, ascending
}

// split sorts the rows. What is missing before the incident is taken from after it.
func (c *Case) split() (r rows, err error) {
	for i, t := range c.Times {
		if t >= c.From && t <= c.Until {
			r.incident = append(r.incident, i)
		} else {
			r.normal = append(r.normal, i)
		}
	}
	switch {
	case c.From > c.Until:
		return r, errors.New("the incident ends before it begins")
	case len(r.incident) == 0:
		return r, errors.New("no row lies in the incident")
	case len(r.normal) < fewestNormal:
		return r, fmt.Errorf("only %d rows lie outside the incident: at least %d are needed to know what is normal", len(r.normal), fewestNormal)
	}
	first, last, want := r.incident[0], r.incident[len(r.incident)-1], max(before*len(r.incident), leastBefore)
	for i := first - 1; i >= 0 && want > 0; i, want = i-1, want-1 {
		r.recent = append(r.recent, i)
	}
	for i := last + 1; i < len(c.Times) && want > 0; i, want = i+1, want-1 {
		r.recent = append(r.recent, i)
	}
	r.recent = append(r.recent, r.incident...)
	slices.Sort(r.recent)
	return r, nil
}

// pick returns the values at the rows.
func pick(values []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = values[r]
	}
	return out
}
