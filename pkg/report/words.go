package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/baseliner/baseliner/pkg/signal"
)

// percent prints without a sign, with as many digits as it deserves: 12 %, 1.5 %, 0.42 %.
func percent(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsInf(a, 0) || math.IsNaN(a):
		return "any"
	case a >= 10:
		return strconv.FormatFloat(a, 'f', 0, 64) + " %"
	case a >= 0.995:
		return strconv.FormatFloat(a, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(a, 'f', 2, 64) + " %"
}

// signed prints with a sign, for tables.
func signed(v float64, unit string) string {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return "?"
	}
	text := signal.Format(math.Abs(v), unit)
	switch {
	case v < 0:
		return "−" + text
	case v > 0:
		return "+" + text
	}
	return text
}

// between prints an interval without signs, smaller end first, where both ends are on one side of zero; else with them.
func between(low, high float64, format func(float64) string, sign func(float64) string) string {
	if low*high > 0 {
		if low < 0 {
			low, high = -high, -low
		}
		a, b := format(low), format(high)
		if cut, unit, ok := strings.Cut(a, " "); ok && strings.HasSuffix(b, " "+unit) {
			a = cut
		}
		return a + "–" + b
	}
	return sign(low) + " to " + sign(high)
}

// amount prints a quantity of the outcome or money; three digits are plenty for an estimate.
func amount(v float64, unit string) string {
	if v != 0 && !math.IsInf(v, 0) && v == v {
		scale := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-2)
		v = math.Round(v/scale) * scale
	}
	return signal.Format(v, unit)
}

// later says when the outcome answers.
func later(hours int) string {
	switch {
	case hours == 0:
		return "within the same hour"
	case hours == 1:
		return "about one hour later"
	case hours > 1:
		return fmt.Sprintf("about %d hours later", hours)
	case hours == -1:
		return "with the outcome one hour ahead"
	}
	return fmt.Sprintf("with the outcome %d hours ahead", -hours)
}

// list joins names for a sentence, and says how many it leaves out.
func list(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
