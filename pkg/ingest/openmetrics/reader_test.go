package openmetrics_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/baseliner/baseliner/pkg/ingest/openmetrics"
)

// read returns all samples of a reader, one word each, and the error that ended it.
func read(r *openmetrics.Reader) ([]string, error) {
	var out []string
	for r.Next() {
		s := r.Sample()
		out = append(out, fmt.Sprintf("%s %g @%d", s.Labels, s.V, s.T))
	}
	return out, r.Err()
}

func TestReader(t *testing.T) {
	check := func(f openmetrics.Format, text string, want ...string) {
		t.Helper()
		got, err := read(openmetrics.NewReader("in", strings.NewReader(text), f))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v %q = %q, %v, want %q", f, text, got, err, want)
		}
	}
	check(openmetrics.OpenMetrics, "# EOF\n")
	check(openmetrics.OpenMetrics, "# TYPE orders counter\n# HELP orders Orders.\norders_total{shop=\"a b\"} 5 1404172800\norders_total{shop=\"a b\"} 6 1404172815.5\n# EOF\n",
		`{__name__="orders_total", shop="a b"} 5 @1404172800000`, `{__name__="orders_total", shop="a b"} 6 @1404172815500`)
	check(openmetrics.OpenMetrics, "up 1 1404172800\n# EOF", `{__name__="up"} 1 @1404172800000`) // no newline at the end
	check(openmetrics.OpenMetrics, "# TYPE h histogram\nh_bucket{le=\"1\"} 2 10\n# EOF\n", `{__name__="h_bucket", le="1.0"} 2 @10000`)
	check(openmetrics.OpenMetrics, "a NaN 10\nb +Inf 10\n# EOF\n", `{__name__="a"} NaN @10000`, `{__name__="b"} +Inf @10000`)
	check(openmetrics.Prometheus, "")
	check(openmetrics.Prometheus, "# TYPE up gauge\nup{job=\"x\"} 1 1404172800000\n\nup{job=\"x\"} 0 1404172815500", `{__name__="up", job="x"} 1 @1404172800000`, `{__name__="up", job="x"} 0 @1404172815500`)
	check(openmetrics.Prometheus, "a{q=\"\\\"\\n\"} 1 1404172800000\n", `{__name__="a", q="\"\n"} 1 @1404172800000`)
}

func TestReaderErrors(t *testing.T) {
	check := func(f openmetrics.Format, text, want string, samples int) {
		t.Helper()
		got, err := read(openmetrics.NewReader("in.om", strings.NewReader(text), f))
		if err == nil || !strings.HasPrefix(err.Error(), want) || len(got) != samples {
			t.Errorf("%v %q: %d samples, error %v, want %d and %s", f, text, len(got), err, samples, want)
		}
	}
	check(openmetrics.OpenMetrics, "", "in.om: does not end with # EOF", 0)
	check(openmetrics.OpenMetrics, "up 1 10\n", "in.om: does not end with # EOF", 1)
	check(openmetrics.OpenMetrics, "up 1 10\n# EOF\nup 1 20\n", "in.om:", 1)
	check(openmetrics.OpenMetrics, "up 1 10\nup 1\n# EOF\n", "in.om:2: sample has no timestamp", 1)
	check(openmetrics.OpenMetrics, "up 1 10\n# TYPE a gauge\na{b=} 1 20\n# EOF\n", "in.om:3: expected label value", 1)
	check(openmetrics.OpenMetrics, "up 1 1404172800000\n# EOF\n", "in.om:1: timestamp is out of range: OpenMetrics has seconds", 0)
	check(openmetrics.OpenMetrics, "up 1 1e300\n# EOF\n", "in.om:1: timestamp is out of range", 0)
	check(openmetrics.Prometheus, "up 1 1404172800000\nup 1 1404172815\n", "in.om:2: timestamp 1404172815 looks like seconds", 1)
	check(openmetrics.Prometheus, "up 1 1404172800000\nup\n", "in.om:2: expected value after metric", 1)
	check(openmetrics.Prometheus, "up 1 9223372036854775807\n", "in.om:1: timestamp 9223372036854775807 is out of range", 0)
	check(openmetrics.Prometheus, "up 1 1404172800000\n"+strings.Repeat("x", 300<<10), "in.om:2: line is longer than 256 KiB", 1)
}

