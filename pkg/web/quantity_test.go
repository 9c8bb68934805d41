package web

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"pgregory.net/rapid"

	"github.com/baseliner/baseliner/pkg/series"
)

func TestFormatValue(t *testing.T) {
	check := func(v float64, unit, want string) {
		t.Helper()
		if got := formatValue(Float(v), unit); got != want {
			t.Errorf("%v %s: %q, want %q", v, unit, got, want)
		}
	}
	check(1.84, "seconds", "1.84 s")
	check(0.0312, "seconds", "31.2 ms")
	check(0, "seconds", "0 s")
	check(90, "seconds", "90 s")
	check(150, "seconds", "2.5 min")
	check(3*86400, "seconds", "3 d")
	check(250, "milliseconds", "250 ms")
	check(4e-9, "seconds", "0.004 µs")
	check(1<<20, "bytes", "1 MiB")
	check(-3.3e9, "bytes", "-3.07 GiB")
	check(3.2e6, "bytes_per_second", "3.05 MiB/s")
	check(0.0412, "ratio", "4.12 %")
	check(41.26, "percent", "41.3 %")
	check(12.5, "per_second", "12.5/s")
	check(3, "requests_per_second", "3 requests/s")
	check(18400, "EUR", "18.4k EUR")
	check(9999, "", "9999")
	check(0.000001234, "", "1.23e-06")
	check(100, "count", "100")
	check(math.NaN(), "seconds", "–")
	check(math.Inf(1), "seconds", "unknown")

	band := func(lower, upper float64, unit, want string) {
		t.Helper()
		if got := formatBand(Float(lower), Float(upper), unit); got != want {
			t.Errorf("%v to %v %s: %q, want %q", lower, upper, unit, got, want)
		}
	}
	band(0.31, 0.52, "seconds", "310–520 ms")
	band(0.31, 1.2, "seconds", "0.31–1.2 s")
	band(-5, 5, "", "-5 to 5")
	band(2, 2, "ratio", "200 %")
	band(math.Inf(-1), 0.5, "ratio", "≤ 50 %")
	band(0.5, math.Inf(1), "ratio", "≥ 50 %")
	band(math.Inf(-1), math.Inf(1), "ratio", "unknown")
	band(math.NaN(), math.NaN(), "ratio", "unknown")
	if got := formatBandBeside(1.84, 0.31, 0.52, "seconds"); got != "0.31–0.52 s" {
		t.Errorf("beside 1.84 s: %q", got)
	}
}

func TestFormatSpan(t *testing.T) {
	check := func(d time.Duration, want string) {
		t.Helper()
		if got := formatSpan(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	check(-time.Second, "0 s")
	check(12*time.Second, "12 s")
	check(119*time.Second, "119 s")
	check(12*time.Minute, "12 min")
	check(26*time.Hour+30*time.Minute, "26 h 30 min")
	check(60*24*time.Hour, "60 days")
}

// Whatever a label holds, the selector in a link finds exactly this series again.
func TestSelectorParsesBack(t *testing.T) {
	p := parser.NewParser(parser.Options{})
	roundTrip := func(t interface {
		Helper()
		Errorf(string, ...any)
	}, ls series.Labels,
	) {
		t.Helper()
		ms, err := p.ParseMetricSelector(selector(ls))
		if err != nil || len(ms) != len(ls) {
			t.Errorf("%s: %d matchers, %v", selector(ls), len(ms), err)
			return
		}
		for _, m := range ms {
			if m.Value != valid(ls.Get(m.Name)) {
				t.Errorf("%s: %s is %q", selector(ls), m.Name, m.Value)
			}
		}
	}
	roundTrip(t, series.FromStrings("a", hostile, "b", "\x00\xff\t"))
	roundTrip(t, series.FromStrings("dotted.name", "x", "le gros \"mot\"", "y"))
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.String(), 2, 2).Draw(t, "values")
		ls := series.FromStrings("a", values[0], "b", values[1], "c", "always")
		roundTrip(t, ls)
	})
}
