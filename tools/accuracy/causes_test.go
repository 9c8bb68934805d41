package main

import (
	"compress/gzip"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// incidentFolder writes a folder with one incident: db makes shop slow, over rows to learn from in a file of their own.
func incidentFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, ".gz") {
			fmt.Fprint(f, text)
		} else {
			z := gzip.NewWriter(f)
			fmt.Fprint(z, text)
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(3, 3))
	rows := func(from, n int, push float64) string {
		var b strings.Builder
		b.WriteString("timestamp,shop|latency,db|latency,mail|latency\n")
		for i := from; i < from+n; i++ {
			w := push * (1.5 + math.Sin(float64(i)))
			fmt.Fprintf(&b, "%d,%.3f,%.3f,%.3f\n", 60*i, 100+w+r.NormFloat64(), 50+w+r.NormFloat64(), 20+r.NormFloat64())
		}
		return b.String()
	}
	put("index.json", `[{"id":"one","dataset":"set"},{"id":"hidden","dataset":"set"}]`)
	put("set/one/meta.json", `{"scenario":"run","target":["shop|latency"],"root_cause_services":["db"],"anomaly_start":60000,
		"candidates":["db","mail"],"normal_file":"../_normal/run.csv.gz","graph_file":"../_normal/graph.json"}`)
	put("set/one/metrics.csv.gz", rows(1000, 8, 20))
	put("set/hidden/meta.json", `{"metric_visible":false}`)
	put("set/_normal/run.csv.gz", rows(0, 330, 0))
	put("set/_normal/graph.json", `{"edges_caller_to_callee":[["shop","db"]]}`)
	return dir
}

func TestCauses(t *testing.T) {
	dir := incidentFolder(t)
	var out strings.Builder
	if err := run([]string{"causes", "-data", dir}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| **baseliner** | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |",
		"| ranked by | set (1): top 1 |", "| run | shop latency | 110 |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("missing %q in\n%s", want, out.String())
		}
	}
	if err := run([]string{"causes", "-data", t.TempDir()}, &out); err == nil || !strings.Contains(err.Error(), "index.json") {
		t.Errorf("a folder without incidents: %v", err)
	}
}

// TestRecall counts the first root cause among the candidates, by service.
func TestRecall(t *testing.T) {
	ranks := []int{1, 3, 0, 6}
	cases := make([]*knownIncident, len(ranks))
	for i := range cases {
		cases[i] = &knownIncident{Dataset: "set"}
	}
	got := recall(cases, func(i int) int { return ranks[i] })
	if s := got[0]; s.Incidents != 4 || s.Top1 != 0.25 || s.Top3 != 0.5 || math.Abs(s.Avg5-(1+0.6)/4) > 1e-12 {
		t.Errorf("%+v", s)
	}
	if got[1] != (recalls{"mean", 4, got[0].Top1, got[0].Top3, got[0].Avg5}) {
		t.Errorf("mean %+v", got[1])
	}
}
