package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/series"
)

// TestPlots plays every story's beginning and end without a detector: what happens is what its name says.
func TestPlots(t *testing.T) {
	byName := map[string]plot{}
	for _, p := range plots() {
		byName[p.name] = p
	}
	check := func(name string, row int64, want float64) {
		t.Helper()
		p, ok := byName[name]
		if !ok {
			t.Fatalf("no story %q", name)
		}
		if got := p.happens(110, row, 100, 5); !near(got, want) {
			t.Errorf("%s: row %d is %v, want %v", name, row, got, want)
		}
	}
	check("nothing, three weeks", 50, 110)
	check("growth by 5 % a week", 0, 110)
	check("growth by 5 % a week", perWeek, 115)
	check("level rises by 40 % and stays", 20*dayRows, 150)
	check("level falls by 30 % and stays", 0, 80)
	check("falls by 30 % for six hours", 6*hourRows-1, 80)
	check("falls by 30 % for six hours", 6*hourRows, 110)
	check("falls to exactly 0 for an hour", 3, 0)
	check("falls by half, slowly over six hours", 3*hourRows, 85)
	check("falls by half, slowly over six hours", 7*hourRows, 60)
	check("noise five times as strong for six hours", 1, 150)

	once := toldOnce(hourRows, 2*dayRows)
	for _, c := range []struct {
		told []alarmSpan
		want bool
	}{
		{nil, false},
		{[]alarmSpan{{0, 100}}, true},
		{[]alarmSpan{{hourRows, 100}}, false},
		{[]alarmSpan{{0, 2 * dayRows}}, false},
		{[]alarmSpan{{0, 1}, {300, 300}}, false},
	} {
		if once(c.told) != c.want {
			t.Errorf("told once of %v: want %v", c.told, c.want)
		}
	}
}

// TestCausality: scores up to a row do not know what comes after it, nor the labels.
func TestCausality(t *testing.T) {
	for kind := range nullKinds {
		if l := causalShort.check(kind); l.Garbage != l.Cuts || !l.Permuted {
			t.Errorf("%v: %+v", kind, l)
		}
	}
}

// TestCausalityWouldNotice: a difference up to the row is seen, one behind it is not.
func TestCausalityWouldNotice(t *testing.T) {
	rows := plantedRows(gaussian, 3*perWeek)
	e := entry{Resolution: fiveMin, Split: 1}
	want := replay(e, rows)
	other := slices.Clone(rows)
	k := len(rows) - 100
	other[k].Point = series.Point{T: rows[k].T, Value: rows[k].Value * 1.001}
	got := replay(e, other)
	if !same(want, got, k-1) || same(want, got, k) {
		t.Errorf("rows before %d the same: %v, up to it: %v", k, same(want, got, k-1), same(want, got, k))
	}
}

// TestShortForms runs every command that needs no data, small, in both forms of output.
func TestShortForms(t *testing.T) {
	for _, c := range commands {
		if c.needs {
			continue
		}
		args := []string{c.name, "-short", "-taxi", "../../cmd/baseliner/testdata/nab/nyc_taxi.csv.gz"}
		var text, object strings.Builder
		if err := run(args, &text); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !strings.HasPrefix(text.String(), "### ") || strings.Count(text.String(), "\n| ") < 2 {
			t.Errorf("%s prints no table:\n%s", c.name, text.String())
		}
		if err := run(append(args, "-json"), &object); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var parsed map[string]map[string]any
		if err := json.Unmarshal([]byte(object.String()), &parsed); err != nil || len(parsed[c.name]) == 0 {
			t.Errorf("%s -json: %v in %s", c.name, err, object.String())
		}
	}
}

// TestTaxi holds the data to what is known of it; what is found is told by docs/accuracy.md.
func TestTaxi(t *testing.T) {
	f, err := runTaxi(options{taxi: "../../cmd/baseliner/testdata/nab/nyc_taxi.csv.gz"})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := f.(*taxiReport)
	if !ok || r.Rows != 10320 || r.Events != 5 || r.Found < 4 {
		t.Errorf("taxi %+v", r)
	}
}
