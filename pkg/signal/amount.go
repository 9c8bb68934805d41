package signal

import (
	"regexp"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// Amount says by what a value of the signal has to be multiplied to be the amount that came since the point before, in which
// unit, and whether its amounts add up at all: those of ratios (times their denominators), of what is summed over a window,
// of counts, and of what is per second or minute. unit is empty when nobody said; the events of a ratio are named by their metric.
func (d *Definition) Amount() (weight float64, unit string, ok bool) {
	step := d.Interval.Seconds()
	share := 1.0
	if d.Window > 0 {
		share = min(1, step/d.Window.Seconds())
	}
	if d.Ratio != nil {
		return share, events(d.Ratio.Numerator), true
	}
	for suffix, seconds := range map[string]float64{"/s": 1, "_per_second": 1, "/min": 60, "_per_minute": 60} {
		if unit, ok := strings.CutSuffix(d.Unit, suffix); ok {
			return step / seconds, unit, true
		}
	}
	if d.Window > 0 || d.Kind == "count" {
		return share, Summed(d.Unit), true
	}
	return 0, "", false
}

var windowed = regexp.MustCompile(` ?\bin \d+ ?(s|min|h|d|seconds|minutes|hours|days)$`)

// Summed is the unit of amounts of a signal that counts what came in a window: "orders in 5 min" add up to orders.
func Summed(unit string) string { return windowed.ReplaceAllString(unit, "") }

// events names what an expression counts by its first metric: orders of orders_total, http requests of http_requests_total.
func events(expr string) (name string) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return ""
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && name == "" {
			name = v.Name
		}
		return nil
	})
	for _, suffix := range []string{"_total", "_count", "_sum", "_bucket"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return strings.ReplaceAll(name, "_", " ")
}
