package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/report"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
)

const defaultFDR = 0.05

// changeOfFile compares before and after --at.
func (o *reportOptions) changeOfFile(t *hourly) (*report.Document, error) {
	if o.at == "" {
		return nil, errors.New("--at is required: when the change was")
	}
	at, err := parseInstant("at", o.at, time.Now())
	if err != nil {
		return nil, err
	}
	volume, err := o.traffic(t)
	if err != nil {
		return nil, err
	}
	in := report.ChangeInput{FDR: defaultFDR, Bad: func(name string) series.Direction { return t.bad(name, o.outcome) }}
	all := make([]*correlate.Series, len(t.columns))
	for i, s := range t.columns {
		if all[i] = s; addsUp(s.Values) && s.Unit == "" {
			all[i] = counted(s, t.perHour)
		}
		if s == volume {
			volume, in.Traffic = all[i], s.Name
		}
	}
	row := int(floorHour(at.UnixMilli()+hourMillis-1) - t.frame.First)
	if row < 0 || row >= t.frame.Rows() {
		return nil, fmt.Errorf("--at=%s is outside the rows of %s", o.at, o.input)
	}
	in.Changes, err = correlate.Changes(t.frame, all, volume, row, t.frame.Rows(), correlate.Options{FDR: in.FDR})
	if err != nil {
		return nil, err
	}
	in.At = t.zone.Local(at.UnixMilli())
	in.Until = t.zone.Local((t.frame.First + int64(min(t.frame.Rows(), row+2*correlate.HoursPerWeek))) * hourMillis)
	return report.NewChange(in).Document(), nil
}

// bad says which direction of a column is bad news: as configured, by its unit, or by its name.
func (t *hourly) bad(name, outcome string) series.Direction {
	for i := range t.defs {
		if t.defs[i].Name == name {
			return badDirection(&t.defs[i])
		}
	}
	if name == outcome {
		return series.Down
	}
	for _, s := range t.columns {
		if s.Name == name && (s.Unit == "seconds" || s.Unit == "milliseconds") {
			return series.Up
		}
	}
	return badByName(name)
}

func badByName(name string) series.Direction {
	for _, word := range []string{"error", "fail", "dropped", "timeout", "abandon"} {
		if strings.Contains(strings.ToLower(name), word) {
			return series.Up
		}
	}
	return series.Both
}

// badDirection of a signal: business figures fall, latencies rise, unless the configuration says otherwise.
func badDirection(d *signal.Definition) series.Direction {
	switch {
	case d.Direction != series.Both:
		return d.Direction
	case d.Unit == "seconds" || d.Unit == "milliseconds":
		return series.Up
	}
	return badByName(d.Name)
}
