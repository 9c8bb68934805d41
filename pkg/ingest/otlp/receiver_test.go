package otlp_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/otlp"
)

const (
	cumulative = pmetric.AggregationTemporalityCumulative
	delta      = pmetric.AggregationTemporalityDelta
)

// series is the text of a series of the shop.
func series(name string, pairs ...string) string {
	return labels.FromStrings(append(pairs, "__name__", name, "job", "shop", "otel_scope_name", "lib", "service_name", "shop")...).String()
}

func TestKinds(t *testing.T) {
	s := newStation(t)
	md, ms := shop()
	md.ResourceMetrics().At(0).Resource().Attributes().PutStr("os.type", "linux")

	counter(ms, "orders", cumulative, -time.Minute, 0, 7).Attributes().PutStr("http.route", "/a")
	g := ms.AppendEmpty()
	g.SetName("queue.length")
	p := g.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetStartTimestamp(stamp(-time.Minute)) // which does not mean that it was zero then
	p.SetTimestamp(stamp(0))
	p.SetIntValue(3)
	gone := g.Gauge().DataPoints().AppendEmpty()
	gone.SetTimestamp(stamp(0))
	gone.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	gone.Attributes().PutStr("q", "gone")

	h := ms.AppendEmpty()
	h.SetName("latency")
	h.SetUnit("s")
	h.SetEmptyHistogram().SetAggregationTemporality(cumulative)
	hp := h.Histogram().DataPoints().AppendEmpty()
	hp.SetTimestamp(stamp(0))
	hp.SetCount(3)
	hp.SetSum(1.5)
	hp.ExplicitBounds().FromRaw([]float64{0.5, 1})
	hp.BucketCounts().FromRaw([]uint64{1, 2, 0})

	e := ms.AppendEmpty()
	e.SetName("size")
	e.SetUnit("By")
	e.SetEmptyExponentialHistogram().SetAggregationTemporality(cumulative)
	ep := e.ExponentialHistogram().DataPoints().AppendEmpty()
	ep.SetTimestamp(stamp(0))
	ep.SetScale(20)
	ep.SetCount(2)
	ep.SetSum(9)
	ep.Positive().SetOffset(1)
	ep.Positive().BucketCounts().FromRaw([]uint64{1, 1})

	q := ms.AppendEmpty()
	q.SetName("old")
	qp := q.SetEmptySummary().DataPoints().AppendEmpty()
	qp.SetTimestamp(stamp(0))
	qp.SetCount(4)
	qp.SetSum(8)
	qv := qp.QuantileValues().AppendEmpty()
	qv.SetQuantile(0.5)
	qv.SetValue(2)

	if ps := s.send(md); ps.RejectedDataPoints() != 0 || ps.ErrorMessage() != "" {
		t.Errorf("partial success: %d %q", ps.RejectedDataPoints(), ps.ErrorMessage())
	}
	s.want(series("orders_total", "http_route", "/a"), stored{-60_000, 0}, stored{0, 7}) // born a minute ago
	s.want(series("queue_length"), stored{0, 3})
	s.want(series("queue_length", "q", "gone"), stored{0, -1})
	s.want(series("latency_seconds_bucket", "le", "0.5"), stored{0, 1})
	s.want(series("latency_seconds_bucket", "le", "1"), stored{0, 3})
	s.want(series("latency_seconds_bucket", "le", "+Inf"), stored{0, 3})
	s.want(series("latency_seconds_count"), stored{0, 3})
	s.want(series("latency_seconds_sum"), stored{0, 1.5})
	s.want(series("size_bytes"), stored{0, 2})
	s.want(series("old", "quantile", "0.5"), stored{0, 2})
	s.want(series("old_count"), stored{0, 4})
	s.want(series("old_sum"), stored{0, 8})
	s.want(`{__name__="target_info", job="shop", os_type="linux"}`, stored{0, 1})
}

