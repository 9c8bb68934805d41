package config

import (
	"fmt"
	"strings"
	"testing"
)

// largeConfig is a thousand signals and a hundred jobs.
func largeConfig() []byte {
	var b strings.Builder
	b.WriteString("scrape_configs:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "  - job_name: job_%d\n    static_configs: [{targets: [host-%d:9100]}]\n", i, i)
	}
	b.WriteString("signals:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  - name: signal_%d\n    layer: application\n    expr: sum by (job) (rate(requests_total{shard=\"%d\"}[5m]))\n", i, i)
	}
	return []byte(b.String())
}

func BenchmarkLoad(b *testing.B) {
	text := largeConfig()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := LoadBytes("large.yml", text, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestManyMistakes keeps the search for the culprit bounded: thousands of mistakes in one block of a library.
func TestManyMistakes(t *testing.T) {
	var b strings.Builder
	b.WriteString("scrape_configs:\n  - job_name: a\n    relabel_configs:\n")
	for range 5_000 {
		b.WriteString("      - {regex: '('}\n")
	}
	_, err := loadString(b.String())
	if err == nil || !strings.HasPrefix(err.Error(), "test.yml:4: scrape_configs[0].relabel_configs[0].regex: error parsing regexp") {
		t.Errorf("got %.300v", err)
	}
}
