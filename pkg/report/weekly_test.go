package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestWeeklyWithoutRelations(t *testing.T) {
	nan := Number(math.NaN())
	w := NewWeekly(WeeklyInput{
		To: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
		Signals: []SignalWeek{
			{Name: "quiet", Layer: "application", Alarms: 0.2, Budget: 1, Coverage: 0.999, Series: 2},
			{Name: "young", Layer: "application", Alarms: nan, Budget: 1, Coverage: nan, Series: 3, Learning: 2, Missing: 1},
			{Name: "noisy|one", Layer: "infrastructure", Alarms: 4, Budget: 1, Coverage: 0.91, Series: 1},
		},
	})
	if w.Signals[0].Name != "noisy|one" || w.Signals[2].Name != "young" {
		t.Errorf("not the noisiest first: %+v", w.Signals)
	}
	var md, data, page, rows bytes.Buffer
	for f, b := range map[Format]*bytes.Buffer{Markdown: &md, JSON: &data, HTML: &page, CSV: &rows} {
		if err := w.Document().Write(b, f); err != nil {
			t.Fatal(f, err)
		}
	}
	for _, want := range []string{
		"# The week of 16 November 2026", "Mon 16 November 00:00 to Mon 23 November 00:00, UTC", "No business figure was far from its usual.",
		"Alarms come at 4.2 a week over 3 signals, which may cost 2.0. 2 series are being learnt, 1 are silent.",
		`| noisy\|one | infrastructure | 4.0 | 1.0 |`, "| young | application | not known yet | 1.0 |", "the band is too narrow",
	} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("no %q in\n%s", want, md.String())
		}
	}
	if strings.Contains(md.String(), "| quiet | 2 |") {
		t.Error("a healthy signal is listed under health")
	}
	var back struct {
		Signals []struct {
			Signal string
			Alarms *float64 `json:"alarms_per_week"`
		}
	}
	if err := json.Unmarshal(data.Bytes(), &back); err != nil || len(back.Signals) != 3 || back.Signals[2].Alarms != nil {
		t.Errorf("%v in %s", err, data.String())
	}
	if !strings.Contains(rows.String(), "noise,noisy|one,alarms a week,4.0\n") || !strings.Contains(page.String(), "noisy|one</td>") {
		t.Errorf("csv:\n%s", rows.String())
	}
	if err := w.Document().Write(&md, "pdf"); err == nil {
		t.Error("pdf is written")
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
	check(string(rich("a **b** <c>")), "a <b>b</b> &lt;c&gt;")
}