// Increments become counters. One that comes twice counts once, also after a restart, and what was rolled back counts
// when it comes again.
func TestDelta(t *testing.T) {
	s := newStation(t)
	one := func(start, at time.Duration, v float64) pmetric.Metrics {
		md, ms := shop()
		counter(ms, "orders", delta, start, at, v)
		return md
	}
	name := series("orders_total")
	s.send(one(-5*time.Minute, -4*time.Minute, 3))
	s.send(one(-4*time.Minute, -3*time.Minute, 2))
	want := []stored{{-5 * 60_000, 0}, {-4 * 60_000, 3}, {-3 * 60_000, 5}}
	s.want(name, want...)

	twice := func() {
		t.Helper()
		before := s.refused(ingest.NotNewer)
		ps := s.send(one(-4*time.Minute, -3*time.Minute, 2))
		if ps.RejectedDataPoints() != 1 || !strings.Contains(ps.ErrorMessage(), "not newer") || s.refused(ingest.NotNewer) != before+1 {
			t.Errorf("the second time: %d %q", ps.RejectedDataPoints(), ps.ErrorMessage())
		}
		s.want(name, want...)
	}
	twice()
	s.close()
	s.open()
	twice()
	s.send(one(-3*time.Minute, -2*time.Minute, 10))
	want = append(want, stored{-2 * 60_000, 15})
	s.want(name, want...)

	s.close()
	s.open(func(o *otlp.Options) {
		o.Door = ingest.NewGuard(broken{s.db}, ingest.GuardOptions{Now: func() time.Time { return now }})
	})
	if w := s.post(protobuf, marshal(t, one(-2*time.Minute, -time.Minute, 1))); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("a store that fails: %d %v", w.Code, w.Header())
	}
	s.want(name, want...)
	s.close()
	s.open()
	s.send(one(-2*time.Minute, -time.Minute, 1))
	want = append(want, stored{-60_000, 16})
	s.want(name, want...)

	// After a pause the sum goes on; the start of an increment is not that of the sum.
	s.send(one(-10*time.Second, 0, 4))
	want = append(want, stored{0, 20})
	s.want(name, want...)
}

// What a resource says of itself is kept, whether it sends sums or increments.
func TestTargetInfoOfIncrements(t *testing.T) {
	s := newStation(t)
	md, ms := shop()
	counter(ms, "sums", cumulative, 0, 0, 1)
	for _, name := range []string{"increments", "both"} {
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("service.name", name)
		rm.Resource().Attributes().PutStr("os.type", "linux")
		ms := rm.ScopeMetrics().AppendEmpty().Metrics()
		counter(ms, "a", delta, 0, 0, 1)
		if name == "both" {
			counter(ms, "b", cumulative, 0, 0, 1)
		}
	}
	if ps := s.send(md); ps.RejectedDataPoints() != 0 || ps.ErrorMessage() != "" {
		t.Errorf("partial success: %d %q", ps.RejectedDataPoints(), ps.ErrorMessage())
	}
	s.want(`{__name__="target_info", job="increments", os_type="linux"}`, stored{0, 1})
	s.want(`{__name__="target_info", job="both", os_type="linux"}`, stored{0, 1})
}

func TestDeltaHistograms(t *testing.T) {
	s := newStation(t)
	send := func(at time.Duration, scale int32) {
		md, ms := shop()
		h := ms.AppendEmpty()
		h.SetName("latency")
		h.SetEmptyHistogram().SetAggregationTemporality(delta)
		p := h.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(stamp(at))
		p.SetCount(3)
		p.SetSum(2)
		p.ExplicitBounds().FromRaw([]float64{1})
		p.BucketCounts().FromRaw([]uint64{2, 1})
		e := ms.AppendEmpty()
		e.SetName("size")
		e.SetEmptyExponentialHistogram().SetAggregationTemporality(delta)
		ep := e.ExponentialHistogram().DataPoints().AppendEmpty()
		ep.SetTimestamp(stamp(at))
		ep.SetScale(scale)
		ep.SetCount(5)
		ep.SetSum(9)
		ep.Positive().SetOffset(1)
		ep.Positive().BucketCounts().FromRaw([]uint64{2, 3})
		if ps := s.send(md); ps.RejectedDataPoints() != 0 {
			t.Errorf("partial success %d %q", ps.RejectedDataPoints(), ps.ErrorMessage())
		}
	}
	send(-2*time.Minute, 3)
	send(-time.Minute, 1) // coarser
	s.close()
	s.open()
	send(0, 3)
	s.want(series("latency_bucket", "le", "1"), stored{-120_000, 2}, stored{-60_000, 4}, stored{0, 6})
	s.want(series("latency_bucket", "le", "+Inf"), stored{-120_000, 3}, stored{-60_000, 6}, stored{0, 9})
	s.want(series("latency_sum"), stored{-120_000, 2}, stored{-60_000, 4}, stored{0, 6})
	s.want(series("size"), stored{-120_000, 5}, stored{-60_000, 10}, stored{0, 15})
}

