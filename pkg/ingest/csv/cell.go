package csv

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// The seconds of the years 1 to 9999, the range of RFC 3339.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// plainDigits are so many that a float holds them exactly.
const plainDigits = 15

var powersOfTen = func() (powers [plainDigits + 1]float64) {
	power := 1.0
	for i := range powers {
		powers[i] = power
		power *= 10
	}
	return powers
}()

// parseDigits reads what nearly every cell is, digits with at most one point: their number without it, and how many are
// behind it. ok is false of anything else.
func parseDigits(cell []byte) (digits int64, behind int, ok bool) {
	if len(cell) > plainDigits+1 {
		return 0, 0, false
	}
	count, point := 0, -1
	for i, c := range cell {
		switch {
		case c >= '0' && c <= '9':
			digits = 10*digits + int64(c-'0')
			count++
		case c == '.' && point < 0:
			point = i
		default:
			return 0, 0, false
		}
	}
	if point >= 0 {
		behind = len(cell) - 1 - point
	}
	return digits, behind, count > 0 && count <= plainDigits
}

// parseTime reads unix seconds, whole or fractional, or RFC 3339, as unix milliseconds.
func parseTime(cell []byte) (int64, error) {
	if whole, behind, ok := parseDigits(cell); ok && behind == 0 && whole <= maxSeconds {
		return whole * 1000, nil
	}
	s := string(cell)
	if whole, err := strconv.ParseInt(s, 10, 64); err == nil {
		if whole < minSeconds || whole > maxSeconds {
			return 0, outOfRange(s, float64(whole))
		}
		return whole * 1000, nil
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		if !(seconds >= minSeconds && seconds <= maxSeconds) { // or NaN
			return 0, outOfRange(s, seconds)
		}
		return int64(math.Round(seconds * 1000)), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("%q is neither unix seconds nor a time like 2006-01-02T15:04:05Z (RFC 3339)", s)
	}
	return t.UnixMilli(), nil
}

func outOfRange(s string, seconds float64) error {
	if milli := seconds / 1000; milli > minSeconds && milli < maxSeconds {
		return fmt.Errorf("%q is out of range: it looks like milliseconds, want unix seconds", s)
	}
	return fmt.Errorf("%q is out of range", s)
}

// parseValue reads a number. The empty cell is a missing sample; NaN and the infinities are no observation either.
func parseValue(cell []byte) (float64, series.Missing, error) {
	if len(cell) == 0 {
		return 0, series.NoData, nil
	}
	unsigned := cell
	if cell[0] == '-' {
		unsigned = cell[1:]
	}
	if digits, behind, ok := parseDigits(unsigned); ok {
		v := float64(digits) / powersOfTen[behind] // both exact, so this is rounded as it should be
		if len(unsigned) < len(cell) {
			v = -v
		}
		return v, series.Observed, nil
	}
	v, err := strconv.ParseFloat(string(cell), 64)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0) && err == nil:
		return 0, series.NotANumber, nil
	case err != nil:
		return 0, series.Observed, fmt.Errorf("%q is not a number", cell)
	}
	return v, series.Observed, nil
}

// Truth is what the label column says of a row. It is for scoring after the fact only.
type Truth uint8

// What a row may be labelled as.
const (
	Unlabelled Truth = iota
	Normal
	Anomalous
)

func (t Truth) String() string {
	switch t {
	case Unlabelled:
		return "unlabelled"
	case Normal:
		return "normal"
	case Anomalous:
		return "anomalous"
	default:
		return fmt.Sprintf("Truth(%d)", uint8(t))
	}
}

func parseTruth(cell []byte) (Truth, error) {
	switch string(bytes.TrimSuffix(cell, []byte(".0"))) { // spreadsheets and data frames turn integers into floats
	case "":
		return Unlabelled, nil
	case "0":
		return Normal, nil
	case "1":
		return Anomalous, nil
	default:
		return Unlabelled, fmt.Errorf("%q is neither 0 nor 1", cell)
	}
}
