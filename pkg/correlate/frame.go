package correlate

import (
	"errors"
	"fmt"
	"math"

	"github.com/baseliner/baseliner/pkg/series"
)

// HoursPerWeek is how many rows a week has.
const HoursPerWeek = 7 * 24

// MinWeeks is how many whole weeks an evaluation needs: with fewer, a baseline of the other weeks says little.
const MinWeeks = 4

// Frame is the time that series are aligned on: rows of one hour, in the order of time.
type Frame struct {
	First int64   // hours since 1970 UTC of the first row
	Slots []int16 // hour of the week of each row where the business lives, 0 to 167
	// Excluded rows are left out of everything: known incidents. nil when there are none.
	Excluded []bool
}

// Rows of the frame.
func (f *Frame) Rows() int { return len(f.Slots) }

// Weeks are the whole weeks in the frame.
func (f *Frame) Weeks() int { return len(f.Slots) / HoursPerWeek }

// Part is the frame of some of its rows, from one to before another.
func (f *Frame) Part(from, to int) *Frame {
	p := &Frame{First: f.First + int64(from), Slots: f.Slots[from:to]}
	if f.Excluded != nil {
		p.Excluded = f.Excluded[from:to]
	}
	return p
}

// Kind says what a row of a series holds.
type Kind uint8

// The kinds.
const (
	Level Kind = iota // mean of the hour: latency, saturation, temperature
	Count             // events, or money, of the hour
	Share             // events of the hour, of as many as there could have been: Series.Of
)

// Series is one signal on the rows of a frame. NaN is a row that is missing.
type Series struct {
	Name   string
	Layer  series.Layer
	Unit   string // as in the configuration: seconds, ratio, …
	Kind   Kind
	Values []float64
	Of     []float64 // denominators of a Share, else nil
}

// Part is the series on Frame.Part.
func (s *Series) Part(from, to int) *Series {
	p := *s
	p.Values = s.Values[from:to]
	if s.Of != nil {
		p.Of = s.Of[from:to]
	}
	return &p
}

// Value is what a row shows: of a Share the ratio, NaN where nothing could have been.
func (s *Series) Value(i int) float64 {
	if s.Kind != Share {
		return s.Values[i]
	}
	if !(s.Of[i] > 0) {
		return math.NaN()
	}
	return s.Values[i] / s.Of[i]
}

var errRows = errors.New("the rows of a series are not those of the frame")

func (s *Series) fits(f *Frame) error {
	if len(s.Values) != f.Rows() || s.Kind == Share && len(s.Of) != f.Rows() {
		return fmt.Errorf("series %q: %w: %d values, %d denominators, %d rows", s.Name, errRows, len(s.Values), len(s.Of), f.Rows())
	}
	return nil
}

// Step is the natural unit in which an effect of a series is told, by its unit: 100 ms, one percentage point. ok is false where
// there is none, and a standard deviation of the residual has to do.
func Step(unit string) (step float64, words string, ok bool) {
	switch unit {
	case "seconds", "second", "s":
		return 0.1, "100 ms", true
	case "milliseconds", "ms":
		return 100, "100 ms", true
	case "ratio":
		return 0.01, "1 percentage point", true
	case "percent", "%":
		return 1, "1 percentage point", true
	case "celsius":
		return 1, "1 °C", true
	}
	return 0, "1 standard deviation", false
}
