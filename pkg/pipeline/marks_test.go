package pipeline

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

func labelOf(pairs ...string) Label {
	return series.FromStrings(pairs...).Get
}

func TestMarks(t *testing.T) {
	service := func(name string) map[string]string { return map[string]string{"service": name} }
	m := NewMarks([]state.Annotation{
		{ID: "a", Type: IncidentMark, Start: 1000, End: 2000},
		{ID: "b", Type: IgnoreMark, Start: 1500, End: 3000, Labels: service("cart")},
		{ID: "c", Type: IncidentMark, Start: 5000, Labels: service("cart")}, // lasts
		{ID: "d", Type: DeployMark, Start: 1200, End: 1200, Labels: service("cart")},
		{ID: "e", Type: DeployMark, Start: 1700, End: 1900},
		{ID: "f", Type: EventMark, Start: 0, End: 9000},
	})
	cart, shop := labelOf("service", "cart", "zone", "1"), labelOf("service", "shop")
	check := func(at int64, label Label, want string) {
		t.Helper()
		got := ""
		if a := m.At(at).Of(label); a != nil {
			got = a.ID
		}
		if got != want {
			t.Errorf("at %d: in %q, want %q", at, got, want)
		}
	}
	check(999, cart, "")
	check(1000, cart, "a")
	check(1999, shop, "a")
	check(2000, shop, "")
	check(2000, cart, "b")
	check(2999, cart, "b")
	check(3000, cart, "")
	check(5000, cart, "c")
	check(5000+openIncident.Milliseconds()-1, cart, "c")
	check(5000+openIncident.Milliseconds(), cart, "")
	check(6000, shop, "")

	windows := func(label Label, want ...Window) {
		t.Helper()
		if got := m.Windows(label); !slices.Equal(got, want) {
			t.Errorf("windows %v, want %v", got, want)
		}
	}
	windows(cart, Window{1000, 3000}, Window{5000, 5000 + openIncident.Milliseconds()})
	windows(shop, Window{1000, 2000})

	deploys := func(from, to int64, label Label, want ...int64) {
		t.Helper()
		if got := m.Deploys(from, to, label); !slices.Equal(got, want) {
			t.Errorf("deploys in [%d, %d): %v, want %v", from, to, got, want)
		}
	}
	deploys(0, 9000, cart, 1200, 1700)
	deploys(0, 9000, shop, 1700)
	deploys(1200, 1700, cart, 1200)
	deploys(1201, 1700, cart)

	m = nil
	if m.At(0) != nil || m.Windows(cart) != nil || m.Deploys(0, 1, cart) != nil {
		t.Error("nothing marks something")
	}
}

// TestMarksAgreeWithASearchOfAll compares At with the definition on random windows.
func TestMarksAgreeWithASearchOfAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var list []state.Annotation
	for i := range 200 {
		from := rng.Int64N(10_000)
		list = append(list, state.Annotation{ID: fmt.Sprint(i), Type: IgnoreMark, Start: from, End: from + rng.Int64N(1000)})
	}
	m := NewMarks(list)
	all := m.Windows(labelOf())
	for at := int64(-10); at < 12_000; at++ {
		want := 0
		for i := range list {
			if list[i].Start <= at && at < list[i].End {
				want++
			}
		}
		if got := m.At(at); len(got) != want {
			t.Fatalf("at %d: %d windows, want %d", at, len(got), want)
		}
		if in := slices.ContainsFunc(all, func(w Window) bool { return w.From <= at && at < w.To }); in != (want > 0) {
			t.Fatalf("at %d: in the joined windows: %v, in %d of them", at, in, want)
		}
	}
}

func TestLabelsThatAnnotationsSee(t *testing.T) {
	s := &Signal{Def: signal.Definition{Name: "load", Layer: series.Application, Labels: map[string]string{"service": "cart", "zone": "far"}}}
	label := s.Label(&Series{Labels: series.FromStrings("zone", "1", "signal", "theirs")})
	for name, want := range map[string]string{"signal": "load", "layer": "application", "service": "cart", "zone": "1", "other": ""} {
		if got := label(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestAnnotationsAreKept(t *testing.T) {
	dir := t.TempDir()
	ledger, err := state.OpenLedger(dir, state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAnnotations(ledger, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.max = 3
	put := func(one state.Annotation, created bool) {
		t.Helper()
		got, err := a.Put(one)
		if err != nil || got != created {
			t.Fatalf("put %s: created %v, %v", one.ID, got, err)
		}
	}
	ids := func() (ids []string) {
		for _, one := range a.List() {
			ids = append(ids, one.ID)
		}
		return ids
	}
	late := state.Annotation{ID: "late", Type: DeployMark, Start: 300, End: 300, Text: "v2", Tags: []string{"ci"}, Labels: map[string]string{"service": "cart"}}
	put(late, true)
	put(state.Annotation{ID: "early", Type: IncidentMark, Start: 100}, true)
	put(late, false)
	before := a.List()
	put(state.Annotation{ID: "early", Type: IncidentMark, Start: 100, End: 200}, false) // it is over
	if a.Marks().At(150) == nil || a.Marks().At(250) != nil || before[0].End != 0 {
		t.Error("the incident did not end, or a list that was given out changed")
	}
	put(state.Annotation{ID: "middle", Type: EventMark, Start: 150, End: 250}, true)
	put(state.Annotation{ID: "new", Type: EventMark, Start: 50, End: 400}, true) // one too many: what ended first goes
	if got, want := ids(), []string{"new", "middle", "late"}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
	if found, err := a.Delete("middle"); !found || err != nil {
		t.Errorf("delete: %v, %v", found, err)
	}
	if found, err := a.Delete("middle"); found || err != nil {
		t.Errorf("delete once more: %v, %v", found, err)
	}
	want := a.List()
	if err := ledger.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("annotations")).Put([]byte("bad"), []byte("{")) }); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if ledger, err = state.OpenLedger(dir, state.Options{}); err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	if a, err = NewAnnotations(ledger, nil, nil); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.List(), want) || len(want) != 2 {
		t.Errorf("after a restart\n%+v, want\n%+v", a.List(), want)
	}
}
