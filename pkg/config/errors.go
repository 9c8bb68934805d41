package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a configuration file.
type Problem struct {
	Line  int    // from 1; 0 when it concerns the file as a whole
	Key   string // path of the key, such as signals[0].expr; empty when there is none
	Cause string
	Hint  string // what to do about it; may be empty
}

// Errors is every problem of one file, sorted by line. It never holds the value of a secret.
//
//nolint:errname // it is all of them
type Errors struct {
	File     string
	Problems []Problem
}

// Error prints one problem a line: file:line: key: cause (hint).
func (e *Errors) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.format(p)
	}
	return strings.Join(lines, "\n")
}

func (e *Errors) format(p Problem) string {
	var b strings.Builder
	b.WriteString(e.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key)
		b.WriteString(": ")
	}
	b.WriteString(oneLine(p.Cause))
	if p.Hint != "" {
		fmt.Fprintf(&b, " (%s)", oneLine(p.Hint))
	}
	return b.String()
}

// sort orders by line and drops repetitions: one mistake may be found by two checks.
func (e *Errors) sort() {
	slices.SortStableFunc(e.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Cause, b.Cause))
	})
	e.Problems = slices.Compact(e.Problems)
}

func (e *Errors) add(line int, key, hint, format string, args ...any) {
	e.Problems = append(e.Problems, Problem{Line: line, Key: key, Hint: hint, Cause: fmt.Sprintf(format, args...)})
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
