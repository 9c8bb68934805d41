package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/pipeline"
)

const (
	backtestStep  = 300                  // seconds
	backtestRows  = 4 * 7 * 86400 / 300  // four weeks
	backtestFirst = int64(1_757_894_400) // 2025-09-15, a Monday
	plantedAt     = backtestRows - 2*288 // two days before the end …
	plantedRows   = 12                   // … an hour
	missingAt     = backtestRows / 2     // a cell that is empty
)

// backtestCSV makes four weeks of a season with noise, an anomaly in the last one and an empty cell in the middle.
func backtestCSV(rows int) string {
	r := rand.New(rand.NewPCG(7, 7))
	var b strings.Builder
	b.WriteString("timestamp,value,label\n")
	for i := range rows {
		at := backtestFirst + int64(i)*backtestStep
		v := 100 + 30*math.Sin(2*math.Pi*float64(at%86400)/86400) + 2*r.NormFloat64()
		label := 0
		if i >= plantedAt && i < plantedAt+plantedRows {
			v, label = v+60, 1
		}
		if i == missingAt {
			fmt.Fprintf(&b, "%d,,0\n", at)
			continue
		}
		fmt.Fprintf(&b, "%d,%.3f,%d\n", at, v, label)
	}
	return b.String()
}

// backtestScores runs a backtest and returns the lines of its scores without the header, and of its alerts.
func backtestScores(t *testing.T, input string) (scores []string, alerts []pipeline.Alert, summary string) {
	t.Helper()
	dir := t.TempDir()
	scoresFile, alertsFile := filepath.Join(dir, "scores.csv"), filepath.Join(dir, "alerts.json")
	summary = must(t, "backtest", "--input="+input, "--scores="+scoresFile, "--alerts="+alertsFile, "--format=json")
	text, err := os.ReadFile(scoresFile)
	if err != nil {
		t.Fatal(err)
	}
	header, body, _ := strings.Cut(string(text), "\n")
	if want := "series,timestamp,value,expected,lower,upper,score,anomalous"; header != want {
		t.Fatalf("header %q, want %q", header, want)
	}
	text, err = os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &alerts); err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(body, "\n"), "\n"), alerts, summary
}

// TestBacktest finds a planted hour, and gives a row for every row.
func TestBacktest(t *testing.T) {
	t.Parallel()
	input := write(t, t.TempDir(), "orders.csv", backtestCSV(backtestRows))
	scores, alerts, summary := backtestScores(t, input)
	if len(scores) != backtestRows {
		t.Fatalf("%d rows of scores for %d of input", len(scores), backtestRows)
	}
	for i, line := range scores {
		wantScore(t, i, strings.TrimSuffix(line, "\n"))
	}
	var s struct {
		Series []tested
		Alerts []pipeline.Alert
	}
	if err := json.Unmarshal([]byte(summary), &s); err != nil {
		t.Fatalf("%v in %s", err, summary)
	}
	if len(s.Series) != 1 || len(s.Alerts) != len(alerts) {
		t.Fatalf("summary: %s", summary)
	}
	one := s.Series[0]
	if one.Series != "orders" || one.Rows != backtestRows || one.Missing != 1 || one.Resolution != backtestStep || one.Events != 1 || one.Found != 1 || one.False > 2 {
		t.Errorf("summary: %+v", one)
	}
	start := (backtestFirst + plantedAt*backtestStep) * 1000
	found := 0
	for _, a := range alerts {
		if a.StartsAt == start {
			found++
			if a.Signal != "orders" || a.Direction != "up" || a.EndsAt < start+(plantedRows-1)*backtestStep*1000 || a.Score < 1 || !(a.Observed > a.Upper && a.Upper > a.Expected && a.Expected > a.Lower) {
				t.Errorf("alert: %+v", a)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d alerts start with the planted hour: %+v", found, alerts)
	}
	if table := must(t, "backtest", "--input="+input); !strings.Contains(table, "SERIES") || !strings.Contains(table, "1 of 1") {
		t.Errorf("table: %s", table)
	}
}

// wantScore checks a row against its input and against itself.
func wantScore(t *testing.T, i int, line string) {
	t.Helper()
	cells := strings.Split(line, ",")
	if want := strconv.FormatInt(backtestFirst+int64(i)*backtestStep, 10); len(cells) != 8 || cells[0] != "orders" || cells[1] != want {
		t.Fatalf("row %d is %q, want 8 cells of orders at %s", i, line, want)
	}
	number := func(c int) float64 {
		if cells[c] == "" {
			return math.NaN()
		}
		v, err := strconv.ParseFloat(cells[c], 64)
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		return v
	}
	value, lower, upper, score := number(2), number(4), number(5), number(6)
	if math.IsNaN(value) != (i == missingAt) {
		t.Errorf("row %d: value %q", i, cells[2])
	}
	if anomalous := math.Abs(score) >= 1; (cells[7] == "1") != anomalous {
		t.Errorf("row %d: score %s and anomalous %s", i, cells[6], cells[7])
	}
	// The bounds are where the score would be 1.
	if outside := value < lower || value > upper; !math.IsNaN(value) && outside != (math.Abs(score) >= 1) {
		t.Errorf("row %d: %q: outside %t", i, line, outside)
	}
	if planted := i >= plantedAt && i < plantedAt+plantedRows; planted && cells[7] != "1" {
		t.Errorf("row %d was planted and not seen: %s", i, line)
	}
}

// TestBacktestIsCausal cuts the file: what was said of the rows before the cut stays the same to the byte.
func TestBacktestIsCausal(t *testing.T) {
	t.Parallel()
	whole := backtestCSV(backtestRows)
	all, _, _ := backtestScores(t, write(t, t.TempDir(), "orders.csv", whole))
	lines := strings.SplitAfter(whole, "\n")
	for _, rows := range []int{2, 600, missingAt + 1, plantedAt + 1, backtestRows - 1} {
		cut := strings.Join(lines[:1+rows], "")
		some, _, _ := backtestScores(t, write(t, t.TempDir(), "orders.csv", cut))
		if len(some) != rows {
			t.Fatalf("%d rows of scores for %d of input", len(some), rows)
		}
		for i := range some {
			if a, b := strings.TrimSuffix(some[i], "\n"), strings.TrimSuffix(all[i], "\n"); a != b {
				t.Fatalf("cut after %d rows, row %d differs:\n%s\n%s", rows, i, a, b)
			}
		}
	}
}

// TestBacktestBadInput says where a file is wrong.
func TestBacktestBadInput(t *testing.T) {
	t.Parallel()
	refused := func(text, want string) {
		t.Helper()
		file := write(t, t.TempDir(), "bad.csv", text)
		status, stdout, stderr := command(t, "backtest", "--input="+file)
		if status != 1 || stdout != "" || !strings.Contains(stderr, file+want) {
			t.Errorf("exit %d, want 1 and …%s\n%s%s", status, want, stdout, stderr)
		}
	}
	refused("timestamp,value\n1757894400,1\n1757894700,many\n", ":3: value: ")
	refused("timestamp,value\nyesterday,1\n", ":2: timestamp: ")
	refused("timestamp,value\n1757894400000,1\n", ":2: timestamp: ")
	refused("timestamp,value,label\n1757894400,1,0\n1757894700,1,perhaps\n", ":3: label: ")
	refused("timestamp,value\n1757894700,1\n1757894400,1\n", ":3: ")
	refused("timestamp,value\n1757894400,1,2\n", ":2: ")
	refused("time,worth\n", ":1: ")
}
