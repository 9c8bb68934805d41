package main

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/series"
)

// ratioSeries is a conversion rate: visitors come as a Poisson process with a weekly cycle, each converts by himself with
// the same probability. A row counts the visitors of the five minutes before it.
type ratioSeries struct {
	r       *rand.Rand
	week    *weekCycle
	perHour float64 // visitors, mean over the week
	p       float64
}

const conversion = 0.02

func newRatioSeries(perHour float64, r *rand.Rand) *ratioSeries {
	return &ratioSeries{r: r, week: newWeekCycle(r), perHour: perHour, p: conversion}
}

// expected is the number of conversions per hour that is usual at a time, unix seconds.
func (s *ratioSeries) expected(unix int64) float64 { return s.perHour * s.week.at(unix) * s.p }

// next draws the visitors of a row and how many of them convert, with the probability times keep.
func (s *ratioSeries) next(unix int64, keep float64) (converted, visitors float64) {
	visitors = distuv.Poisson{Lambda: s.perHour * s.week.at(unix) / perHour, Src: s.r}.Rand()
	if visitors > 0 {
		converted = distuv.Binomial{N: visitors, P: s.p * keep, Src: s.r}.Rand()
	}
	return converted, visitors
}

// ratioPoint is the row as the product sees it.
func ratioPoint(unix int64, converted, visitors float64) series.Point {
	if visitors == 0 {
		return series.Point{T: unix * 1000, Missing: series.ZeroDenominator}
	}
	return series.Point{T: unix * 1000, Value: converted / visitors, Denominator: visitors}
}
