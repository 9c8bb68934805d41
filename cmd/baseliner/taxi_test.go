package main

import (
	"encoding/json"
	"testing"

	"github.com/baseliner/baseliner/pkg/pipeline"
)

// TestTaxi replays half a year of New York's taxis: marathon, Thanksgiving, Christmas, New Year and a blizzard.
func TestTaxi(t *testing.T) {
	t.Parallel()
	text := must(t, "backtest", "--input=testdata/nab/nyc_taxi.csv.gz", "--format=json")
	var s struct {
		Series []tested
		Alerts []pipeline.Alert
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	taxi := s.Series[0]
	if taxi.Rows != 10320 || taxi.Resolution != 1800 || taxi.Events != 5 {
		t.Fatalf("not the series that is meant: %+v", taxi)
	}
	t.Logf("%d of 5 events found, %d alerts outside of them, %d in all", taxi.Found, taxi.False, taxi.Alerts)
	if taxi.Found < 4 || taxi.False > 5 {
		t.Errorf("want 4 of 5 at least, and 5 at most outside")
	}
	const first, threeWeeks = int64(1_404_172_800_000), int64(1_404_172_800_000 + 21*86_400_000)
	for _, a := range s.Alerts {
		t.Logf("%d rows after the begin: %s", (a.StartsAt-first)/1_800_000, a.Summary)
		if a.StartsAt < threeWeeks {
			t.Errorf("alert within the first three weeks: %+v", a)
		}
	}
}
