package pipeline

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/state"
)

// maxAnnotations bounds what is kept. Beyond it, what ended longest ago makes room and is counted.
const maxAnnotations = 10_000

// Annotations keeps what people and pipelines tell about the world, in the ledger. It is safe for concurrent use.
type Annotations struct {
	ledger  *state.Ledger
	logger  *slog.Logger
	kept    prometheus.Gauge
	evicted prometheus.Counter
	max     int

	mu  sync.Mutex // of writers
	now atomic.Pointer[annotated]
}

// annotated is one state of all annotations, never changed.
type annotated struct {
	list  []state.Annotation // by start, then id
	marks *Marks
}

// NewAnnotations reads what the ledger holds. logger and reg may be nil.
func NewAnnotations(ledger *state.Ledger, logger *slog.Logger, reg prometheus.Registerer) (*Annotations, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	a := &Annotations{
		ledger: ledger, logger: logger, max: maxAnnotations,
		kept:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "baseliner_annotations", Help: "Annotations that are kept."}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{Name: "baseliner_annotations_evicted_total", Help: "Annotations dropped to make room for new ones."}),
	}
	if reg != nil {
		reg.MustRegister(a.kept, a.evicted)
	}
	var all []state.Annotation
	err := ledger.View(func(tx *bbolt.Tx) (err error) {
		all, err = state.Annotations(tx, func(id string, err error) {
			logger.Error("annotation is damaged and passed over", "id", id, "err", err)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read annotations: %w", err)
	}
	a.publish(all)
	return a, nil
}

// publish makes a list the one that is seen. The list belongs to it from then on.
func (a *Annotations) publish(list []state.Annotation) {
	slices.SortFunc(list, func(x, y state.Annotation) int { return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.ID, y.ID)) })
	a.now.Store(&annotated{list, NewMarks(list)})
	a.kept.Set(float64(len(list)))
}

// List returns all annotations by their start. They are read-only.
func (a *Annotations) List() []state.Annotation { return a.now.Load().list }

// Marks returns what the annotations of now mean for series.
func (a *Annotations) Marks() *Marks { return a.now.Load().marks }

// Put keeps an annotation in place of the one with the same id. It is on disk when Put returns.
func (a *Annotations) Put(one state.Annotation) (created bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(a.List()), func(x state.Annotation) bool { return x.ID == one.ID })
	created = len(list) == len(a.List())
	var gone []string
	for len(list) >= a.max {
		oldest := 0
		for i := range list {
			if until(&list[i]) < until(&list[oldest]) {
				oldest = i
			}
		}
		gone = append(gone, list[oldest].ID)
		list = slices.Delete(list, oldest, oldest+1)
	}
	err = a.ledger.Update(func(tx *bbolt.Tx) error {
		for _, id := range gone {
			if err := state.DropAnnotation(tx, id); err != nil {
				return err
			}
		}
		return state.PutAnnotation(tx, &one)
	})
	if err != nil {
		return false, fmt.Errorf("keep annotation: %w", err)
	}
	a.publish(append(list, one))
	a.evicted.Add(float64(len(gone)))
	for _, id := range gone {
		a.logger.Warn("annotation was dropped to make room", "id", id, "kept", a.max)
	}
	return created, nil
}

// Delete forgets an annotation; found is false when there is none of that id.
func (a *Annotations) Delete(id string) (found bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(a.List()), func(x state.Annotation) bool { return x.ID == id })
	if len(list) == len(a.List()) {
		return false, nil
	}
	if err := a.ledger.Update(func(tx *bbolt.Tx) error { return state.DropAnnotation(tx, id) }); err != nil {
		return false, fmt.Errorf("forget annotation: %w", err)
	}
	a.publish(list)
	return true, nil
}
