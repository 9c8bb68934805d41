package pipeline

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/baseliner/baseliner/pkg/state"
)

// TestTopologyIsKnownAsOfThen: what was known at an instant is known after a restart too, calls are forgotten a day after they
// were seen last, and a metric that cannot be asked changes nothing.
func TestTopologyIsKnownAsOfThen(t *testing.T) {
	dir := t.TempDir()
	ledger, err := state.OpenLedger(dir, state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	fixed := [][2]string{{"shop", "mail"}}
	tp, err := NewTopology(ledger, []string{"a", "b"}, fixed, nil)
	if err != nil {
		t.Fatal(err)
	}
	const start = int64(1_700_000_000_000)
	asked := 0
	look := func(after int64, pairs [][2]string, err error) {
		tp.look(context.Background(), start+after, func(_ context.Context, expr string, _ int64) ([][2]string, error) {
			asked++
			if expr == "b" {
				return nil, err
			}
			return pairs, nil
		})
	}
	look(0, [][2]string{{"shop", "orders"}, {"", "db"}, {"orders", "orders"}}, nil)
	look(60_000, [][2]string{{"orders", "db"}}, nil) // too soon
	if asked != 2 {
		t.Fatalf("asked %d times", asked)
	}
	look(lookAround.Milliseconds(), [][2]string{{"orders", "db"}}, errors.New("server is gone"))
	check := func(after int64, want ...[2]string) {
		t.Helper()
		if got := tp.At(start + after).Edges(); !slices.Equal(got, want) {
			t.Errorf("after %s: %v, want %v", span(after), got, want)
		}
	}
	checkAll := func() {
		t.Helper()
		check(-1, [2]string{"shop", "mail"})
		check(0, [2]string{"shop", "mail"}, [2]string{"shop", "orders"})
		check(lookAround.Milliseconds(), [2]string{"orders", "db"}, [2]string{"shop", "mail"}, [2]string{"shop", "orders"})
	}
	checkAll()
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if ledger, err = state.OpenLedger(dir, state.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	if tp, err = NewTopology(ledger, []string{"a"}, fixed, nil); err != nil {
		t.Fatal(err)
	}
	checkAll()
	day := callsLast.Milliseconds() + 2*lookAround.Milliseconds()
	look(day, [][2]string{{"orders", "db"}}, nil)
	check(day, [2]string{"orders", "db"}, [2]string{"shop", "mail"})
	checkAll()
	tp.Configure(nil, nil)
	look(2*day, [][2]string{{"x", "y"}}, nil)
	check(2*day, [2]string{"orders", "db"})
}

// TestVersionsOfALargeTopologyAreFew: what every change writes anew does not grow without bound, and the version before is kept.
func TestVersionsOfALargeTopologyAreFew(t *testing.T) {
	version := func(from int64, calls int) topologyVersion { return topologyVersion{from, make([][2]string, calls)} }
	check := func(what string, got []topologyVersion, kept int, newest int64) {
		t.Helper()
		if len(got) != kept || got[len(got)-1].From != newest {
			t.Errorf("%s: %d versions up to %d, want %d up to %d", what, len(got), got[len(got)-1].From, kept, newest)
		}
	}
	var small, large []topologyVersion
	for i := range int64(maxVersions + 10) {
		small, large = trimVersions(append(small, version(i+1, 3))), trimVersions(append(large, version(i+1, maxCalls)))
	}
	check("small", small, maxVersions, maxVersions+10)
	check("large", large, maxKeptCalls/maxCalls, maxVersions+10)
	check("huge", trimVersions([]topologyVersion{version(1, 3), version(2, maxKeptCalls), version(3, maxKeptCalls)}), 2, 3)
	if small[0].From != 0 || large[0].From != 0 {
		t.Error("the oldest stands for all before it")
	}
}
