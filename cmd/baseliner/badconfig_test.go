package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mistake is one thing wrong with a configuration.
type mistake struct {
	name string
	text string // begins in line 1; §, at the end of a line, marks the one that is wrong
	key  string
	want string // of the cause
}

// TestBadConfiguration refuses to start with each of them, says where it is, and leaves nothing behind.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	mistakes := []mistake{
		{"unknown key", "global:\n  evaluation_intervall: 1m §\n", "global.evaluation_intervall", "evaluation_interval"},
		{"wrong type", "limits:\n  future: [soon] §\n", "limits.future", "duration"},
		{"bad PromQL", "signals:\n  - name: a\n    layer: business\n    expr: sum(rate(x[5m]) §\n", "signals[0].expr", "unclosed left parenthesis"},
		{"bad regex", "scrape_configs:\n  - job_name: a\n    relabel_configs:\n      - regex: 'a(' §\n", "scrape_configs[0].relabel_configs[0].regex", "missing closing )"},
		{"missing secret file", "alerting:\n  route: {receiver: a}\n  receivers:\n    - name: a\n      webhook_configs:\n        - url_file: nowhere.txt §\n", "alerting.receivers[0].webhook_configs[0].url_file", "nowhere.txt"},
		{"unknown zone", "global:\n  timezone: Europe/Berlim §\n", "global.timezone", "Europe/Berlin"},
		{"range beyond retention", "signals:\n  - name: a\n    layer: business\n    expr: sum(rate(x[72h])) §\n", "signals[0].expr", "engine.embedded.live.retention"},
	}
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			line := 1 + strings.Count(m.text[:strings.Index(m.text, " §")], "\n")
			wantRefused(t, strings.ReplaceAll(m.text, " §", ""), func(file, stderr string) {
				told := strings.Split(strings.TrimSpace(stderr), "\n")
				if prefix := fmt.Sprintf("%s:%d: %s: ", file, line, m.key); len(told) != 1 || !strings.HasPrefix(told[0], prefix) || !strings.Contains(told[0], m.want) {
					t.Errorf("want one line %s… %s …, got\n%s", prefix, m.want, stderr)
				}
			})
		})
	}
}

// TestAllMistakesAtOnce puts them into one file: an author wants to know all of them now.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	const text = `global:
  evaluation_intervall: 1m
  timezone: Europe/Berlim
limits:
  future: [soon]
scrape_configs:
  - job_name: a
    relabel_configs:
      - regex: 'a('
signals:
  - name: a
    layer: business
    expr: sum(rate(x[5m])
  - name: b
    layer: business
    expr: sum(rate(x[72h]))
alerting:
  route: {receiver: a}
  receivers:
    - name: a
      webhook_configs:
        - url_file: nowhere.txt
`
	wantRefused(t, text, func(file, stderr string) {
		var lines []string
		for _, m := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(file)+`:([0-9]+): [a-z_.0-9\[\]]+: \S`).FindAllStringSubmatch(stderr, -1) {
			lines = append(lines, m[1])
		}
		if want := []string{"2", "3", "5", "9", "13", "16", "22"}; !slices.Equal(lines, want) {
			t.Errorf("mistakes were found in lines %v, want %v:\n%s", lines, want, stderr)
		}
	})
}

// wantRefused gives a configuration to run and to check; both have to refuse it in the same words.
func wantRefused(t *testing.T, text string, told func(file, stderr string)) {
	t.Helper()
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", text)
	storage := filepath.Join(dir, "data")
	for _, args := range [][]string{{"check", cfg}, {"run", "--config.file=" + cfg, "--storage.path=" + storage, "--web.listen-address=127.0.0.1:0"}} {
		status, stdout, stderr := command(t, args...)
		if status != 1 || stdout != "" {
			t.Errorf("%s: exit %d: %s", args[0], status, stdout)
		}
		told(cfg, stderr)
	}
	if _, err := os.Stat(storage); !os.IsNotExist(err) {
		t.Errorf("the storage was touched: %v", err)
	}
}
