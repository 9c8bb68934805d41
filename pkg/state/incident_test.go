package state_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/state"
)

func TestIncidentsByTheirBegin(t *testing.T) {
	ledger, err := state.OpenLedger(t.TempDir(), state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	list := func(before int64, most int) (ids []string) {
		t.Helper()
		err := ledger.View(func(tx *bbolt.Tx) error {
			return state.EachIncident(tx, before, func(in *state.Incident) bool {
				ids = append(ids, in.ID+string(in.Text))
				return len(ids) < most
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	check := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check(list(math.MaxInt64, 10)) // before anything is kept
	update := func(f func(tx *bbolt.Tx) error) {
		t.Helper()
		if err := ledger.Update(f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *bbolt.Tx) error {
		for i := range 5 {
			// Ids say nothing of the order.
			if err := state.PutIncident(tx, &state.Incident{ID: fmt.Sprint("dbeca"[i : i+1]), Start: int64(10 * i), Text: []byte{'0'}}); err != nil {
				return err
			}
		}
		return state.PutIncident(tx, &state.Incident{ID: "e", Start: 20, Text: []byte{'1'}})
	})
	check(list(math.MaxInt64, 10), "a0", "c0", "e1", "b0", "d0")
	check(list(30, 2), "e1", "b0")
	check(list(0, 2))
	_ = ledger.View(func(tx *bbolt.Tx) error {
		if in := state.FindIncident(tx, "e"); in == nil || in.Start != 20 || string(in.Text) != "1" {
			t.Errorf("found %+v", in)
		}
		if in := state.FindIncident(tx, "x"); in != nil {
			t.Errorf("found %+v", in)
		}
		return nil
	})
	update(func(tx *bbolt.Tx) error { return state.DropIncidents(tx, 10, 3) })
	check(list(math.MaxInt64, 10), "a0", "c0", "e1")
}
