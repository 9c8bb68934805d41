package main

import (
	"math"
	"time"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/series"
)

// This file is all that the harness knows of the detector. Whatever else changes in the model, change it here.

// verdict is what a detector says of one row before it learns from it.
type verdict struct {
	score         float64 // ±1 is the edge of the band; 0 while unknown
	excess        float64 // what budgets are kept by
	center        float64
	lower, upper  float64
	known, silent bool // silent: the row was missing
}

// anomalous is the product's own decision on a row.
func (v verdict) anomalous() bool { return math.Abs(v.score) >= 1 }

// detector judges the rows of one series in the order of time.
type detector struct{ model *baseline.Model }

// newDetector returns a detector at its defaults for rows that are step apart, in UTC.
func newDetector(step time.Duration) *detector {
	return &detector{model: baseline.New(utc, max(step, time.Second))}
}

// newRatioDetector is for rows that bring a denominator and share no events.
func newRatioDetector(step time.Duration) *detector {
	return &detector{model: baseline.New(utc, step, baseline.OfRatio(step))}
}

func (d *detector) step(p series.Point) verdict {
	v, _, _ := d.model.Step(p)
	return verdict{
		score: v.Score, excess: v.Excess, center: v.Center, lower: v.Lower, upper: v.Upper,
		known: v.Known, silent: p.Missing != series.Observed,
	}
}

// expected is what the model would expect at a time to come, unix milliseconds.
func (d *detector) expected(t int64) float64 { return d.model.Expect(t).Center }

var utc = func() *calendar.Zone {
	z, err := calendar.Load("UTC")
	if err != nil {
		panic(err) // the zones are embedded
	}
	return z
}()
