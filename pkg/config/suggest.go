package config

import (
	"fmt"
	"slices"
	"strings"
)

// specialKeys are the hints for keys that people bring along from Prometheus and Alertmanager.
var specialKeys = map[string]string{
	"http_config":         "HTTP client options stand beside url, without http_config around them",
	"rule_files":          "baseliner evaluates signals, not rules",
	"remote_write":        "receiving is ingest.remote_write",
	"remote_read":         "a Prometheus is read by baseliner backfill",
	"scrape_config_files": "list the jobs in scrape_configs",
}

// didYouMean returns a hint naming the candidate closest to word, "" when none is close.
func didYouMean(word string, candidates []string) string {
	best, distance := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), c); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// unknownKey is the hint for a key that does not exist: the likely one, or all there are.
func unknownKey(key string, known []string) string {
	if h := specialKeys[key]; h != "" {
		return h
	}
	if strings.HasSuffix(key, "_sd_configs") && !slices.Contains(known, key) && slices.Contains(known, discoveries[0]) {
		return "built in are " + strings.Join(discoveries, ", ")
	}
	if h := didYouMean(key, known); h != "" {
		return h
	}
	if len(known) > 12 {
		return ""
	}
	return "known keys: " + strings.Join(known, ", ")
}

// editDistance counts insertions, deletions, substitutions and swaps of neighbours. Words too long to be a typing
// mistake are simply far apart.
func editDistance(a, b string) int {
	const long = 64
	if len(a) > long || len(b) > long {
		return long
	}
	var before, row, next [long + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
