package web

import (
	"math"
	"strconv"
	"strings"
)

// scale is how numbers of one magnitude are written: divided by factor, followed by suffix.
type scale struct {
	factor float64
	suffix string
}

// scaleOf picks the scale for a magnitude in the unit of a signal. static/app.js knows the same units.
func scaleOf(magnitude float64, unit string) scale {
	base, perSecond := strings.CutSuffix(unit, "_per_second")
	if unit == "per_second" {
		base, perSecond = "", true
	}
	s := plainScale(magnitude, base)
	if perSecond {
		s.suffix += "/s"
	}
	return s
}

func plainScale(magnitude float64, unit string) scale {
	switch unit {
	case "seconds":
		return pick(magnitude, scale{86400, " d"}, scale{3600, " h"}, scale{60, " min"}, scale{1, " s"}, scale{1e-3, " ms"}, scale{1e-6, " µs"})
	case "milliseconds":
		s := plainScale(magnitude/1e3, "seconds")
		return scale{s.factor * 1e3, s.suffix}
	case "bytes":
		return pick(magnitude, scale{1 << 40, " TiB"}, scale{1 << 30, " GiB"}, scale{1 << 20, " MiB"}, scale{1 << 10, " KiB"}, scale{1, " B"})
	case "ratio":
		return scale{0.01, " %"}
	case "percent":
		return scale{1, " %"}
	}
	s := scale{1, ""}
	if magnitude >= 1e4 {
		s = pick(magnitude, scale{1e9, "G"}, scale{1e6, "M"}, scale{1e3, "k"})
	}
	if unit != "" && unit != "count" {
		s.suffix += " " + unit
	}
	return s
}

// pick returns the first scale in which the magnitude is at least 1 — for minutes and more, 2 — else the last.
func pick(magnitude float64, scales ...scale) scale {
	for _, s := range scales {
		least := s.factor
		if strings.HasSuffix(s.suffix, "min") || strings.HasSuffix(s.suffix, " h") || strings.HasSuffix(s.suffix, " d") {
			least *= 2
		}
		if magnitude >= least {
			return s
		}
	}
	if magnitude == 0 { // zero seconds rather than zero microseconds
		for _, s := range scales {
			if s.factor == 1 {
				return s
			}
		}
	}
	return scales[len(scales)-1]
}

// formatValue writes a value with its unit for people: three significant digits, "–" when there is none.
func formatValue(v Float, unit string) string {
	switch {
	case math.IsNaN(float64(v)):
		return "–"
	case math.IsInf(float64(v), 0):
		return "unknown"
	}
	s := scaleOf(math.Abs(float64(v)), unit)
	return digits(float64(v)/s.factor) + s.suffix
}

// formatBand writes a band in one unit: "0.31–0.52 s", "≤ 0.52 s", or "unknown" while nothing is.
func formatBand(lower, upper Float, unit string) string {
	return formatBandBeside(0, lower, upper, unit)
}

// formatBandBeside writes a band that is read beside a value: in the unit of the larger of them.
func formatBandBeside(v, lower, upper Float, unit string) string {
	switch {
	case lower.Finite() && upper.Finite():
		magnitude := max(math.Abs(float64(lower)), math.Abs(float64(upper)))
		if v.Finite() {
			magnitude = max(magnitude, math.Abs(float64(v)))
		}
		s := scaleOf(magnitude, unit)
		lo, hi := digits(float64(lower)/s.factor), digits(float64(upper)/s.factor)
		if lo == hi {
			return lo + s.suffix
		}
		if strings.HasPrefix(hi, "-") || strings.HasPrefix(lo, "-") {
			return lo + " to " + hi + s.suffix
		}
		return lo + "–" + hi + s.suffix
	case upper.Finite():
		return "≤ " + formatValue(upper, unit)
	case lower.Finite():
		return "≥ " + formatValue(lower, unit)
	default:
		return "unknown"
	}
}

// digits writes three significant digits without trailing zeros.
func digits(v float64) string {
	abs := math.Abs(v)
	if abs != 0 && (abs < 1e-3 || abs >= 1e6) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	decimals := 0
	if abs != 0 && abs < 100 {
		decimals = 2 - int(math.Floor(math.Log10(abs)))
	}
	out := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(out, ".") {
		out = strings.TrimRight(strings.TrimRight(out, "0"), ".")
	}
	if out == "-0" {
		return "0"
	}
	return out
}

// spent words what a signal may cost and what it did.
func (b *BudgetView) spent() string {
	if !(b.PerWeek > 0) {
		return ""
	}
	text := trim(float64(b.PerWeek)) + " alarm"
	if b.PerWeek != 1 {
		text += "s"
	}
	text += " a week"
	if b.EpisodesPerWeek.Finite() {
		text += ", realised " + trim(float64(b.EpisodesPerWeek))
	}
	switch x := float64(b.Exponent); {
	case x >= 0.005:
		text += "; its thresholds are raised (exponent +" + trim(x) + ")"
	case x <= -0.005:
		text += "; its thresholds are lowered (exponent " + trim(x) + ")"
	}
	return text
}

// inside words the share of rows inside the band.
func (b *BudgetView) inside() string {
	if !b.Coverage.Finite() {
		return ""
	}
	text := trim(100*float64(b.Coverage)) + " % of rows inside the band"
	if b.CoverageLower.Finite() && b.CoverageUpper.Finite() {
		text += " (95 % interval " + trim(100*float64(b.CoverageLower)) + "–" + trim(100*float64(b.CoverageUpper)) + " %)"
	}
	return text + ", each judged before it was learnt, in the last eight weeks"
}

// trim writes two decimals, or as many as are needed.
func trim(x float64) string { return strconv.FormatFloat(math.Round(100*x)/100, 'f', -1, 64) }
