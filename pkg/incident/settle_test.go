package incident

import "testing"

func TestWhoMovedFirstChangesWithStrongEvidenceOnly(t *testing.T) {
	of := func(names ...string) (s Story) {
		for _, n := range names {
			s.First = append(s.First, Suspect{Signal: n})
		}
		return s
	}
	in := &Incident{}
	step := func(now int64, ranked Story, want string, former ...string) {
		t.Helper()
		in.Story = in.Settle(ranked, now, 1)
		if len(in.Story.First) != 1 || in.Story.First[0].Signal != want {
			t.Errorf("at %d first are %+v, want %s", now, in.Story.First, want)
		}
		if len(in.Story.Former) != len(former) {
			t.Fatalf("at %d former are %+v, want %v", now, in.Story.Former, former)
		}
		for i, f := range in.Story.Former {
			if f.First[0].Signal != former[i] {
				t.Errorf("at %d former are %+v, want %v", now, in.Story.Former, former)
			}
		}
	}
	step(1, of("checkout"), "checkout")
	step(2, of("db"), "checkout")
	step(3, of("db"), "checkout")
	step(4, of("checkout"), "checkout") // two in a row are not enough, and do not add up
	step(5, of("db"), "checkout")
	step(6, of(), "checkout") // says nothing for or against
	step(7, of("db"), "checkout")
	step(8, of("disk"), "checkout") // another rival begins anew
	step(9, of("db"), "checkout")
	step(10, of("db"), "checkout")
	step(11, of("db"), "db", "checkout")
	if f := in.Story.Former[0]; f.Until != 11 {
		t.Errorf("former %+v", f)
	}
	step(12, of("db"), "db", "checkout")
	later := of("checkout")
	later.First[0].Onset, later.Causes = 10, []Suspect{{Signal: "db", Onset: 7}, {Signal: "checkout", Onset: 10}}
	for now := range int64(5) { // db moves less along with the outcome by now; it began first all the same
		step(13+now, later, "db", "checkout")
	}
	for now := range int64(3) {
		in.Story = in.Settle(of("db", "disk"), 18+now, 1)
	}
	if s := &in.Story; len(s.First) != 2 || len(s.Former) != 2 {
		t.Errorf("%+v", s)
	}
}
