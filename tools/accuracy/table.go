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

// lines are the head and the rows in markdown.
func (t *table) lines() []string {
	line := func(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
	out := []string{line(t.head), "|" + strings.Repeat("---|", len(t.head))}
	for _, r := range t.rows {
		out = append(out, line(r))
	}
	return out
}

// markdown is the table under its title.
func (t *table) markdown() string {
	text := "### " + t.title + "\n\n" + strings.Join(t.lines(), "\n") + "\n"
	if t.note != "" {
		text += "\n" + t.note + "\n"
	}
	return text
}
