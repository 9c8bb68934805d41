package csv_test

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
	"time"

	"github.com/baseliner/baseliner/pkg/ingest/csv"
	"github.com/baseliner/baseliner/pkg/series"
)

// read returns all rows of a text, one word each, and the error that ended it.
func read(text string) ([]string, error) {
	r, err := csv.NewReader("in.csv", strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	var out []string
	for r.Next() {
		row := r.Row()
		s := fmt.Sprintf("%d=%g", row.T, row.Value)
		if row.Missing != series.Observed {
			s = fmt.Sprintf("%d=%v", row.T, row.Missing)
		}
		if row.Truth != csv.Unlabelled {
			s += "/" + row.Truth.String()
		}
		out = append(out, s)
	}
	if r.Next() {
		return out, fmt.Errorf("Next went on after the end")
	}
	return out, r.Err()
}

func TestReader(t *testing.T) {
	check := func(text string, want ...string) {
		t.Helper()
		got, err := read(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("read %q = %q, %v, want %q", text, got, err, want)
		}
	}
	check("timestamp,value\n")
	check("timestamp,value\n1404172800,10844\n1404174600,8127\n", "1404172800000=10844", "1404174600000=8127")
	check("timestamp,value,label\n10,1,0\n20,2,1\n30,3,\n40,4,1.0\n", "10000=1/normal", "20000=2/anomalous", "30000=3", "40000=4/anomalous")
	check("label,value,timestamp\n1,2,10\n", "10000=2/anomalous") // columns by name
	check("timestamp,value\n10,\n20,NaN\n30,+Inf\n40,0\n", "10000=no_data", "20000=not_a_number", "30000=not_a_number", "40000=0")
	check("timestamp,value\n10.25,1\n1.5e3,-1e-3\n", "10250=1", "1500000=-0.001")
	check("timestamp,value\n0.0005,1\n", "1=1") // rounded, not cut
	check("timestamp,value\n2014-07-01T00:00:00Z,1\n2014-07-01T02:30:00.5+02:00,2\n", "1404172800000=1", "1404174600500=2")
	check("timestamp,value\n-86400,1\n", "-86400000=1")
	check("\xef\xbb\xbftimestamp,value\r\n10,1\r\n20,2", "10000=1", "20000=2") // as a spreadsheet writes it
	check("\"timestamp\",\"value\"\n\"10\", 1 \n\n20,2\n", "10000=1", "20000=2")
	check("timestamp,value\n10,1\n10,1\n10,1\n20,2\n20,2\n", "10000=1", "20000=2") // repeated rows count once
	check("timestamp,value\n10,\n10,\n", "10000=no_data")
}

func TestReaderErrors(t *testing.T) {
	check := func(text, want string, rows int) {
		t.Helper()
		got, err := read(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) || len(got) != rows {
			t.Errorf("read %q: %d rows, error %v, want %d and %s", text, len(got), err, rows, want)
		}
	}
	check("", "in.csv: no header", 0)
	check("1404172800,10844\n", `in.csv:1: header: no column is named timestamp in "1404172800,10844"`, 0)
	check(strings.Repeat("ä", 60), `in.csv:1: header: no column is named timestamp in "`+strings.Repeat("ä", 40)+`…"`, 0)
	check("timestamp\n10\n", "in.csv:1: header: no column is named value", 0)
	check("timestamp,value,lable\n", `in.csv:1: header: unknown column "lable"`, 0)
	check("timestamp,value,value\n", `in.csv:1: header: two columns are named "value"`, 0)
	check("timestamp,,value\n", "in.csv:1: header: column 2 has no name", 0)
	check("timestamp,value\n10,1\n20,1,2\n", "in.csv:3: row has 3 columns, the header has 2", 1)
	check("timestamp,value\n10,1\n20\n", "in.csv:3: row has 1 columns", 1)
	check("timestamp,value\n10,1\n20,abc\n", `in.csv:3: value: "abc" is not a number`, 1)
	check("timestamp,value\n10,1e999\n", `in.csv:2: value: "1e999" is not a number`, 0)
	check("timestamp,value\n\n\nyesterday,1\n", `in.csv:4: timestamp: "yesterday" is neither`, 0)
	check("timestamp,value\n,1\n", `in.csv:2: timestamp: "" is neither`, 0)
	check("timestamp,value\n2014-07-01 00:00:00,1\n", `in.csv:2: timestamp: "2014-07-01 00:00:00" is neither`, 0)
	check("timestamp,value\n1404172800000,1\n", `in.csv:2: timestamp: "1404172800000" is out of range: it looks like milliseconds`, 0)
	check("timestamp,value\n1e300,1\n", `in.csv:2: timestamp: "1e300" is out of range`, 0)
	check("timestamp,value\nNaN,1\n", `in.csv:2: timestamp: "NaN" is out of range`, 0)
	check("timestamp,value,label\n10,1,2\n", `in.csv:2: label: "2" is neither 0 nor 1`, 0)
	check("timestamp,value\n20,1\n10,1\n", "in.csv:3: timestamp: 1970-01-01T00:00:10Z is before the row above it", 1)
	check("timestamp,value\n10,1\n10,2\n", "in.csv:3: timestamp: 1970-01-01T00:00:10Z has another row", 1)
	check("timestamp,value,label\n10,1,0\n10,1,1\n", "in.csv:3: timestamp: 1970-01-01T00:00:10Z has another row", 1)
	check("timestamp,value\n10,\"1\n", "in.csv:", 0) // a quote that never ends
	check("timestamp,value\n# a comment,1\n", `in.csv:2: timestamp: "# a comment" is neither`, 0)
}

func TestFilesAndDirectories(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, "timestamp,value\n10,1\n20,2\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write("taxi.csv.gz", zipped.Bytes())
	write("art.csv", []byte("timestamp,value,label\n10,1,0\n"))
	write("README.md", []byte("not a series"))
	write(".hidden.csv", nil)
	if err := os.Mkdir(filepath.Join(dir, "more.csv"), 0o700); err != nil {
		t.Fatal(err)
	}

	inputs, err := csv.Inputs(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range inputs {
		rows, err := csv.ReadFile(in.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s:%d", in.Series, len(rows)))
	}
	if want := []string{"art:1", "taxi:2"}; !slices.Equal(got, want) {
		t.Errorf("inputs = %q, want %q", got, want)
	}
	if one, err := csv.Inputs(filepath.Join(dir, "taxi.csv.gz")); err != nil || len(one) != 1 || one[0].Series != "taxi" {
		t.Errorf("Inputs of a file = %v, %v", one, err)
	}

	fails := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", what, err, want)
		}
	}
	_, err = csv.ReadFile(write("cut.csv.gz", zipped.Bytes()[:zipped.Len()-10]))
	fails("truncated gzip", err, "cut.csv.gz: unexpected EOF")
	_, err = csv.ReadFile(write("bad.csv", []byte("timestamp,value\nx,1\n")))
	fails("bad row", err, "bad.csv:2: timestamp")
	write("art.csv.gz", zipped.Bytes())
	_, err = csv.Inputs(dir)
	fails("one name twice", err, `are both the series "art"`)
	_, err = csv.Inputs(t.TempDir())
	fails("empty directory", err, "no .csv")
	_, err = csv.Inputs(filepath.Join(dir, "none.csv"))
	fails("missing file", err, "none.csv")
}

func TestWide(t *testing.T) {
	text := "front|latency,timestamp,\"back, end\"\n1,10,2\n,20,NaN\n,20,\n3.5,1970-01-01T00:00:30Z,-4\n"
	w, err := csv.NewWideReader("wide.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"front|latency", "back, end"}; !slices.Equal(w.Columns(), want) {
		t.Errorf("columns = %q, want %q", w.Columns(), want)
	}
	var got []string
	for w.Next() {
		got = append(got, fmt.Sprint(w.Time(), w.Values()))
	}
	if want := []string{"10000 [1 2]", "20000 [NaN NaN]", "30000 [3.5 -4]"}; w.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("rows = %q, %v, want %q", got, w.Err(), want)
	}

	check := func(text, want string) {
		t.Helper()
		w, err := csv.NewWideReader("wide.csv", strings.NewReader(text))
		if err == nil {
			for w.Next() {
			}
			err = w.Err()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
	check("timestamp\n1\n", "wide.csv:1: header: no column beside timestamp")
	check("time,a\n1,2\n", "wide.csv:1: header: no column is named timestamp")
	check("timestamp,a,b\n1,2,3\n2,3,x\n", `wide.csv:3: b: "x" is not a number`)
	check("timestamp,a\n2,2\n1,3\n", "wide.csv:3: timestamp: 1970-01-01T00:00:01Z is before")
	check("timestamp,a\n1,2\n1,\n", "wide.csv:3: timestamp: 1970-01-01T00:00:01Z has another row")
}

func TestReadWideSorts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wide.csv")
	read := func(text string) (*csv.Wide, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return csv.ReadWide(path)
	}
	// Two recordings, the later one first, with an overlap that agrees.
	got, err := read("timestamp,a,b\n30,5,\n40,7,8\n10,1,2\n20,3,4\n30,5,\n")
	if err != nil {
		t.Fatal(err)
	}
	if s, want := fmt.Sprint(got.Columns, got.Times, got.Values), "[a b] [10000 20000 30000 40000] [[1 3 5 7] [2 4 NaN 8]]"; s != want {
		t.Errorf("wide = %s, want %s", s, want)
	}
	_, err = read("timestamp,a,b\n30,5,6\n10,1,2\n30,5,7\n")
	if want := path + ":4: b: 1970-01-01T00:00:30Z has another value in line 2"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = read("timestamp,a,b\n30,5,6\n10,x,2\n")
	if want := path + `:3: a: "x" is not a number`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestResolution(t *testing.T) {
	check := func(want time.Duration, seconds ...int64) {
		t.Helper()
		for i := range seconds {
			seconds[i] *= 1000
		}
		if got := csv.Resolution(seconds); got != want {
			t.Errorf("resolution of %v is %v, want %v", seconds, got, want)
		}
	}
	check(0)
	check(0, 10)
	check(time.Minute, 0, 60)
	check(time.Minute, 0, 60, 120, 3720, 3780)                   // a hole
	check(30*time.Minute, 0, 1800, 3600, 3601, 5400, 7200, 9000) // a stray row
	check(time.Minute, 0, 60, 180)                               // of two steps the smaller
}

// FuzzReader holds both readers to their promises on any bytes: ascending times, finite values, an end.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"timestamp,value,label\n1404172800,10844,0\n1404174600,,1\n",
		"\xef\xbb\xbfvalue,timestamp\r\n1,2014-07-01T00:00:00Z\r\n",
		"timestamp,value\n\"1\n\",2\n",
		"timestamp,value\n9e9,NaN\n9223372036854775807,1\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		place := func(err error) {
			if err != nil && !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("error %q does not say where", err)
			}
		}
		if r, err := csv.NewReader("f", bytes.NewReader(data)); err != nil {
			place(err)
		} else {
			last := int64(math.MinInt64)
			for r.Next() {
				row := r.Row()
				if row.T <= last || math.IsNaN(row.Value) || math.IsInf(row.Value, 0) {
					t.Fatalf("row %+v after %d", row, last)
				}
				last = row.T
			}
			place(r.Err())
		}
		if w, err := csv.NewWideReader("f", bytes.NewReader(data)); err != nil {
			place(err)
		} else {
			last := int64(math.MinInt64)
			for w.Next() {
				if w.Time() <= last || len(w.Values()) != len(w.Columns()) {
					t.Fatalf("row at %d after %d", w.Time(), last)
				}
				last = w.Time()
			}
			place(w.Err())
		}
	})
}

func BenchmarkReader(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("timestamp,value,label\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "%d,%.4f,0\n", 1404172800+60*i, float64(i)*1.25)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r, err := csv.NewReader("b", bytes.NewReader(text.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for r.Next() {
			n++
		}
		if n != 10_000 || r.Err() != nil {
			b.Fatal(n, r.Err())
		}
	}
}
