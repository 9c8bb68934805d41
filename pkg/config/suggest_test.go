package config

import (
	"strings"
	"testing"
)

func TestEditDistance(t *testing.T) {
	check := func(a, b string, want int) {
		t.Helper()
		if got := editDistance(a, b); got != want {
			t.Errorf("%q %q: got %d, want %d", a, b, got, want)
		}
		if got := editDistance(b, a); got != want {
			t.Errorf("%q %q: got %d, want %d", b, a, got, want)
		}
	}
	check("", "", 0)
	check("", "abc", 3)
	check("up", "upp", 1)
	check("signals", "singals", 1) //nolint:misspell // that is the point
	check("kitten", "sitting", 3)
	check(strings.Repeat("a", 100), "a", 64)
}
