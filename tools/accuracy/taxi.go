package main

import (
	"github.com/baseliner/baseliner/pkg/ingest/csv"
)

// taxiReport is what is found of New York's taxi rides: marathon, Thanksgiving, Christmas, New Year and a blizzard. NAB's
// windows are days wide, so that a flag anywhere in one finds it.
type taxiReport struct {
	Rows    int  `json:"rows"`
	Events  int  `json:"events"`
	Found   int  `json:"found"`
	Alarms  int  `json:"false_alarms"`
	Flagged int  `json:"flagged_rows"`
	Row     line `json:"protocol"`
}

func runTaxi(o options) (finding, error) {
	rows, err := csv.ReadFile(o.taxi)
	if err != nil {
		return nil, err
	}
	e := entry{Name: "nyc_taxi", Resolution: int64(stepOf(rows).Seconds()), Split: 1} // every row is judged
	t := replay(e, rows)
	c := t.decided()
	return &taxiReport{
		Rows: len(rows), Events: c.events, Found: c.found + c.late, Alarms: c.alarms, Flagged: c.flagged, Row: newLine(e.Name, 1, c),
	}, nil
}

func (r *taxiReport) tables() []table {
	t := table{title: "New York's taxis, half an hour, seven months", head: []string{"rows", "events", "found", "false alarms", "flagged rows"}}
	t.row(r.Rows, r.Events, r.Found, r.Alarms, r.Flagged)
	return []table{t}
}
