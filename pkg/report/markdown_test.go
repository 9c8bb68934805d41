package report

import (
	"bytes"
	"testing"
)

// A person reads the table of a chart: four digits are enough, and no exponents for thousands.
func TestMarkdownOfDataIsReadable(t *testing.T) {
	data := &Table{Head: []string{"bin", "load", "hours"}, Numbers: []bool{true, true, true}, Rows: [][]string{
		{"1", "0.0705647", "71767.3"}, {"2", "-121.083", ""}, {"3", "0", "1.5e-07"},
	}}
	var b bytes.Buffer
	data.readable().markdown(&b)
	want := "| bin | load | hours |\n|---:|---:|---:|\n| 1 | 0.07056 | 71767 |\n| 2 | -121.1 |  |\n| 3 | 0 | 1.5e-07 |\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if data.Rows[0][1] != "0.0705647" {
		t.Errorf("the data itself is rounded: %v", data.Rows[0])
	}
}