// What cannot be taken is left out and told; the rest is kept.
func TestPartialSuccess(t *testing.T) {
	s := newStation(t)
	md, ms := shop()
	counter(ms, "good", cumulative, -time.Hour*24, 0, 1)
	counter(ms, "future", cumulative, 0, 11*time.Minute, 1)
	counter(ms, "start.after.time", cumulative, time.Minute, 0, 1) // only its birth is in doubt
	counter(ms, "year.9999", cumulative, 0, 0, 1).SetTimestamp(pcommon.Timestamp(math.MaxUint64))
	counter(ms, "no.time", cumulative, 0, 0, 1).SetTimestamp(0)
	counter(ms, "unspecified", pmetric.AggregationTemporalityUnspecified, 0, 0, 1)
	counter(ms, "", cumulative, 0, 0, 1)
	counter(ms, "名前", cumulative, 0, 0, 1)
	counter(ms, "bad.attribute", cumulative, 0, 0, 1).Attributes().PutStr("…", "x")
	counter(ms, "infinite", delta, -time.Minute, 0, math.Inf(1))
	empty := ms.AppendEmpty()
	empty.SetName("no.value")
	empty.SetEmptyGauge().DataPoints().AppendEmpty().SetTimestamp(stamp(0))
	ms.AppendEmpty().SetName("no.type")
	scale := func(name string, scale, offset int32) {
		e := ms.AppendEmpty()
		e.SetName(name)
		e.SetEmptyExponentialHistogram().SetAggregationTemporality(cumulative)
		p := e.ExponentialHistogram().DataPoints().AppendEmpty()
		p.SetTimestamp(stamp(0))
		p.SetScale(scale)
		p.SetCount(1)
		p.Positive().SetOffset(offset)
		p.Positive().BucketCounts().FromRaw([]uint64{1})
	}
	scale("coarse", -100, 0)
	scale("fine", 100, math.MaxInt32)
	scale("least", 0, math.MinInt32)
	buckets := ms.AppendEmpty()
	buckets.SetName("buckets")
	buckets.SetEmptyHistogram().SetAggregationTemporality(cumulative)
	bp := buckets.Histogram().DataPoints().AppendEmpty()
	bp.SetTimestamp(stamp(0))
	bp.BucketCounts().FromRaw([]uint64{1})
	bp.ExplicitBounds().FromRaw([]float64{1, 2, 3})
	counter(ms, "good", cumulative, 0, 0, 2) // a second value for the time of the first

	ps := s.send(md)
	if ps.RejectedDataPoints() != 11 || !strings.Contains(ps.ErrorMessage(), "limits.future") || !strings.Contains(ps.ErrorMessage(), "more") {
		t.Errorf("partial success: %d %q", ps.RejectedDataPoints(), ps.ErrorMessage())
	}
	s.want(series("good_total"), stored{0, 1})
	s.want(series("start_after_time_total"), stored{0, 1})
	if got := s.refused(ingest.TooFarInFuture); got != 2 {
		t.Errorf("%v too far in the future, want 2", got)
	}
}

// Points a day apart do not make a sample of target_info for every few minutes between them.
func TestTargetInfoIsBounded(t *testing.T) {
	s := newStation(t)
	md, ms := shop()
	md.ResourceMetrics().At(0).Resource().Attributes().PutStr("os.type", "linux")
	counter(ms, "a", cumulative, 0, -25*365*24*time.Hour, 1)
	counter(ms, "b", cumulative, 0, 0, 1)
	begin := time.Now()
	s.send(md)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	s.want(series("b_total"), stored{0, 1})
}
