package main

import (
	"fmt"
	"strings"
)

// table is a titled table of texts.
type table struct {
	title string
	note  string // below the table; may be empty
	head  []string
	rows  [][]string
}

// row adds a row: texts as they are, whole numbers as such, other numbers with three decimals.
func (t *table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case float64:
			texts[i] = fmt.Sprintf("%.3f", c)
		case bool:
			texts[i] = map[bool]string{true: "yes", false: "**no**"}[c]
		default:
			texts[i] = fmt.Sprint(c)
		}
	}
	t.rows = append(t.rows, texts)
}

func (t *table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", t.title)
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.head)
	fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(t.head)))
	for _, r := range t.rows {
		line(r)
	}
	if t.note != "" {
		fmt.Fprintf(&b, "\n%s\n", t.note)
	}
	return b.String()
}
