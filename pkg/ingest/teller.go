package ingest

import (
	"log/slog"
	"sync"
	"time"
)

// tellAgain is when a refusal that goes on is told once more.
const tellAgain = 24 * time.Hour

// changes say what to do about a refusal.
var changes = map[Reason]string{
	TooFarInFuture: "set the clock of the source, or raise limits.future",
	TooFarInPast:   "set the clock of the source",
	SeriesLimit:    "raise limits.series, or drop series by metric_relabel_configs or where they are sent from; series that are known go on",
	MemoryLimit:    "raise limits.memory_bytes and the memory of the container, or send fewer series; series that are known go on",
	LabelLimit:     "raise limits.labels, or drop labels by metric_relabel_configs or where they are sent from",
	LabelTooLong:   "raise limits.label_value_bytes, or drop the label by metric_relabel_configs or where it is sent from",
	BadLabels:      "correct the sender",
	NotNewer:       "nothing, if a sender repeated what had arrived; if two send the same stream, give each its own service.instance.id",
	OutOfBounds:    "nothing, if a sender was cut off for more than an hour; else set its clock, or use backfill for the past",
	TooOld:         "nothing, if a sender was cut off for more than an hour; else set its clock, or use backfill for the past",
	OutOfOrder:     "if two sources write the same series, give them a label that differs",
	Duplicate:      "if two sources write the same series, give them a label that differs",
	Invalid:        "correct the sender",
}

// teller says in the log what is refused: the first time, and once a day while it goes on. The metric has the numbers.
type teller struct {
	logger *slog.Logger

	mtx  sync.Mutex
	last map[Reason]time.Time
}

func (t *teller) tell(now time.Time, reason Reason, detail string) {
	t.mtx.Lock()
	defer t.mtx.Unlock()
	if last, ok := t.last[reason]; ok && now.Sub(last).Abs() < tellAgain {
		return
	}
	t.last[reason] = now
	t.logger.Warn("samples are refused; told once a day, counted in baseliner_ingest_rejected_samples_total",
		"reason", string(reason), "first", detail, "change", changes[reason])
}
