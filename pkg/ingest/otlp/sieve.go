package otlp

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// sieve takes out of a request what the translation would stumble over, and counts it.
type sieve struct {
	door     *ingest.Guard
	told     reasons
	rejected int // points
	min, max int64
}

// span is how far apart the points are that stayed.
func (s *sieve) span() time.Duration {
	if s.max <= s.min {
		return 0
	}
	return time.Duration(s.max-s.min) * time.Millisecond
}

// sift removes what cannot be taken, and moves the metrics that are increments to a request of their own, where they say
// that they are cumulative: which they are once they are added up.
func (s *sieve) sift(md pmetric.Metrics) (deltas pmetric.Metrics) {
	deltas = pmetric.NewMetrics()
	for _, rm := range md.ResourceMetrics().All() {
		var resource pmetric.ResourceMetrics
		moved := false
		for _, sm := range rm.ScopeMetrics().All() {
			var scope pmetric.ScopeMetrics
			scoped := false
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				if !s.metric(m) {
					return true
				}
				if !isDelta(m) {
					return false
				}
				if !moved {
					resource, moved = deltas.ResourceMetrics().AppendEmpty(), true
					rm.Resource().CopyTo(resource.Resource())
				}
				if !scoped {
					scope, scoped = resource.ScopeMetrics().AppendEmpty(), true
					sm.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(sm.SchemaUrl())
				}
				to := scope.Metrics().AppendEmpty()
				m.MoveTo(to)
				setCumulative(to)
				return true
			})
		}
	}
	return deltas
}

// metric removes points, and reports whether the metric can be translated.
func (s *sieve) metric(m pmetric.Metric) bool {
	n := points(m)
	if why := wrong(m); why != "" {
		s.reject(n, m.Name(), &ingest.RefusedError{Reason: ingest.Invalid, Detail: why})
		return false
	}
	delta := isDelta(m)
	//exhaustive:enforce
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool { return s.number(m, p, false) })
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool { return s.number(m, p, delta) })
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().RemoveIf(func(p pmetric.HistogramDataPoint) bool {
			why := ""
			if b, e := p.BucketCounts().Len(), p.ExplicitBounds().Len(); b > 0 && b != e+1 {
				why = fmt.Sprintf("it has %d buckets and %d bounds", b, e)
			} else if delta && p.HasSum() && !finite(p.Sum()) {
				why = fmt.Sprintf("its sum is %v", p.Sum())
			}
			return s.bad(m, p.Timestamp(), p.Attributes(), why)
		})
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().DataPoints().RemoveIf(func(p pmetric.ExponentialHistogramDataPoint) bool {
			why := ""
			if p.Scale() < histogram.ExponentialSchemaMin {
				why = fmt.Sprintf("its scale %d is less than %d", p.Scale(), histogram.ExponentialSchemaMin)
			} else if delta && p.HasSum() && !finite(p.Sum()) {
				why = fmt.Sprintf("its sum is %v", p.Sum())
			}
			return s.bad(m, p.Timestamp(), p.Attributes(), why)
		})
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().RemoveIf(func(p pmetric.SummaryDataPoint) bool { return s.bad(m, p.Timestamp(), p.Attributes(), "") })
	case pmetric.MetricTypeEmpty:
	}
	return points(m) > 0
}

func (s *sieve) number(m pmetric.Metric, p pmetric.NumberDataPoint, delta bool) bool {
	why := ""
	switch {
	case p.Flags().NoRecordedValue():
	case p.ValueType() == pmetric.NumberDataPointValueTypeEmpty:
		why = "it has no value"
	case delta && p.ValueType() == pmetric.NumberDataPointValueTypeDouble && !finite(p.DoubleValue()):
		why = fmt.Sprintf("its increment is %v", p.DoubleValue())
	}
	return s.bad(m, p.Timestamp(), p.Attributes(), why)
}

// bad reports whether a point cannot be taken, and counts it.
func (s *sieve) bad(m pmetric.Metric, at pcommon.Timestamp, attributes pcommon.Map, why string) bool {
	t := int64(math.MaxInt64)
	if at <= math.MaxInt64 {
		t = int64(at) / 1e6
	}
	refusal := s.door.Check(t)
	if refusal == nil && why == "" {
		why = unnamed(attributes)
	}
	if refusal == nil && why != "" {
		refusal = &ingest.RefusedError{Reason: ingest.Invalid, Detail: why}
	}
	if refusal != nil {
		s.reject(1, m.Name(), refusal)
		return true
	}
	if s.max == 0 {
		s.min, s.max = t, t
	}
	s.min, s.max = min(s.min, t), max(s.max, t)
	return false
}

func (s *sieve) reject(n int, name string, why *ingest.RefusedError) {
	if n > 0 {
		s.rejected += n
		s.door.Refuse(why, n)
		s.told.add(fmt.Sprintf("%s: %s", name, why))
	}
}

// wrong says why no point of a metric can be taken.
func wrong(m pmetric.Metric) string {
	if !nameable(m.Name()) {
		return fmt.Sprintf("metric name %q has no letter or digit of ASCII", m.Name())
	}
	temporality := pmetric.AggregationTemporalityCumulative
	switch m.Type() {
	case pmetric.MetricTypeSum:
		temporality = m.Sum().AggregationTemporality()
	case pmetric.MetricTypeHistogram:
		temporality = m.Histogram().AggregationTemporality()
	case pmetric.MetricTypeExponentialHistogram:
		temporality = m.ExponentialHistogram().AggregationTemporality()
	default:
	}
	if temporality != pmetric.AggregationTemporalityCumulative && temporality != pmetric.AggregationTemporalityDelta {
		return "its temporality is neither cumulative nor delta"
	}
	return ""
}

func isDelta(m pmetric.Metric) bool {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	case pmetric.MetricTypeHistogram:
		return m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityDelta
	default:
		return false
	}
}

func setCumulative(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case pmetric.MetricTypeHistogram:
		m.Histogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	default:
	}
}

func points(m pmetric.Metric) int {
	//exhaustive:enforce
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	case pmetric.MetricTypeEmpty:
	}
	return 0
}

// unnamed says which attribute cannot be a label.
func unnamed(attributes pcommon.Map) string {
	for k := range attributes.All() {
		if !nameable(k) {
			return fmt.Sprintf("attribute %q has no letter or digit of ASCII", k)
		}
	}
	return ""
}

// nameable reports whether anything is left of a name once it is written in Prometheus' letters.
func nameable(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return true
		}
	}
	return false
}

func finite(x float64) bool { return x-x == 0 }
