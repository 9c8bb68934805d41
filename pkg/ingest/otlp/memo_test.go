package otlp_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/ingest/otlp"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// What is remembered changes nothing: a receiver that remembers, one that remembers little, and one that remembers nothing store the same
// samples and give the same answers, whatever comes.
func TestRememberingChangesNothing(t *testing.T) {
	const rounds = 150
	for seed := range uint64(6) {
		limited := seed%2 == 1
		var all [3]*station
		for i, bytes := range []int{-1, 0, 6000} {
			all[i] = newStation(t, func(o *otlp.Options) {
				o.Remember = bytes
				if limited {
					db := o.Store.(*tsdb.DB)
					o.Door = ingest.NewGuard(db, ingest.GuardOptions{
						Now: func() time.Time { return now }, Series: db.Head().NumSeries,
						Limits: ingest.Limits{Series: 120, Labels: 9, LabelValueBytes: 50},
					})
				}
			})
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		for round := range rounds {
			shape := rand.New(rand.NewPCG(seed, rnd.Uint64N(8)))
			md := randomRequest(shape, rnd, time.Duration(round-rounds)*10*time.Second)
			twist(md, rnd.IntN(12))
			body := marshal(t, md)
			first := all[0].post(protobuf, slices.Clone(body))
			for _, other := range all[1:] {
				if w := other.post(protobuf, slices.Clone(body)); w.Code != first.Code || w.Body.String() != first.Body.String() {
					t.Fatalf("seed %d, round %d: answers %d %q and %d %q", seed, round, first.Code, first.Body, w.Code, w.Body)
				}
			}
		}
		want := all[0].read()
		if by := otlp.Recalled(all[1].receiver); len(want) < 25 || by < 30 {
			t.Fatalf("seed %d: only %d series, %d times recalled", seed, len(want), by)
		}
		for _, other := range all[1:] {
			got := other.read()
			if !reflect.DeepEqual(got, want) {
				for _, name := range slices.Sorted(maps.Keys(want)) {
					if !reflect.DeepEqual(got[name], want[name]) {
						t.Fatalf("seed %d: %s: %v, want %v", seed, name, got[name], want[name])
					}
				}
				t.Fatalf("seed %d: %d series, want %d", seed, len(got), len(want))
			}
		}
	}
}

// However many series come, what is remembered of them stays within its bytes; texts that are too long for it are not remembered.
func TestWhatIsRememberedIsBounded(t *testing.T) {
	const limit = 100_000
	s := newStation(t, func(o *otlp.Options) { o.Remember = limit })
	most := 0
	for i := range 2000 {
		md, ms := shop()
		p := counter(ms, "requests", cumulative, -time.Hour, 0, 1)
		p.Attributes().PutStr("path", fmt.Sprint("/", i))
		if i%100 == 0 {
			md.ResourceMetrics().At(0).Resource().Attributes().PutStr("much", strings.Repeat("x", limit))
		}
		s.send(md)
		most = max(most, otlp.Remembered(s.receiver))
	}
	if most > limit || most < limit/2 {
		t.Errorf("%d bytes were remembered, want at most %d, and half of that", most, limit)
	}
	if n := len(s.read()); n < 2000 {
		t.Errorf("%d series are stored", n)
	}
}

// twist changes one thing that is not in the attributes of points.
func twist(md pmetric.Metrics, n int) {
	for _, rm := range md.ResourceMetrics().All() {
		switch n {
		case 0:
			rm.Resource().Attributes().PutStr("host.name", "c")
		case 1:
			rm.Resource().Attributes().PutStr("service.version", "2")
		}
		for _, sm := range rm.ScopeMetrics().All() {
			switch n {
			case 2:
				sm.Scope().Attributes().PutStr("part", "z")
			case 3:
				sm.SetSchemaUrl("https://example/2")
			case 4:
				sm.Scope().SetVersion("2")
			}
			for _, m := range sm.Metrics().All() {
				switch {
				case n == 5:
					m.SetUnit("s")
				case n == 6 && m.Type() == pmetric.MetricTypeSum:
					m.Sum().SetIsMonotonic(!m.Sum().IsMonotonic())
				}
			}
		}
	}
}

// randomRequest draws from few words, so that series come again, collide and change. The shape decides what they are, rnd their points.
func randomRequest(shape, rnd *rand.Rand, at time.Duration) pmetric.Metrics {
	pick := func(words ...string) string { return words[shape.IntN(len(words))] }
	md := pmetric.NewMetrics()
	for range 1 + shape.IntN(3) {
		rm := md.ResourceMetrics().AppendEmpty()
		attributes := rm.Resource().Attributes()
		attributes.PutStr("service.name", pick("shop", "mail"))
		if shape.IntN(3) > 0 {
			attributes.PutStr("service.instance.id", pick("1", "2"))
		}
		attributes.PutStr("host.name", pick("a", "b")) // in target_info alone
		for range 1 + shape.IntN(2) {
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(pick("", "lib", "lib", "other"))
			sm.Scope().SetVersion(pick("", "1"))
			sm.SetSchemaUrl(pick("", "", "https://example/1"))
			if shape.IntN(5) == 0 {
				sm.Scope().Attributes().PutStr("part", pick("x", "y"))
			}
			for range 1 + shape.IntN(4) {
				m := sm.Metrics().AppendEmpty()
				m.SetName(pick("requests", "http.requests", "http_requests", "memory", "target.info", "baseliner_times_only"))
				m.SetUnit(pick("", "", "By", "s", "1"))
				switch shape.IntN(8) {
				case 0:
					randomHistogram(shape, m, at)
					continue
				case 1, 2:
					randomNumbers(shape, rnd, m.SetEmptyGauge().DataPoints(), at)
				default:
					m.SetEmptySum().SetIsMonotonic(shape.IntN(3) > 0)
					m.Sum().SetAggregationTemporality(cumulative)
					if shape.IntN(10) == 0 {
						m.Sum().SetAggregationTemporality(delta)
						m.SetName("increments")
					}
					randomNumbers(shape, rnd, m.Sum().DataPoints(), at)
				}
			}
		}
	}
	return md
}

func randomNumbers(shape, rnd *rand.Rand, points pmetric.NumberDataPointSlice, at time.Duration) {
	for range 1 + shape.IntN(4) {
		p := points.AppendEmpty()
		randomAttributes(shape, p.Attributes())
		p.SetTimestamp(stamp(at + time.Duration(rnd.IntN(3))*time.Second)) // several of a series, in any order, some twice
		if rnd.IntN(3) == 0 {
			p.SetStartTimestamp(stamp(at - time.Duration(rnd.IntN(30))*time.Second))
		}
		if rnd.IntN(2) == 0 {
			p.SetIntValue(rnd.Int64N(1000))
		} else {
			p.SetDoubleValue(rnd.Float64())
		}
		if rnd.IntN(80) == 0 {
			p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
		}
	}
}

func randomHistogram(rnd *rand.Rand, m pmetric.Metric, at time.Duration) {
	m.SetName("latency." + m.Name())
	m.SetEmptyHistogram().SetAggregationTemporality(cumulative)
	p := m.Histogram().DataPoints().AppendEmpty()
	randomAttributes(rnd, p.Attributes())
	p.SetTimestamp(stamp(at + 5*time.Second))
	p.SetCount(3)
	p.BucketCounts().FromRaw([]uint64{1, 2})
	p.ExplicitBounds().FromRaw([]float64{0.5})
}

func randomAttributes(rnd *rand.Rand, to pcommon.Map) {
	for _, i := range rnd.Perm(6)[:rnd.IntN(4)] {
		switch i {
		case 0:
			to.PutStr("path", fmt.Sprint("/", rnd.IntN(3)))
		case 1:
			to.PutStr("http.code", "200")
		case 2:
			to.PutInt("http_code", int64(200+rnd.IntN(2))) // collides with the one above
		case 3:
			to.PutEmptySlice("tags").AppendEmpty().SetBool(rnd.IntN(2) == 0)
		case 4:
			to.PutStr("job", "mine") // collides with what a resource is called
		case 5:
			to.PutStr("long", strings.Repeat("x", rnd.IntN(60)))
		}
	}
}
