package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestWeekly(t *testing.T) {
	nan, inf := Number(math.NaN()), Number(math.Inf(1))
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC) }
	w := NewWeekly(WeeklyInput{
		To: at(23, 0, 0),
		Incidents: []WeekIncident{
			{ID: "b", Summary: "Incident around search", Start: at(22, 23, 50), Losses: []WeekLoss{{Signal: "searches", Lost: Range{12, -inf, inf}}}},
			{
				ID: "a", Summary: "Incident around orders | eu", Severity: "critical", Start: at(18, 10, 20), End: at(18, 11, 5), First: "db latency", URL: "http://b/incident?id=a",
				Losses: []WeekLoss{ // two regions of one signal add up; the conversion is the same loss once more
					{Signal: "orders", Lost: Range{30, 20, 40}, Money: &Range{1260, 840, 1680}, Of: "EUR"},
					{Signal: "orders", Lost: Range{10, 10, 10}, Money: &Range{420, 420, 420}, Of: "EUR"},
					{Signal: "conversion", Lost: Range{38, 20, 60}, Money: &Range{1596, 840, 2520}, Of: "EUR"},
				},
			},
		},
		Alone: []WeekAlert{{Name: "Visits", Start: at(19, 9, 0), End: at(19, 9, 30), Summary: "visits are low", Impact: "about 900 fewer than expected"}},
		Signals: []SignalWeek{
			{Name: "quiet", Layer: "application", Alarms: 0.2, Budget: 1, Coverage: 0.999, Series: 2},
			{Name: "young", Layer: "application", Alarms: nan, Budget: 1, Coverage: nan, Series: 3, Learning: 2, Missing: 1},
			{Name: "noisy|one", Layer: "infrastructure", Begun: 3, Brief: 2, Quiet: 1, InStory: 1, Alarms: 4, Budget: 1, Coverage: 0.91, Series: 1},
		},
	})
	if w.Signals[0].Name != "noisy|one" || w.Signals[2].Name != "young" || w.Incidents[0].ID != "a" {
		t.Errorf("not the noisiest, or not the oldest first: %+v", w)
	}
	if c := w.Cost; len(c) != 2 || c[0].Unit != "EUR" || c[0].Range != (Range{1680, 1260, 2100}) || c[1].Unit != "searches" || c[1].Value != 12 || !math.IsInf(float64(c[1].Low), -1) {
		t.Errorf("cost %+v", c)
	}
	var md, data, page, rows bytes.Buffer
	for f, b := range map[Format]*bytes.Buffer{Markdown: &md, JSON: &data, HTML: &page, CSV: &rows} {
		if err := w.Document().Write(b, f); err != nil {
			t.Fatal(f, err)
		}
	}
	for _, want := range []string{
		"# The week of 16 November 2026", "Mon 16 November 00:00 to Mon 23 November 00:00, UTC", "**2** incidents, which took **about 1,680 EUR (1,260–2,100 EUR) and about 12 searches**.",
		"3 alerts of 1 signal: 2 over within 10 minutes, 1 without paging. Over the last eight weeks they come at 4.2 a week, and may cost 2.0. 2 series are being learnt, 1 are silent.",
		`| Wed 10:20–11:05 | critical | Incident around orders \| eu | db latency | 1,680 EUR | 1,260–2,100 EUR | http://b/incident?id=a |`,
		"| since Sun 23:50 |  | Incident around search |  | 12 searches | not enough data |", "| Thu 09:00–09:30 | visits are low | about 900 fewer than expected |",
		`| noisy\|one | infrastructure | 3 | 2 | 1 | 1 | 4.0 | 1.0 |`, "| young | application | 0 | 0 | 0 | 0 | not known yet | 1.0 |", "the band is too narrow",
		"that takes four whole weeks",
	} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("no %q in\n%s", want, md.String())
		}
	}
	if strings.Contains(md.String(), "| quiet | 2 |") {
		t.Error("a healthy signal is listed under health")
	}
	var back struct {
		Incidents []WeekIncident
		Signals   []struct {
			Signal string
			Alarms *float64 `json:"alarms_per_week"`
		}
	}
	if err := json.Unmarshal(data.Bytes(), &back); err != nil || len(back.Signals) != 3 || back.Signals[2].Alarms != nil || len(back.Incidents) != 2 || !back.Incidents[1].End.IsZero() {
		t.Errorf("%v in %s", err, data.String())
	}
	if !strings.Contains(rows.String(), "noise,noisy|one,alarms a week,4.0\n") || !strings.Contains(page.String(), "noisy|one</td>") {
		t.Errorf("csv:\n%s", rows.String())
	}
	if err := w.Document().Write(&md, "pdf"); err == nil {
		t.Error("pdf is written")
	}

	head, incidents, health := w.Brief()
	if want := "2 incidents, about 1,680 EUR (1,260–2,100 EUR) and about 12 searches"; head != want {
		t.Errorf("%q, want %q", head, want)
	}
	if len(incidents) != 2 || incidents[0] != "Wed 10:20–11:05: Incident around orders | eu; about 1,680 EUR (1,260–2,100 EUR); http://b/incident?id=a" {
		t.Errorf("%q", incidents)
	}
	if len(health) != 2 || health[1] != "young: 2 of 3 series are being learnt; 1 of 3 series are silent" {
		t.Errorf("%q", health)
	}
	if head, incidents, health := NewWeekly(WeeklyInput{To: at(23, 0, 0)}).Brief(); head != "no incident" || len(incidents)+len(health) > 0 {
		t.Errorf("nothing happened: %q, %q, %q", head, incidents, health)
	}
}

func TestWordsOfNumbers(t *testing.T) {
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check(percent(-12.34), "12 %")
	check(percent(1.234), "1.2 %")
	check(percent(0.4567), "0.46 %")
	check(percent(math.Inf(1)), "any")
	sign := func(v float64) string { return signed(v, "percent") }
	check(between(-11, -3.6, percent, sign), "3.6–11 %")
	check(between(2, 5, percent, sign), "2.0–5.0 %")
	check(between(-2, 5, percent, sign), "−2 % to +5 %")
	check(amount(123456, "EUR"), "123,000 EUR")
	check(amount(0, "EUR"), "0 EUR")
	check(later(0), "within the same hour")
	check(later(1), "about one hour later")
	check(later(-2), "with the outcome 2 hours ahead")
	check(list([]string{"a", "b", "c"}, 2), "a, b and 1 more")
	check(list([]string{"a", "b"}, 2), "a and b")
	check(list(nil, 2), "")
	check(string(rich(`http://b/?a=1&b="2"`)), `<a href="http://b/?a=1&amp;b=&#34;2&#34;">open</a>`)
	check(string(rich("a **b** <c>")), "a <b>b</b> &lt;c&gt;")
}
