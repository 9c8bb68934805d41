package signal

import (
	"slices"
	"strings"
	"testing"
)

func TestNeed(t *testing.T) {
	check := func(expr, seen, found, missing string) {
		t.Helper()
		n, err := Needs(&Definition{Name: "x", Expr: expr})
		if err != nil {
			t.Fatal(err)
		}
		there := strings.Fields(seen)
		f, m := n.Look(func(metric string) bool { return slices.Contains(there, metric) })
		if strings.Join(f, " ") != found || strings.Join(m, " ") != missing {
			t.Errorf("%s with %q: found %v, missing %v; want %q and %q", expr, seen, f, m, found, missing)
		}
	}
	check(`sum(rate(a[5m]))`, "a", "a", "")
	check(`sum(rate(a[5m]))`, "", "", "a")
	check(`a / b`, "a", "a", "b")
	check(`a or b`, "b", "b", "")
	check(`a or b`, "", "", "a")
	check(`a / b or c`, "a", "a", "b")
	check(`(a or b) + c`, "c", "c", "a")
	check(`(a or b) + c`, "b c", "b c", "")
	check(`a unless b`, "a", "a", "")
	check(`max_over_time(sum(a)[10m:1m])`, "a", "a", "")
	check(`histogram_quantile(0.9, sum by (le) (rate(a_bucket[5m])))`, "a_bucket", "a_bucket", "")

	ratio := Definition{Name: "r", Ratio: &Ratio{Numerator: `sum(a{x="1"}) or 0 * sum(a)`, Denominator: "sum(b)"}}
	n, err := Needs(&ratio)
	if err != nil {
		t.Fatal(err)
	}
	if _, missing := n.Look(func(metric string) bool { return metric == "a" }); !slices.Equal(missing, []string{"b"}) {
		t.Errorf("a ratio without its denominator misses %v", missing)
	}
	if all := n.Metrics(); !slices.Equal(all, []string{"a", "b"}) {
		t.Errorf("metrics %v", all)
	}
	if _, err := Needs(&Definition{Name: "x", Expr: "sum("}); err == nil {
		t.Error("a broken expression needs something")
	}
}
