package series

import (
	"slices"
	"strconv"
	"strings"
)

// Label is one name and value.
type Label struct{ Name, Value string }

// Labels identify a series within its signal: sorted by name, each name once, no empty values. Treat a value as
// immutable: functions return new slices and share none of their input.
type Labels []Label

// FromMap returns the labels of m; empty values are dropped, as Prometheus does.
func FromMap(m map[string]string) Labels {
	ls := make(Labels, 0, len(m))
	for n, v := range m {
		if v != "" {
			ls = append(ls, Label{n, v})
		}
	}
	slices.SortFunc(ls, compareLabel)
	return ls
}

// FromStrings returns the labels of alternating names and values. It panics on an odd count.
func FromStrings(namesAndValues ...string) Labels {
	if len(namesAndValues)%2 != 0 {
		panic("series: odd number of strings in FromStrings")
	}
	m := make(map[string]string, len(namesAndValues)/2)
	for i := 0; i < len(namesAndValues); i += 2 {
		m[namesAndValues[i]] = namesAndValues[i+1]
	}
	return FromMap(m)
}

// Get returns the value of the label, "" when it is absent.
func (ls Labels) Get(name string) string {
	for _, l := range ls {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

// Map returns the labels as a new map.
func (ls Labels) Map() map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}

// With returns ls with one label set; an empty value removes it.
func (ls Labels) With(name, value string) Labels {
	m := ls.Map()
	m[name] = value
	return FromMap(m)
}

// Equal reports whether both hold the same labels.
func (ls Labels) Equal(o Labels) bool { return slices.Equal(ls, o) }

// String prints in Prometheus' notation: {a="b", c="d"}.
func (ls Labels) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range ls {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l.Name)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(l.Value))
	}
	b.WriteByte('}')
	return b.String()
}

// Key returns a string that is equal exactly when the labels are: usable as a map key and stable over restarts.
func (ls Labels) Key() string {
	n := 0
	for _, l := range ls {
		n += len(l.Name) + len(l.Value) + 2
	}
	var b strings.Builder
	b.Grow(n)
	for _, l := range ls {
		b.WriteString(l.Name)
		b.WriteByte(0xff) // never part of valid UTF-8
		b.WriteString(l.Value)
		b.WriteByte(0xff)
	}
	return b.String()
}

func compareLabel(a, b Label) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Value, b.Value)
}
