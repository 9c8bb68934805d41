package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Tables of a page are found by a comment that names them; their heads may differ from the titles of the page.
const (
	pageMark     = "<!-- accuracy: "
	pageMarkEnd  = " -->"
	pageMeasured = "measured "
)

// updatePage puts the tables into a page of documentation: each replaces the lines from its mark to the next empty line,
// but for rows whose first cell is in italics, which were measured elsewhere. The mark "measured" and the group that was measured is followed
// by the day.
func updatePage(path, group string, tables []table, day time.Time) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("update page: %w", err)
	}
	text, err := replaceTables(string(b), group, tables, day)
	if err != nil {
		return fmt.Errorf("update page %s: %w", path, err)
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func replaceTables(page, group string, tables []table, day time.Time) (string, error) {
	byTitle := map[string]*table{}
	measured := pageMeasured + group
	for i := range tables {
		byTitle[tables[i].title] = &tables[i]
	}
	var out []string
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		title, ok := strings.CutPrefix(lines[i], pageMark)
		title, end := strings.CutSuffix(title, pageMarkEnd)
		if !ok || !end {
			continue
		}
		t := byTitle[title]
		if t == nil && title != measured {
			continue // not measured this time
		}
		delete(byTitle, title)
		var kept []string
		for i+1 < len(lines) && lines[i+1] != "" {
			i++
			if strings.HasPrefix(lines[i], "| *") && !strings.HasPrefix(lines[i], "| **") {
				kept = append(kept, lines[i])
			}
		}
		if t == nil {
			out = append(out, day.Format("Measured on 2006-01-02."))
			continue
		}
		out = append(append(out, t.lines()...), kept...)
	}
	for _, t := range tables {
		if byTitle[t.title] != nil {
			return "", fmt.Errorf("it has no line %q", pageMark+t.title+pageMarkEnd)
		}
	}
	return strings.Join(out, "\n"), nil
}
