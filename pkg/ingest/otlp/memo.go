package otlp

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	// turnAfter is how long a series may be silent and still be known by heart: well below what the store keeps it in memory.
	turnAfter = 10 * time.Minute
	// memoEntry and memoContext are what an entry and the map of a metric need besides their texts, in bytes.
	memoEntry, memoContext = 160, 400
	// longestKey is how long the texts of a point may be that is worth remembering, in bytes.
	longestKey = 8 << 10
)

// memo remembers which series the translation made of the attributes of a point, and where the store has it, so that what comes again
// every few seconds is neither translated nor sorted nor looked up again. It is a cache of a function: whatever the translation reads is
// part of the key, and compared. What was not asked for in the last 10 to 20 minutes is forgotten, or in the last two times that
// half of its bytes were filled.
type memo struct {
	half int // bytes

	mtx        sync.Mutex
	young, old generation
	turned     time.Time
	recalled   int // times that everything was known
}

// generation holds what is known by metric, then by point.
type generation struct {
	metrics map[string]map[string]*known
	bytes   int
}

// known is a series.
type known struct {
	ref  atomic.Uint64 // of the store, which gives a series that it forgot another one
	ls   labels.Labels
	kind model.MetricType
}

func newMemo(bytes int) *memo {
	return &memo{half: bytes / 2, young: generation{metrics: map[string]map[string]*known{}}}
}

// recall returns the series of all points, in their order, nil for those that are not known, and whether all are.
func (m *memo) recall(ms []numbers, now time.Time) (series []*known, all bool) {
	n := 0
	for _, one := range ms {
		n += one.points.Len()
	}
	series = make([]*known, 0, n)
	all = n > 0
	var key []byte
	m.mtx.Lock()
	defer m.mtx.Unlock()
	if now.Sub(m.turned).Abs() > turnAfter {
		m.turn(now)
	}
	for _, one := range ms {
		young, old := m.young.metrics[one.context], m.old.metrics[one.context]
		for i := range one.points.Len() {
			p := one.points.At(i)
			key = appendAttributes(key[:0], p.Attributes())
			k := young[string(key)]
			if p.Flags().NoRecordedValue() { // the series ends, and the store may forget it at once
				delete(young, string(key))
				delete(old, string(key))
				k = nil
			} else if k == nil {
				if k = old[string(key)]; k != nil {
					m.put(one.context, string(key), k, now)
					young, old = m.young.metrics[one.context], m.old.metrics[one.context]
				}
			}
			all = all && k != nil
			series = append(series, k)
		}
	}
	if all {
		m.recalled++
	}
	return series, all
}

// keep remembers the series of points that were not known; those that are nil were not stored.
func (m *memo) keep(ms []numbers, were, series []*known, now time.Time) {
	var key []byte
	m.mtx.Lock()
	defer m.mtx.Unlock()
	for _, one := range ms {
		n := one.points.Len()
		for i := range n {
			if k := series[i]; k != nil && k != were[i] {
				if key = appendAttributes(key[:0], one.points.At(i).Attributes()); len(key)+len(one.context) <= longestKey {
					m.put(one.context, string(key), k, now)
				}
			}
		}
		were, series = were[n:], series[n:]
	}
}

func (m *memo) put(context, key string, k *known, now time.Time) {
	if _, ok := m.young.metrics[context][key]; ok {
		m.young.metrics[context][key] = k
		return
	}
	need := memoEntry + len(key) + int(k.ls.ByteSize())
	if m.young.metrics[context] == nil {
		need += memoContext + len(context)
	}
	if m.young.bytes+need > m.half {
		m.turn(now)
	}
	points := m.young.metrics[context]
	if points == nil {
		points = map[string]*known{}
		m.young.metrics[context] = points
	}
	points[key] = k
	m.young.bytes += need
}

// turn forgets what nobody asked for since the last turn.
func (m *memo) turn(now time.Time) {
	m.old, m.young, m.turned = m.young, generation{metrics: map[string]map[string]*known{}}, now
}

// numbers are the points of one gauge or sum. The context is what the labels of all of them depend on: resource, scope, metric.
type numbers struct {
	context string
	points  pmetric.NumberDataPointSlice
}

// numbersOf lists the gauges and sums of a resource in the order in which they are translated.
func numbersOf(rm pmetric.ResourceMetrics) (out []numbers) {
	resource := appendAttributes(nil, rm.Resource().Attributes())
	var key []byte
	for _, sm := range rm.ScopeMetrics().All() {
		key = append(key[:0], resource...)
		key = appendText(appendText(appendText(key, sm.Scope().Name()), sm.Scope().Version()), sm.SchemaUrl())
		key = appendAttributes(key, sm.Scope().Attributes())
		scope := len(key)
		for _, m := range sm.Metrics().All() {
			var points pmetric.NumberDataPointSlice
			monotonic := byte(0)
			switch m.Type() {
			case pmetric.MetricTypeGauge:
				points = m.Gauge().DataPoints()
			case pmetric.MetricTypeSum:
				points = m.Sum().DataPoints()
				if m.Sum().IsMonotonic() {
					monotonic = 1
				}
			default:
				continue
			}
			key = appendText(appendText(key[:scope], m.Name()), m.Unit())
			key = append(key, byte(m.Type()), monotonic)
			out = append(out, numbers{context: string(key), points: points})
		}
	}
	return out
}

func isNumbers(m pmetric.Metric) bool {
	return m.Type() == pmetric.MetricTypeGauge || m.Type() == pmetric.MetricTypeSum
}

// appendAttributes appends names and what the translation reads of values: their text.
func appendAttributes(b []byte, attributes pcommon.Map) []byte {
	b = binary.AppendUvarint(b, uint64(attributes.Len()))
	for k, v := range attributes.All() {
		b = appendText(appendText(b, k), v.AsString())
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// number is what the translation makes of a point that has a value: unix milliseconds and the value.
func number(p pmetric.NumberDataPoint) (st, t int64, v float64) {
	if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
		v = float64(p.IntValue())
	} else {
		v = p.DoubleValue()
	}
	return int64(p.StartTimestamp()) / 1e6, int64(p.Timestamp()) / 1e6, v
}
