package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

const tableSignals = `
global: {timezone: America/New_York}
signals:
  - {name: orders, layer: business, expr: 'sum(increase(orders_total[1d]))', interval: 1d, direction: down}
  - {name: visits, layer: business, expr: 'sum(increase(visits_total[1h]))', interval: 1h}
  - {name: queue, layer: application, expr: 'sum by (shop) (queue)'}
  - {name: conversion, layer: business, ratio: {numerator: 'sum(increase(a[5m]))', denominator: 'sum(increase(b[5m]))'}}
`

// A table of days teaches the week of days, on which a daily signal is judged: rows that are dates mean that date, wherever
// the signal lives. Doing it twice changes nothing.
func TestBackfillOfATableOfDays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := write(t, dir, "c.yml", tableSignals)
	var b strings.Builder
	b.WriteString("timestamp,orders\n")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for d := today.AddDate(0, 0, -80); !d.After(today); d = d.AddDate(0, 0, 1) {
		v := 1000 + float64(d.YearDay()*37%50)
		if d.Weekday() == time.Sunday {
			v /= 2
		}
		fmt.Fprintf(&b, "%s,%g\n", d.Format(time.RFC3339), v)
	}
	file := write(t, dir, "orders.csv", b.String())
	storage := filepath.Join(dir, "data")
	said := must(t, "backfill", "--from="+file, "--config.file="+cfg, "--storage.path="+storage)
	if !strings.Contains(said, "1 series, 79 points") && !strings.Contains(said, "1 series, 80 points") {
		t.Errorf("said %q", said) // the day at hand is not over; in New York yesterday may not be
	}
	week := func() string {
		in := runInstanceOf(t, cfg, storage)
		defer in.stop()
		var profile []struct{ Hours []struct{ Expected float64 } }
		in.data(&profile, "/api/baseliner/v1/baseline", "signal", "orders")
		if len(profile) != 1 {
			t.Fatalf("%d series", len(profile))
		}
		for hour, h := range profile[0].Hours {
			want := 1025.0
			if hour >= 1 && hour <= 23 { // Sunday; its first hour is that of a tick which ends Saturday
				want = 512
			}
			if hour%24 != 0 && math.Abs(h.Expected/want-1) > 0.06 {
				t.Errorf("hour %d of the week expects %v, want about %v", hour, h.Expected, want)
			}
		}
		return fmt.Sprint(profile)
	}
	once := week()
	must(t, "backfill", "--from="+file, "--config.file="+cfg, "--storage.path="+storage)
	if twice := week(); twice != once {
		t.Errorf("the second time:\n%s\nafter\n%s", twice, once)
	}
}

// What a table cannot teach is refused, and why is said.
func TestTablesThatTeachNothingAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := write(t, dir, "c.yml", tableSignals)
	check := func(csv, want string) {
		t.Helper()
		status, _, stderr := command(t, "backfill", "--from="+write(t, dir, "past.csv", csv), "--config.file="+cfg, "--storage.path="+filepath.Join(dir, "data"))
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %q, want %q", csv, status, stderr, want)
		}
	}
	check("timestamp,conversion\n1700000000,0.1\n", "is a ratio")
	check("timestamp,queue\n1700000000,1\n", `name the column "queue{shop=""...""}"`)
	check("timestamp,\"queue{pod=\"\"a\"\"}\"\n1700000000,1\n", "have no label pod")
	check("timestamp,orders\n1700000000,1\n1700010000,2\n", "are one day")
	check("timestamp,visits\n1700000000,1\n1700000060,2\n", "are one hour")
	check("timestamp,nobody\n1700000000,1\n", "no signal of that name")
}

func TestTicksOfRows(t *testing.T) {
	defs := []signal.Definition{{Name: "orders", Interval: signal.Day}, {Name: "visits", Interval: time.Hour}, {Name: "queue", Interval: time.Minute}}
	for i := range defs {
		defs[i].Zone = "America/New_York"
	}
	core, err := pipeline.NewCore(defs)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) int64 {
		tm, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return tm.UnixMilli()
	}
	nan := math.NaN()
	rows := []int64{at("2026-11-01T00:00:00Z"), at("2026-11-01T00:10:00Z"), at("2026-11-01T05:00:00Z"), at("2026-11-02T05:00:00Z")}
	tab, err := newTable(core, rows, []column{
		{signal: "orders", values: []float64{1, nan, nan, 3}},
		{signal: "visits", values: []float64{nan, 10, 20, nan}},
		{signal: "queue", values: []float64{5, 6, nan, nan}},
	}, at("2026-11-02T20:00:00Z"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = tab.each(core, time.Minute, func(tick int64, inputs []pipeline.Input) error {
		line := time.UnixMilli(tick).UTC().Format("02 15:04")
		for _, in := range inputs {
			line += " " + in.Signal.Def.Name
			for _, o := range in.Observations {
				if o.Point.Missing != series.Observed || o.Point.T != tick {
					t.Errorf("%+v", o)
				}
				line += fmt.Sprint("=", o.Point.Value)
			}
		}
		got = append(got, line)
		return nil
	})
	// 1 November is a day of 25 hours there; its row is a date. That of 2 November is not over yet.
	want := []string{"01 00:00 queue=5", "01 00:10 queue=6", "01 01:00 visits=10", "01 04:00 orders", "01 05:00 queue", "01 06:00 visits=20", "02 05:00 orders=1 queue", "02 06:00 visits"}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
