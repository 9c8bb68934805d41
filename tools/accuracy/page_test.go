package main

import (
	"strings"
	"testing"
	"time"
)

func TestPage(t *testing.T) {
	one := table{title: "one", head: []string{"a", "b"}}
	one.row("**us**", 1.5)
	one.row("more", 2)
	page := "# Page\n\n<!-- accuracy: measured all -->\nlong ago\n\n## A heading\n\n<!-- accuracy: one -->\n| old |\n|---|\n| **us** |\n| *they* | 7 |\n\n" +
		"<!-- accuracy: two -->\n| stays |\n\nend\n"
	want := "# Page\n\n<!-- accuracy: measured all -->\nMeasured on 2026-02-03.\n\n## A heading\n\n<!-- accuracy: one -->\n| a | b |\n|---|---|\n| **us** | 1.500 |\n| more | 2 |\n| *they* | 7 |\n\n" +
		"<!-- accuracy: two -->\n| stays |\n\nend\n"
	day := time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)
	got, err := replaceTables(page, "all", []table{one}, day)
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	again, err := replaceTables(got, "all", []table{one}, day)
	if err != nil || again != got {
		t.Errorf("a second time it becomes %v\n%s", err, again)
	}
	if _, err := replaceTables(page, "all", []table{{title: "three"}}, day); err == nil || !strings.Contains(err.Error(), "<!-- accuracy: three -->") {
		t.Errorf("a table without a place: %v", err)
	}
}
