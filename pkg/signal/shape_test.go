package signal

import (
	"fmt"
	"testing"
	"time"
)

func TestShape(t *testing.T) {
	check := func(expr string, sum bool, reach time.Duration) {
		t.Helper()
		d := Definition{Expr: expr}
		if got := d.Shape(); got != (Shape{sum, reach}) {
			t.Errorf("%s: %+v, want %v %s", expr, got, sum, reach)
		}
	}
	check(`sum(rate(requests_total[5m]))`, true, 5*time.Minute)
	check(`sum by (shop) (increase(orders_total[1h] offset 1d)) or vector(0)`, true, time.Hour)
	check(`count(up == 1)`, true, 0)
	check(`60 * sum(rate(a[1m])) + sum(rate(b[2m]))`, true, 2*time.Minute)
	check(`max(sum by (pod) (rate(a[1m])))`, true, time.Minute)
	check(`clamp_min(sum(a), 1)`, true, 0)
	check(`max_over_time(sum(rate(a[5m]))[1h:])`, true, time.Hour+5*time.Minute)
	check(`sum(rate(errors[5m])) / sum(rate(requests[5m]))`, false, 5*time.Minute)
	check(`histogram_quantile(0.9, sum by (le) (rate(b_bucket[5m])))`, false, 5*time.Minute)
	check(`avg(temperature)`, false, 0)
	check(`max by (instance) (latency_seconds)`, false, 0)
	check(`rate(a[5m])`, false, 5*time.Minute)
	check(`not an expression`, false, 0)
	labels := func(expr, want string) {
		t.Helper()
		d := Definition{Expr: expr}
		names, known := d.ResultLabels()
		if got := fmt.Sprint(names, known); got != want {
			t.Errorf("%s: labels %s, want %s", expr, got, want)
		}
	}
	labels(`sum(a)`, "[] true")
	labels(`60 * sum by (route, code) (rate(a[5m]))`, "[code route] true")
	labels(`histogram_quantile(0.9, sum by (le, route) (rate(b_bucket[5m])))`, "[route] true")
	labels(`sum by (x) (a) / sum by (x) (b)`, "[x] true")
	labels(`sum by (x) (a) or vector(0)`, "[] false")
	labels(`topk by (x) (1, a)`, "[] false")
	labels(`sum without (pod) (a)`, "[] false")
	labels(`rate(a[5m])`, "[] false")
	ratio := Definition{Ratio: &Ratio{`sum(increase(a[5m]))`, `sum(increase(b[10m]))`}}
	if got := ratio.Shape(); got != (Shape{false, 10 * time.Minute}) {
		t.Errorf("a ratio: %+v", got)
	}
}
