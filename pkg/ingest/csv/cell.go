package csv

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/baseliner/baseliner/pkg/series"
)

// The seconds of the years 1 to 9999, the range of RFC 3339.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// parseTime reads unix seconds, whole or fractional, or RFC 3339, as unix milliseconds.
func parseTime(s string) (int64, error) {
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
func parseValue(s string) (float64, series.Missing, error) {
	if s == "" {
		return 0, series.NoData, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0) && err == nil:
		return 0, series.NotANumber, nil
	case err != nil:
		return 0, series.Observed, fmt.Errorf("%q is not a number", s)
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

func parseTruth(s string) (Truth, error) {
	switch strings.TrimSuffix(s, ".0") { // spreadsheets and data frames turn integers into floats
	case "":
		return Unlabelled, nil
	case "0":
		return Normal, nil
	case "1":
		return Anomalous, nil
	default:
		return Unlabelled, fmt.Errorf("%q is neither 0 nor 1", s)
	}
}
