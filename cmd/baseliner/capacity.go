package main

import (
	"errors"
	"fmt"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/report"
	"github.com/baseliner/baseliner/pkg/series"
)

// defaultLimit of a share: beyond four fifths queues grow.
const defaultLimit = 0.8

func (o *reportOptions) capacityOfFile(t *hourly) (*report.Document, error) {
	volume, err := o.traffic(t)
	if err != nil {
		return nil, err
	}
	var all []*correlate.Series
	for _, s := range t.columns {
		if s != volume && s.Name != o.outcome {
			all = append(all, s)
		}
	}
	return capacityOf(t.frame, all, volume, o.limit, t.zone)
}

// capacityOf looks at the shares among the series, which end at limit, a share itself.
func capacityOf(f *correlate.Frame, all []*correlate.Series, volume *correlate.Series, limit float64, zone *calendar.Zone) (*report.Document, error) {
	if !(limit > 0 && limit <= 1) {
		return nil, fmt.Errorf("limit %v is not above 0 and at most 1", limit)
	}
	in := report.CapacityInput{From: zone.Local(f.First * hourMillis), To: zone.Local((f.First + int64(f.Rows())) * hourMillis)}
	if volume != nil {
		in.Traffic = volume.Name
	}
	for _, s := range all {
		if s.Layer == series.Business || s.Kind != correlate.Level {
			continue
		}
		switch s.Unit {
		case "ratio":
			in.Capacities = append(in.Capacities, correlate.CapacityOf(f, s, volume, limit))
		case "percent", "%":
			in.Capacities = append(in.Capacities, correlate.CapacityOf(f, s, volume, 100*limit))
		}
	}
	if len(in.Capacities) == 0 {
		return nil, errors.New("no measurement has the unit ratio or percent, so nothing has a known limit: name a column as in cpu_ratio or cpu_percent, or give the signal its unit in the configuration")
	}
	return report.NewCapacity(in).Document(), nil
}
