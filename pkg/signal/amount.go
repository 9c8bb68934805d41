package signal

import "strings"

// Amount says by what a value of the signal has to be multiplied to be the amount that came since the point before, in which
// unit, and whether its amounts add up at all: those of ratios (times their denominators), of what is summed over a window,
// of counts, and of what is per second or minute. unit is empty when nobody said.
func (d *Definition) Amount() (weight float64, unit string, ok bool) {
	step := d.Interval.Seconds()
	share := 1.0
	if d.Window > 0 {
		share = min(1, step/d.Window.Seconds())
	}
	if d.Ratio != nil {
		return share, "", true
	}
	for suffix, seconds := range map[string]float64{"/s": 1, "_per_second": 1, "/min": 60, "_per_minute": 60} {
		if unit, ok := strings.CutSuffix(d.Unit, suffix); ok {
			return step / seconds, unit, true
		}
	}
	if d.Window > 0 || d.Kind == "count" {
		return share, d.Unit, true
	}
	return 0, "", false
}
