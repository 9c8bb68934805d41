package web

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// Float is a number that survives JSON: finite values are numbers, the others are the strings "NaN", "+Inf" and "-Inf",
// spelt as Prometheus does. An infinite bound says that nothing is known; NaN says that there is no value.
type Float float64

// MarshalJSON implements json.Marshaler.
func (f Float) MarshalJSON() ([]byte, error) {
	v := float64(f)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte(strconv.Quote(strconv.FormatFloat(v, 'f', -1, 64))), nil
	}
	return appendFloat(nil, v), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Float) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(string(bytes.Trim(b, `"`)), 64)
	if err != nil {
		return fmt.Errorf("parse number %s: %w", b, err)
	}
	*f = Float(v)
	return nil
}

// Finite reports whether f is a usable number.
func (f Float) Finite() bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// appendFloat writes v as Prometheus' API does: without exponent except for the very small and the very large.
func appendFloat(b []byte, v float64) []byte {
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, v, format, -1, 64)
}
