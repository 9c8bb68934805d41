package csv

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/baseliner/baseliner/pkg/series"
)

// oracle is what encoding/csv alone makes of a text: a line for each record and the error that ended it.
func oracle(in io.Reader) (out []string) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1
	for {
		cells, err := r.Read()
		if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
			return append(out, fmt.Sprint(syntax.Line, syntax.Err))
		}
		if err == io.EOF {
			return out
		}
		if err != nil {
			return append(out, fmt.Sprint(0, err))
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		line, _ := r.FieldPos(0)
		out = append(out, fmt.Sprintf("%d%q", line, cells))
	}
}

func split(r *records) (out []string) {
	for {
		ok, err := r.next()
		if err != nil {
			return append(out, fmt.Sprint(r.line, err))
		}
		if !ok {
			return out
		}
		out = append(out, fmt.Sprintf("%d%q", r.line, r.cells))
	}
}

// checkRecords reads a text whole, in pieces, through a buffer that most lines do not fit in, and from a file that breaks.
func checkRecords(t *testing.T, text []byte) {
	t.Helper()
	breaks := func() io.Reader { return io.MultiReader(bytes.NewReader(text), iotest.ErrReader(errors.New("disk"))) }
	for _, c := range []struct {
		how       string
		got, want []string
	}{
		{"whole", split(newRecords(bufio.NewReader(bytes.NewReader(text)))), oracle(bytes.NewReader(text))},
		{"in bytes", split(newRecords(bufio.NewReader(iotest.OneByteReader(bytes.NewReader(text))))), oracle(bytes.NewReader(text))},
		{"with a small buffer", split(newRecords(bufio.NewReaderSize(bytes.NewReader(text), 16))), oracle(bytes.NewReader(text))},
		{"from what breaks", split(newRecords(bufio.NewReader(breaks()))), oracle(breaks())},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s, %q: records %q, encoding/csv has %q", c.how, text, c.got, c.want)
		}
	}
}

var recordTexts = []string{
	"", "\n", "\r\n", "\r", " ", ",", "\n\n", "a,b", "a,b\n", "a,b\r\n1,2\r\n", "a,b\r\n1,2\r", "a\rb,c\n", "a\r\r\n", "\r\r\n", " \n1,2\n",
	"a,b\n\n\n1,2\n\n3,4", " a\t,\u00a0b \n\x00,\xff\n", "a,,\n,\n",
	"\"a\",b\n1,2\n\"x\n y\",3\n4,5\n", "a,b\n1,2\n\n3,\"4\"\n\n5,6\n7,\"8\n9,9\n", "a,b\n1,2\"\n3,4\n", "a,b\n1,\"2\"x\n", "a,b\n1,\"2", "a,b\n\"",
	"a,b\n123456789012,12345678901234567890\n1,2\n3,4\n",
}

func TestRecordsAreThoseOfEncodingCSV(t *testing.T) {
	for _, text := range recordTexts {
		checkRecords(t, []byte(text))
	}
}

func FuzzRecords(f *testing.F) {
	for _, text := range recordTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkRecords(t, text) })
}

// checkValue compares with strconv, to the bit.
func checkValue(t *testing.T, cell string) {
	t.Helper()
	if cell == "" {
		return
	}
	got, missing, err := parseValue([]byte(cell))
	want, wantErr := strconv.ParseFloat(cell, 64)
	switch {
	case missing != series.Observed:
		if wantErr == nil && !math.IsNaN(want) && !math.IsInf(want, 0) {
			t.Errorf("%q is %v, want %g", cell, missing, want)
		}
	case (err != nil) != (wantErr != nil), err == nil && math.Float64bits(got) != math.Float64bits(want):
		t.Errorf("%q is %g, %v, want %g, %v", cell, got, err, want, wantErr)
	}
}

var valueTexts = []string{
	"0", "-0", "00", "1.", ".5", "-.5", ".", "-", "--1", "-+1", "+1", "1.2.3", "1e3", "0x1p4", "1_000", "0.1", "0.3", "-123.456", "10844", "1 2", "٣",
	"999999999999999", "9999999999999999", "99999999.9999999", "0.000000000000001", ".000000000000001", ".0000000000000001", "4503599627370497.5",
	"NaN", "inf", "-Inf", "1e999", "1e-999",
}

func TestValuesAreThoseOfStrconv(t *testing.T) {
	for _, cell := range valueTexts {
		checkValue(t, cell)
	}
}

func FuzzValue(f *testing.F) {
	for _, cell := range valueTexts {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		checkValue(t, cell)
		if whole, err := strconv.ParseInt(cell, 10, 64); err == nil && whole >= minSeconds && whole <= maxSeconds {
			if ms, err := parseTime([]byte(cell)); err != nil || ms != whole*1000 {
				t.Errorf("time %q is %d, %v", cell, ms, err)
			}
		}
	})
}
