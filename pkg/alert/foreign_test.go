package alert_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/baseliner/baseliner/pkg/alert"
)

func TestReconcile(t *testing.T) {
	const keep = 1000
	of := func(id, origin string, start, end, since int64) alert.Silence {
		return alert.Silence{ID: id, Origin: origin, Source: "Alertmanager", Matchers: []string{`a="b"`}, StartsAt: start, EndsAt: end, Since: since}
	}
	check := func(name string, known, heard []alert.Silence, unheard map[string]bool, now int64, changed bool, want ...alert.Silence) {
		t.Helper()
		got, did := alert.Reconcile(known, heard, unheard, now, keep)
		if fmt.Sprint(got) != fmt.Sprint(want) || did != changed {
			t.Errorf("%s: %+v, changed %v", name, got, did)
		}
		if again, did := alert.Reconcile(got, heard, unheard, now, keep); did || fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("%s, heard again: %+v, changed %v", name, again, did)
		}
	}
	list := func(ss ...alert.Silence) []alert.Silence { return ss }
	check("nothing", nil, nil, nil, 100, false)
	check("new", nil, list(of("x", "0", 50, 900, 0)), nil, 100, true, of("x", "0", 50, 900, 100))
	check("known", list(of("x", "0", 50, 900, 100)), list(of("x", "0", 50, 900, 0)), nil, 200, false, of("x", "0", 50, 900, 100))
	check("prolonged", list(of("x", "0", 50, 900, 100)), list(of("x", "0", 50, 1900, 0)), nil, 200, true, of("x", "0", 50, 1900, 100))
	check("cut short", list(of("x", "0", 50, 900, 100)), list(of("x", "0", 50, 150, 0)), nil, 200, true, of("x", "0", 50, 200, 100))
	check("expired", list(of("x", "0", 50, 900, 100)), nil, nil, 200, true, of("x", "0", 50, 200, 100))
	check("unheard", list(of("x", "0", 50, 900, 100), of("y", "1", 50, 900, 100)), nil, map[string]bool{"0": true}, 200, true, of("x", "0", 50, 900, 100), of("y", "1", 50, 200, 100))
	check("over by itself", list(of("x", "0", 50, 150, 100)), nil, nil, 200, false, of("x", "0", 50, 150, 100))
	check("forgotten", list(of("x", "0", 50, 150, 100)), nil, nil, 1200, true)
	check("back again", list(of("x", "0", 50, 150, 100)), list(of("x", "0", 50, 900, 0)), nil, 200, true, of("x", "0", 50, 150, 100), of("x", "0", 50, 900, 200))
	other := of("x", "0", 50, 900, 0)
	other.Matchers = []string{`a="c"`}
	then := slices.Clone(list(other))
	then[0].Since = 200
	check("other matchers", list(of("x", "0", 50, 900, 100)), list(other), nil, 200, true, of("x", "0", 50, 200, 100), then[0])
}
