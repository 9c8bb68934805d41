package remotewrite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// reasonsTold is how many refused samples an answer mentions.
const reasonsTold = 3

// transaction is everything that one request appends, and what was wrong with the rest.
type transaction struct {
	app  storage.AppenderV2
	door *ingest.Guard

	labels labels.Labels // of the series at hand
	ref    storage.SeriesRef
	bad    *ingest.RefusedError // why the series at hand is not taken

	samples, histograms int // appended
	refused             int
	told                []string
}

// begin starts a series.
func (tx *transaction) begin(ls labels.Labels) {
	tx.labels, tx.ref, tx.bad = ls, 0, nil
	switch twice, dup := ls.HasDuplicateLabelNames(); {
	case ls.Get(model.MetricNameLabel) == "":
		tx.bad = &ingest.RefusedError{Reason: ingest.BadLabels, Detail: "it has no metric name"}
	case !ls.IsValid(model.UTF8Validation):
		tx.bad = &ingest.RefusedError{Reason: ingest.BadLabels, Detail: "a name of it is empty or not UTF-8"}
	case dup:
		tx.bad = &ingest.RefusedError{Reason: ingest.BadLabels, Detail: fmt.Sprintf("it has label %s twice", twice)}
	}
}

func (tx *transaction) float(p point) { tx.append(p.start, p.t, p.v, nil, nil, &tx.samples) }

func (tx *transaction) histogram(n native) {
	if err := n.reduce(); err != nil {
		tx.refuse(1, &ingest.RefusedError{Reason: ingest.Invalid, Detail: err.Error()})
		return
	}
	tx.append(n.start, n.t, 0, n.integers, n.floats, &tx.histograms)
}

// reduce brings a histogram that is finer than PromQL knows to the finest it does.
func (n native) reduce() error {
	if h := n.integers; h != nil && histogram.IsExponentialSchemaReserved(h.Schema) && h.Schema > histogram.ExponentialSchemaMax {
		return h.ReduceResolution(histogram.ExponentialSchemaMax)
	}
	if h := n.floats; h != nil && histogram.IsExponentialSchemaReserved(h.Schema) && h.Schema > histogram.ExponentialSchemaMax {
		return h.ReduceResolution(histogram.ExponentialSchemaMax)
	}
	return nil
}

func (tx *transaction) append(st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, taken *int) {
	if tx.bad != nil {
		tx.refuse(1, tx.bad)
		return
	}
	ref, err := tx.app.Append(tx.ref, tx.labels, st, t, v, h, fh, storage.AppendV2Options{})
	if ingest.ReasonOf(err) != "" {
		tx.note(1, err)
		return
	}
	tx.ref = ref
	*taken++
}

// refuse counts samples that the store was not offered.
func (tx *transaction) refuse(n int, why *ingest.RefusedError) {
	tx.door.Refuse(why, n)
	tx.note(n, why)
}

func (tx *transaction) note(n int, err error) {
	if tx.refused += n; len(tx.told) < reasonsTold {
		tx.told = append(tx.told, fmt.Sprintf("%s: %s", short(tx.labels.String()), err))
	}
}

// partial is the answer to a request whose samples were not all taken; nil if they were.
func (tx *transaction) partial() error {
	if tx.refused == 0 {
		return nil
	}
	text := fmt.Sprintf("%d samples were refused, %d were kept: %s", tx.refused, tx.samples+tx.histograms, strings.Join(tx.told, "; "))
	if more := tx.refused - len(tx.told); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return errors.New(text)
}

// short cuts a text that goes into an answer.
func short(s string) string {
	const longest = 200
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}