// exposition is a long file of n samples, a histogram whose type must not be lost on the way.
func exposition(n int) []byte {
	var b bytes.Buffer
	b.WriteString("# TYPE latency_seconds histogram\n")
	for i := range n {
		fmt.Fprintf(&b, "latency_seconds_bucket{route=\"/checkout\",le=\"%d\"} %d %d\n", i%3+1, i, 1404172800+i)
	}
	b.WriteString("# EOF\n")
	return b.Bytes()
}

func TestLongFile(t *testing.T) {
	const n = 20_000 // several chunks
	r := openmetrics.NewReader("long.om", bytes.NewReader(exposition(n)), openmetrics.OpenMetrics)
	series := map[string]int{}
	i := 0
	for ; r.Next(); i++ {
		s := r.Sample()
		if s.V != float64(i) || s.T != int64(1404172800+i)*1000 {
			t.Fatalf("sample %d = %v", i, s)
		}
		series[s.Labels.Get("le")]++
	}
	if r.Err() != nil || i != n || len(series) != 3 || series["1.0"] != n/3+1 {
		t.Errorf("%d samples of %v, %v; want %d of 3 series", i, series, r.Err(), n)
	}

	text := bytes.Replace(exposition(n), []byte("} 15000 "), []byte("} fifteen "), 1)
	r = openmetrics.NewReader("long.om", bytes.NewReader(text), openmetrics.OpenMetrics)
	for i = 0; r.Next(); i++ {
	}
	if want := "long.om:15002: "; r.Err() == nil || !strings.HasPrefix(r.Err().Error(), want) || i != 15_000 {
		t.Errorf("%d samples, then %v, want 15000 and %s", i, r.Err(), want)
	}
}

func TestOpenTellsTheFormat(t *testing.T) {
	dir := t.TempDir()
	open := func(name string, data []byte) (*openmetrics.Reader, error) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := openmetrics.Open(path)
		if err == nil {
			t.Cleanup(func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return r, err
	}
	check := func(name, text string, want openmetrics.Format, samples int, wantErr string) {
		t.Helper()
		r, err := open(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(r)
		if r.Format() != want || len(got) != samples || (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: %v, %d samples, error %v; want %v, %d, %q", name, r.Format(), len(got), err, want, samples, wantErr)
		}
	}
	check("a.txt", "up 1 1404172800\n# EOF\n", openmetrics.OpenMetrics, 1, "")
	check("b.txt", "up 1 1404172800000\n", openmetrics.Prometheus, 1, "")
	check("c.om", "up 1 1404172800\n", openmetrics.OpenMetrics, 1, "cut short")
	check("d.txt", "up 1 1404172800\n", openmetrics.Prometheus, 0, "cut short")
	check("e.prom", "up 1 1404172800000\n# not the # EOF\n", openmetrics.Prometheus, 1, "")

	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(exposition(9000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	check("f.gz", zipped.String(), openmetrics.OpenMetrics, 9000, "")
	check("g.om.gz", zipped.String(), openmetrics.OpenMetrics, 9000, "")
	if _, err := open("h.gz", zipped.Bytes()[:zipped.Len()/2]); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("half a compressed file: %v", err)
	}
	if r, err := open("i.om.gz", zipped.Bytes()[:zipped.Len()/2]); err != nil {
		t.Error(err)
	} else if _, err := read(r); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("half a compressed file: %v", err)
	}
	if _, err := openmetrics.Open(filepath.Join(dir, "none.om")); err == nil {
		t.Error("a file that does not exist was opened")
	}
}

// FuzzReader holds the reader to its promises on any bytes: labels, a plausible time, errors that say where.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"# TYPE a counter\na_total{b=\"c\"} 1 10 # {id=\"x\"} 1\n# EOF\n",
		"up 1 1404172800000\n# HELP up Up.\nup{} 0 1404172815000",
		"{\"with.dots\",b=\"c\"} 1 1404172800000\n",
		"# EOF\n# EOF\n",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, om bool) {
		format := openmetrics.Prometheus
		if om {
			format = openmetrics.OpenMetrics
		}
		r := openmetrics.NewReader("f", bytes.NewReader(data), format)
		for r.Next() {
			if s := r.Sample(); s.Labels.Len() == 0 || math.Abs(float64(s.T)) > 3e14 {
				t.Fatalf("sample %+v", s)
			}
		}
		if err := r.Err(); err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("error %q does not say where", err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	const n = 100_000
	text := exposition(n)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := openmetrics.NewReader("b", bytes.NewReader(text), openmetrics.OpenMetrics)
		got := 0
		for r.Next() {
			got++
		}
		if got != n || r.Err() != nil {
			b.Fatal(got, r.Err())
		}
	}
}
