package main

import (
	"errors"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/report"
	"github.com/baseliner/baseliner/pkg/series"
)

// envelopeOfFile looks at all columns but the load and the outcome.
func (o *reportOptions) envelopeOfFile(t *hourly) (*report.Document, error) {
	volume, err := o.traffic(t)
	if err != nil {
		return nil, err
	}
	if volume == nil {
		return nil, errors.New("--volume is required: the column that is the load (none is named visits, sessions or requests)")
	}
	var all []*correlate.Series
	for _, s := range t.columns {
		if s != volume && s.Name != o.outcome && s.Layer != series.Business {
			all = append(all, s)
		}
	}
	return envelopeOf(t.frame, all, volume, t.zone)
}

func envelopeOf(f *correlate.Frame, all []*correlate.Series, volume *correlate.Series, zone *calendar.Zone) (*report.Document, error) {
	envelopes, err := correlate.Envelopes(f, all, volume)
	if err != nil {
		return nil, err
	}
	in := report.EnvelopeInput{
		From: zone.Local(f.First * hourMillis), To: zone.Local((f.First + int64(f.Rows())) * hourMillis), Traffic: volume.Name, Envelopes: envelopes,
	}
	return report.NewEnvelope(in).Document(), nil
}
