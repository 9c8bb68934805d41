package web

import "testing"

// After an incident the averages exclude each other and one point is left of the band: that is not what is normal.
func TestRowOfACollapsedBand(t *testing.T) {
	band := func(expected, lower, upper Float, want string) {
		t.Helper()
		if got := newRow(SignalView{Name: "conversion", Unit: "ratio"}, SeriesView{Expected: expected, Lower: lower, Upper: upper}).Band; got != want {
			t.Errorf("expected %v, band %v to %v: %q, want %q", expected, lower, upper, got, want)
		}
	}
	band(0.639, 1.15, 1.15, "about 63.9 %")
	band(0.639, 0.52, 0.74, "52–74 %")
	band(1, 1, 1, "100 %")
}
