package signal

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	check := func(v float64, unit, want string) {
		t.Helper()
		if got := Format(v, unit); got != want {
			t.Errorf("Format(%v, %q) = %q, want %q", v, unit, got, want)
		}
	}
	check(1.84, "seconds", "1.84 s")
	check(0.31, "seconds", "310 ms")
	check(0.000042, "seconds", "42 µs")
	check(0, "seconds", "0 s")
	check(0.9999, "seconds", "1 s")
	check(600, "seconds", "10 min")
	check(86400, "seconds", "24 h")
	check(13107200, "bytes", "12.5 MiB")
	check(0.032, "ratio", "3.2 %")
	check(1204.4, "orders", "1,204 orders")
	check(-1234567, "", "-1,234,567")
	check(99.96, "", "100")
	check(0.1234, "", "0.123")
	check(1e-9, "", "1e-09")
	check(math.NaN(), "seconds", "unknown")
	check(math.Inf(1), "seconds", "unlimited")
}

func TestFormatRange(t *testing.T) {
	check := func(lo, hi float64, unit, want string) {
		t.Helper()
		if got := FormatRange(lo, hi, unit); got != want {
			t.Errorf("FormatRange(%v, %v, %q) = %q, want %q", lo, hi, unit, got, want)
		}
	}
	check(0.31, 0.52, "seconds", "310–520 ms")
	check(0.31, 1.52, "seconds", "310 ms–1.52 s")
	check(-0.1, 1.5, "seconds", "0–1.5 s")
	check(-4, 5, "celsius", "-4–5 celsius")
	check(math.Inf(-1), math.Inf(1), "", "not known yet")
	check(10, math.Inf(1), "", "from 10")
	check(2.8801, 2.8803, "", "2.88")
}
