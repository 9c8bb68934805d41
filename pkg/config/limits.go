package config

import (
	"fmt"
	"time"
)

// leastBody is a limit below which nothing useful fits.
const leastBody = 64 << 10

// leastMemory is a ceiling under which nothing runs.
const leastMemory = 64 << 20

func (l *loader) limits(s *limitsSchema) {
	l.between("limits.future", s.Future, time.Second, time.Hour)
	for _, c := range []struct {
		key string
		n   int
	}{{"series", s.Series}, {"labels", s.Labels}, {"samples_per_scrape", s.SamplesPerScrape}} {
		if c.n < 0 {
			l.fail("limits."+c.key, "0 lifts the limit", "%d is negative", c.n)
		}
	}
	if s.BodyBytes < leastBody {
		l.fail("limits.body_bytes", "", "%d bytes is less than 64KiB", s.BodyBytes)
	}
	if s.InFlightBytes < 2*s.BodyBytes {
		l.fail("limits.in_flight_bytes", "a request is held compressed and decoded", "%d bytes is less than twice limits.body_bytes, %d", s.InFlightBytes, 2*s.BodyBytes)
	}
	if l.has("limits.memory_bytes") && s.MemoryBytes < leastMemory {
		l.fail("limits.memory_bytes", "leave it out for nine tenths of what the container allows", "%d bytes is less than 64MiB", s.MemoryBytes)
	}
	l.cfg.Limits = Limits{
		MemoryBytes: int64(s.MemoryBytes),
		Future:      s.Future, Series: max(s.Series, 0), Labels: max(s.Labels, 0), LabelValueBytes: int(s.LabelValueBytes),
		SamplesPerScrape: max(s.SamplesPerScrape, 0), BodyBytes: int64(s.BodyBytes), InFlightBytes: int64(s.InFlightBytes),
	}
}

// scrapeDefaults are limits that Prometheus leaves open: a target that goes mad must not take us along.
func (l *loader) scrapeDefaults() []any {
	c := l.cfg.Limits
	return []any{
		"sample_limit", c.SamplesPerScrape,
		"body_size_limit", fmt.Sprintf("%dB", c.BodyBytes),
		"label_limit", c.Labels,
		"label_name_length_limit", 256,
		"label_value_length_limit", c.LabelValueBytes,
	}
}
