package signal

import (
	"testing"
	"time"
)

func TestAmount(t *testing.T) {
	check := func(what string, d Definition, weight float64, unit string, ok bool) {
		t.Helper()
		d.Interval = time.Minute
		if w, u, k := d.Amount(); w != weight || u != unit || k != ok {
			t.Errorf("%s: %v of %q, %t; want %v of %q, %t", what, w, u, k, weight, unit, ok)
		}
	}
	check("a sum over five minutes", Definition{Window: 5 * time.Minute, Unit: "orders"}, 0.2, "orders", true)
	check("a sum over less than its interval", Definition{Window: 30 * time.Second, Unit: "orders"}, 1, "orders", true)
	check("a count", Definition{Kind: "count", Unit: "orders"}, 1, "orders", true)
	check("per second", Definition{Unit: "orders/s", Window: 5 * time.Minute}, 60, "orders", true)
	check("per minute", Definition{Unit: "orders_per_minute"}, 1, "orders", true)
	check("a ratio", Definition{Ratio: &Ratio{}, Window: 5 * time.Minute, Unit: "ratio"}, 0.2, "", true)
	check("a ratio of events", Definition{Ratio: &Ratio{Numerator: "sum(increase(orders_total[5m]))"}, Window: 5 * time.Minute}, 0.2, "orders", true)
	check("a ratio of requests", Definition{Ratio: &Ratio{Numerator: `sum(rate(http_requests_total{code=~"5.."}[5m])) or 0 * sum(x)`}}, 1, "http requests", true)
	check("a count in a window", Definition{Kind: "count", Unit: "orders in 5 min"}, 1, "orders", true)
	check("money in a window", Definition{Kind: "count", Unit: "in 5 min"}, 1, "", true)
	check("a gauge", Definition{Unit: "seconds", Kind: "gauge"}, 0, "", false)
	check("anything", Definition{Kind: "auto"}, 0, "", false)
}
