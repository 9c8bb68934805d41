package config

import "time"

// DeadLetters bounds how long notifications that were given up are kept.
type DeadLetters struct {
	MaxAge   time.Duration
	MaxBytes int64
}

// The defaults fit a sidecar's volume of 256 MiB beside the stores.
const (
	outboxMaxBytes      = 16 << 20
	deadLettersMaxBytes = 16 << 20
	deadLettersMaxAge   = 30 * 24 * time.Hour
	leastStoreBytes     = 1 << 20
)

func (l *loader) outbox(s *alertingSchema) {
	for path, n := range map[string]size{"alerting.outbox.max_bytes": s.Outbox.MaxBytes, "alerting.dead_letters.max_bytes": s.DeadLetters.MaxBytes} {
		if n < leastStoreBytes {
			l.fail(path, "", "%d bytes is less than 1MiB", n)
		}
	}
	l.between("alerting.dead_letters.max_age", s.DeadLetters.MaxAge, time.Hour, 10*365*24*time.Hour)
	l.cfg.Alerting.OutboxMaxBytes = int64(s.Outbox.MaxBytes)
	l.cfg.Alerting.DeadLetters = DeadLetters{MaxAge: s.DeadLetters.MaxAge, MaxBytes: int64(s.DeadLetters.MaxBytes)}
}
