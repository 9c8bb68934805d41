package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
)

const redacted = "<redacted>"

// Secret is a string that no log, error or page shows. The zero value is no secret.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String prints <redacted>, "" when there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString prints like String.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText writes like String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML writes like String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue logs like String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// size is an amount of bytes: a number with a unit of powers of two, as in Prometheus (MB is MiB).
type size int64

func (s *size) parse(text string) error {
	n, err := units.ParseBase2Bytes(text)
	if i, e := strconv.ParseInt(text, 10, 64); err != nil && e == nil {
		n, err = units.Base2Bytes(i), nil
	}
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a size such as 96MiB", text)
	}
	*s = size(n)
	return nil
}

// fraction is written 10% or 0.1.
type fraction float64

func (f *fraction) parse(text string) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
		return fmt.Errorf("%q is not a fraction such as 10%% or 0.1", text)
	}
	if percent {
		x /= 100
	}
	*f = fraction(x)
	return nil
}

// rate is so many events in a time: 7/w.
type rate struct {
	n   float64
	per time.Duration
}

func (r *rate) parse(text string) error {
	number, unit, ok := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
		return fmt.Errorf("%q is not a rate such as 1/w", text)
	}
	if unit == "" || unit[0] < '0' || unit[0] > '9' {
		unit = "1" + unit
	}
	per, err := model.ParseDuration(unit)
	if err != nil || per <= 0 {
		return fmt.Errorf("%q is not a rate such as 1/w", text)
	}
	*r = rate{n, time.Duration(per)}
	return nil
}

// perWeek is the rate counted over a week.
func (r rate) perWeek() float64 { return r.n * float64(7*24*time.Hour) / float64(r.per) }

// date is a day of the calendar: 2026-11-27.
type date string

func (d *date) parse(text string) error {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return errors.New("is not a date such as 2026-11-27")
	}
	*d = date(text)
	return nil
}
