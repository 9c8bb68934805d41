package signal

import (
	"math"
	"strconv"
	"strings"
)

// Format prints a value in its unit as a person would say it: 1.84 s, 310 ms, 12.5 MiB, 3.2 %, 1,204 orders. Units are
// those of the OpenMetrics and Prometheus conventions (seconds, bytes, ratio, percent, …); another unit stands behind
// the number as it is.
func Format(v float64, unit string) string {
	switch {
	case math.IsNaN(v):
		return "unknown"
	case math.IsInf(v, 1):
		return "unlimited"
	case math.IsInf(v, -1):
		return "minus unlimited"
	}
	switch unit {
	case "seconds", "second", "s":
		return formatSeconds(v)
	case "milliseconds", "ms":
		return formatSeconds(v / 1000)
	case "bytes", "byte", "B":
		return scaled(v, 1024, "", []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"})
	case "bytes/s", "bytes_per_second":
		return scaled(v, 1024, "/s", []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"})
	case "ratio":
		return number(v*100) + " %"
	case "percent", "%":
		return number(v) + " %"
	case "":
		return number(v)
	}
	return number(v) + " " + unit
}

// FormatRange prints a band: 0.31–0.52 s. The unit is said once where both ends share it.
func FormatRange(lower, upper float64, unit string) string {
	if math.IsInf(lower, -1) && math.IsInf(upper, 1) {
		return "not known yet"
	}
	if math.IsInf(lower, -1) {
		return "up to " + Format(upper, unit)
	}
	if math.IsInf(upper, 1) {
		return "from " + Format(lower, unit)
	}
	if lower < 0 && upper >= 0 && unit != "" && neverNegative[unit] {
		lower = 0 // the model may reach below, the quantity cannot
	}
	a, b := Format(lower, unit), Format(upper, unit)
	if a == b {
		return a // too narrow to tell apart
	}
	na, ua, _ := strings.Cut(a, " ")
	_, ub, _ := strings.Cut(b, " ")
	if ua == ub || na == "0" {
		return na + "–" + b
	}
	return a + "–" + b
}

var neverNegative = map[string]bool{"seconds": true, "bytes": true, "ratio": true, "milliseconds": true, "bytes/s": true, "bytes_per_second": true}

func formatSeconds(v float64) string {
	switch a := math.Abs(v); {
	case a == 0 || a >= 0.9995 && a < 120:
		return number(v) + " s"
	case a < 0.0009995:
		return number(v*1e6) + " µs"
	case a < 0.9995:
		return number(v*1e3) + " ms"
	case a < 7200:
		return number(v/60) + " min"
	}
	return number(v/3600) + " h"
}

func scaled(v, base float64, suffix string, units []string) string {
	i := 0
	for math.Abs(v) >= base && i < len(units)-1 {
		v, i = v/base, i+1
	}
	return number(v) + " " + units[i] + suffix
}

// number keeps three significant digits, and every digit of a whole part, in groups of three.
func number(v float64) string {
	a := math.Abs(v)
	digits := 0
	switch {
	case a == 0:
		return "0"
	case a < 1e-4 || a >= 1e15:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case a < 99.95:
		digits = 2 - int(math.Floor(math.Log10(a)))
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	whole, fraction, _ := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}
