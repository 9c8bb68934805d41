package series

import "testing"

func TestKeyTellsLabelSetsApart(t *testing.T) {
	sets := []Labels{
		{},
		FromStrings("a", "b"), FromStrings("a", "b", "c", "d"), FromStrings("ab", "c"), FromStrings("a", "bc"),
		FromStrings("a", `b",c="d`), FromStrings("a", "b").With("e", "f"),
	}
	seen := map[string]Labels{}
	for _, s := range sets {
		if other, ok := seen[s.Key()]; ok {
			t.Errorf("%v and %v have the same key", s, other)
		}
		seen[s.Key()] = s
	}
	if a, b := FromStrings("x", "1", "a", "2", "empty", ""), FromStrings("a", "2", "x", "1"); a.Key() != b.Key() || !a.Equal(b) {
		t.Errorf("%v and %v differ: order and empty values must not count", a, b)
	}
}

func TestWithLeavesItsInputAlone(t *testing.T) {
	ls := FromStrings("a", "1", "b", "2")
	if got := ls.With("a", "").With("c", "3").String(); got != `{b="2", c="3"}` {
		t.Errorf("got %s", got)
	}
	if ls.String() != `{a="1", b="2"}` {
		t.Errorf("the input became %s", ls)
	}
}
