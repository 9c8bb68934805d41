package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/ingest/csv"
	"github.com/baseliner/baseliner/pkg/signal"
)

const hourMillis = int64(time.Hour / time.Millisecond)

// hoursOf puts the columns of a wide file on whole hours between two times (zero is open). An hour has the mean of its rows, and none
// where more than a quarter of them is missing; perHour is how many rows that is.
func hoursOf(path string, zone *calendar.Zone, from, to time.Time) (f *correlate.Frame, columns []*correlate.Series, perHour float64, err error) {
	w, err := csv.ReadWide(path)
	if err != nil {
		return nil, nil, 0, err
	}
	if len(w.Times) < 2 {
		return nil, nil, 0, fmt.Errorf("%s: %d rows are no history", path, len(w.Times))
	}
	step := csv.Resolution(w.Times).Milliseconds()
	if step > hourMillis {
		return nil, nil, 0, fmt.Errorf("%s: its rows are %v apart; relations need an hour or less", path, time.Duration(step)*time.Millisecond)
	}
	perHour = float64(hourMillis) / float64(step)
	first, last := floorHour(w.Times[0]+hourMillis-1), floorHour(w.Times[len(w.Times)-1]+step)
	if !from.IsZero() {
		first = max(first, floorHour(from.UnixMilli()+hourMillis-1))
	}
	if !to.IsZero() {
		last = min(last, floorHour(to.UnixMilli()))
	}
	rows := int(last - first)
	if rows <= 0 {
		return nil, nil, 0, fmt.Errorf("%s: no whole hour in the range that was asked for", path)
	}
	f = &correlate.Frame{First: first, Slots: make([]int16, rows)}
	for i := range f.Slots {
		f.Slots[i] = int16(zone.HourOfWeek((first + int64(i)) * hourMillis))
	}
	for c, name := range w.Columns {
		s := &correlate.Series{Name: name, Unit: unitOf(name), Values: make([]float64, rows)}
		n := make([]float64, rows)
		for i, v := range w.Values[c] {
			if at := int(floorHour(w.Times[i]) - first); v == v && at >= 0 && at < rows {
				s.Values[at] += v
				n[at]++
			}
		}
		for i := range s.Values {
			s.Values[i] /= n[i]
			if n[i] < 0.75*perHour {
				s.Values[i] = math.NaN()
			}
		}
		columns = append(columns, s)
	}
	return f, columns, perHour, nil
}

func floorHour(ms int64) int64 {
	h := ms / hourMillis
	if ms%hourMillis < 0 {
		h--
	}
	return h
}

// units by the suffixes of the OpenMetrics and Prometheus conventions.
var units = []struct{ suffix, unit string }{
	{"_seconds", "seconds"},
	{"_milliseconds", "milliseconds"},
	{"_ms", "milliseconds"},
	{"_ratio", "ratio"},
	{"_percent", "percent"},
	{"_bytes", "bytes"},
	{"_bytes_per_second", "bytes_per_second"},
	{"_celsius", "celsius"},
}

// unitOf guesses the unit of a column by its name; statistics such as _p95 may follow.
func unitOf(name string) string {
	name = strings.ToLower(name)
	for _, part := range slices.Backward(strings.Split(name, "|")) {
		for _, u := range units {
			if strings.HasSuffix(part, u.suffix) || strings.Contains(part, u.suffix+"_") {
				return u.unit
			}
		}
	}
	return ""
}

// describe takes layer and unit of the columns that are signals of a configuration.
func describe(columns []*correlate.Series, defs []signal.Definition) {
	for _, s := range columns {
		for i := range defs {
			if d := &defs[i]; d.Name == s.Name {
				s.Layer = d.Layer
				if d.Unit != "" {
					s.Unit = d.Unit
				}
			}
		}
	}
}

// counted makes a count of an hourly mean of rows step apart: their sum.
func counted(s *correlate.Series, perHour float64) *correlate.Series {
	out := *s
	out.Kind = correlate.Count
	out.Values = make([]float64, len(s.Values))
	for i, v := range s.Values {
		out.Values[i] = v * perHour
	}
	return &out
}
