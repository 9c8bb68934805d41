package main

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

func TestRatioSeriesMoments(t *testing.T) {
	s := newRatioSeries(600, seeded(1))
	visitors, converted, kept, expected := 0.0, 0.0, 0.0, 0.0
	const weeks = 30
	for i := range int64(weeks * perWeek) {
		unix := epoch + i*fiveMin
		c, v := s.next(unix, 1)
		if c > v || c != math.Floor(c) || v != math.Floor(v) || c < 0 {
			t.Fatalf("%v of %v", c, v)
		}
		visitors, converted = visitors+v, converted+c
		c, _ = s.next(unix, dropKeeps)
		kept += c
		expected += s.expected(unix) / perHour
	}
	hours := float64(weeks * hourOfWeek)
	for what, x := range map[string]float64{
		"visitors": visitors / hours / 600, "conversions": converted / visitors / conversion, "kept": kept / converted / dropKeeps, "expected": converted / expected,
	} {
		if math.Abs(x-1) > 0.03 {
			t.Errorf("%s: %.3f times what it should be", what, x)
		}
	}
	if p := ratioPoint(1000, 0, 0); p.Missing == 0 {
		t.Error("a ratio of nobody is a value")
	}
	if p := ratioPoint(1000, 3, 60); p.Value != 0.05 || p.Denominator != 60 || p.Missing != 0 || p.T != 1_000_000 {
		t.Errorf("point %+v", p)
	}
}

// TestIdealTest compares with sums over all outcomes, and checks that the window forgets.
func TestIdealTest(t *testing.T) {
	check := func(converted, visitors float64) {
		t.Helper()
		test := idealTest{p: conversion}
		got := test.next(converted, visitors)
		below, above := 0.0, 0.0
		b := distuv.Binomial{N: visitors, P: conversion}
		for k := 0.0; k <= visitors; k++ {
			if k <= converted {
				below += b.Prob(k)
			}
			if k >= converted {
				above += b.Prob(k)
			}
		}
		want := -math.Log10(2 * min(below, above))
		if below < above {
			want = -want
		}
		if math.Abs(want) < idealLeast {
			want = 0
		}
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%v of %v: %v, want %v", converted, visitors, got, want)
		}
	}
	check(20, 1000)
	check(5, 1000)
	check(45, 1000)
	check(3, 5)
	check(0, 400)
	check(0, 300)
	check(6, 40)
	test := idealTest{p: conversion}
	if x := test.next(0, 1000); x >= 0 {
		t.Errorf("a window without any has %v", x)
	}
	for range 2*perHour - 1 {
		test.next(20, 1000)
	}
	if x := test.next(20, 1000); x != 0 || test.c != 20*2*perHour || test.v != 1000*2*perHour {
		t.Errorf("the first row is still in the window: %v, %+v", x, test)
	}
	if x := (&idealTest{p: conversion}).next(0, 0); x != 0 {
		t.Errorf("nobody came: %v", x)
	}
}

// TestRatios: the ideal test finds every drop where conversions are many and hardly any where they are few, at its price.
func TestRatios(t *testing.T) {
	r := measureRatios(ratioSize{series: 20, repeats: 1, warm: 2, weeks: 6})
	first, last := r.Deciles[0], r.Deciles[deciles-1]
	if first.From != leastTraffic || math.Abs(last.To-mostTraffic) > 1e-6 || last.Drops != 4 || last.Weeks != 8 {
		t.Errorf("deciles %+v … %+v", first, last)
	}
	if last.Ideal < 1 || first.Ideal > 0.5 {
		t.Errorf("ideal test: %v of the drops in the last decile, %v in the first", last.Ideal, first.Ideal)
	}
	for _, l := range r.Deciles {
		if l.IdealA > max(l.Alarms, 1/l.Weeks) {
			t.Errorf("decile %d: the ideal test costs %v, ours %v", l.Decile, l.IdealA, l.Alarms)
		}
	}
	drops := 0
	for _, p := range r.Power {
		drops += p.Drops
	}
	if drops != 40 {
		t.Errorf("%d drops in the ranges, want 40", drops)
	}
}
