package correlate

import (
	"fmt"

	"github.com/baseliner/baseliner/pkg/series"
)

// Grade says how far a relation may be relied on.
type Grade uint8

// The grades.
const (
	NoGrade   Grade = iota
	Unstable        // C: found, but it turns, hangs on one week, or the outcome leads
	Plausible       // B: found and stable; traffic is not known, or last week's evaluation did not say so
	Reliable        // A: found and stable at equal traffic in two evaluations, beyond what any of the tried pairs gives by chance
)

func (g Grade) String() string {
	names := [...]string{"none", "C", "B", "A"}
	if int(g) < len(names) {
		return names[g]
	}
	return fmt.Sprintf("Grade(%d)", uint8(g))
}

// MarshalText is the letter.
func (g Grade) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads the letter.
func (g *Grade) UnmarshalText(b []byte) error {
	for _, k := range []Grade{NoGrade, Unstable, Plausible, Reliable} {
		if k.String() == string(b) {
			*g = k
			return nil
		}
	}
	return fmt.Errorf("grade %q is not one of A, B, C, none", b)
}

// Pair is what is known of one driver and the outcome.
type Pair struct {
	Driver    string
	Layer     series.Layer
	Unit      string
	Step      float64 // of the driver that the effect is told for, in its unit
	StepWords string
	SD        float64 // of the driver's residual, in its unit
	Lo, Hi    float64 // the driver's 1st and 99th percentile, between which the slope was seen

	Why     string    // why it was not tested; else empty
	N       int       // hours
	Ne      float64   // independent ones among them
	R       float64   // correlation of the residuals at the lag
	Lag     int       // hours from the driver to the outcome; negative: the outcome leads
	P       float64   // after all lags that were tried
	Q       float64   // share of chance among all pairs that are at least as sure
	Profile []float64 // correlation at the lags −MaxLag to MaxLag, pre-whitened
	Band    float64   // |correlation| that chance passes once in twenty

	// What the driver was above and below its usual, in steps, on average over the hours, each weighted with its amount of the
	// outcome: an effect times it is about what the relation took in an hour.
	Above, Below float64

	Effect     Effect  // at equal traffic, where that is known
	Total      Effect  // with what traffic the driver keeps away; only of what is shown, and only with traffic
	ChosenLow  float64 // interval of Effect that allows for having been chosen to be shown
	ChosenHigh float64
	Detectable float64 // |Effect.Coef| that would have been seen in four of five cases

	Shown  bool
	Grade  Grade
	Doubts []string // why the grade is not A
	Leader string   // the driver whose finding this is part of, when they move together; itself when it leads

	maybe []Effect // at other plausible lags
}
