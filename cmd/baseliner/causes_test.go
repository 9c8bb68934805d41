package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// causesCSV is two hours of minutes of a shop whose database gets slow after an hour and a half, for ten minutes.
func causesCSV() string {
	r := rand.New(rand.NewPCG(11, 11))
	var b strings.Builder
	b.WriteString("timestamp,shop|conversion,checkout|latency|p95,db|latency|p95,db|cpu,mail|latency|p95,search|cpu\n")
	for i := range 120 {
		w := 0.0
		if i >= 90 && i < 100 {
			w = 1.5 + math.Sin(float64(i))
		}
		conversion, late := 5-0.5*w+0.1*r.NormFloat64(), r.NormFloat64()
		if i < 93 { // people give up some minutes later
			conversion = 5 + 0.1*r.NormFloat64()
		}
		fmt.Fprintf(&b, "%d,%.4f,%.3f,%.3f,%.3f,%.3f,", 1_700_000_000+60*i, conversion, 200+40*w+5*late, 50+45*w+2*r.NormFloat64(), 30+20*w+r.NormFloat64(), 80+r.NormFloat64())
		if i%10 > 0 { // one in ten is missing
			fmt.Fprintf(&b, "%.3f", 60+r.NormFloat64())
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestCauses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	input := write(t, dir, "export.csv", causesCSV())
	graph := write(t, dir, "graph.json", `{"edges_caller_to_callee":[["shop","checkout"],["checkout","db"],["shop","search"]]}`)
	args := []string{"causes", "--input=" + input, "--outcome=shop|conversion", "--at=1700005400", "--until=2023-11-14T23:53:00Z", "--graph=" + graph}

	var answer causesAnswer
	if err := json.Unmarshal([]byte(must(t, append(args, "--format=json")...)), &answer); err != nil {
		t.Fatal(err)
	}
	if !answer.Explained || len(answer.Causes) != 5 || answer.Causes[0].Service != "db" || answer.Causes[0].Label != "strong" {
		t.Errorf("answer %+v", answer)
	}
	for i, c := range answer.Causes {
		if i > 0 && c.Score > answer.Causes[i-1].Score {
			t.Errorf("%s stands behind a smaller score", c.Column)
		}
		if (c.Service == "mail" || c.Service == "search") && c.Label != "" {
			t.Errorf("%s did nothing and is labelled %q", c.Column, c.Label)
		}
	}
	if len(answer.First) != 1 || answer.First[0].Service != "db" || answer.First[0].Onset == nil || *answer.First[0].Onset != 1_700_005_400 {
		t.Errorf("first movers %+v", answer.First)
	}
	text := must(t, args...)
	for _, want := range []string{"shop|conversion was ", "First to move: db|", "\ndb|", "strong", "need not cause each other"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	if quiet := must(t, "causes", "--input="+input, "--outcome=search|cpu", "--at=1700003000", "--until=1700003300"); !strings.Contains(quiet, "Nothing explains it") {
		t.Errorf("a quiet window is explained:\n%s", quiet)
	}
}

func TestCausesThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	input := write(t, dir, "export.csv", causesCSV())
	check := func(want string, args ...string) {
		t.Helper()
		for flag, value := range map[string]string{"--outcome=": "shop|conversion", "--at=": "1700005400"} {
			if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, flag) }) {
				args = append(args, flag+value)
			}
		}
		args = append([]string{"causes", "--input=" + input}, args...)
		if status, _, stderr := command(t, args...); status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit %d, %s; want %q", args[2:], status, stderr, want)
		}
	}
	check(`has no column "shop|orders"; it has shop|conversion, `, "--outcome=shop|orders")
	check("--until=yesterday: not a time", "--until=yesterday")
	check("export.csv: the incident ends before it begins", "--until=1700005300")
	check("export.csv: no row lies in the incident", "--at=1800000000")
	check("--graph: open ", "--graph="+dir+"/none.json")
	check("edge 1 has 1 names", "--graph="+write(t, dir, "short.json", `{"edges_caller_to_callee":[["shop"]]}`))
	check("it has no edges", "--graph="+write(t, dir, "empty.json", `{}`))
	check("none of its services has a column", "--graph="+write(t, dir, "other.json", `{"edges_caller_to_callee":[["a","b"]]}`))
	check("must be one of table,json", "--format=xml")
}
