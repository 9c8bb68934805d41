package pipeline

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/cost"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// TestLossOfWhatHistoryRemembers: of a ratio of which the weeks are in history and the last hours are live, the loss is
// (expected − ratio) × denominators, once however much windows overlap, with an interval from history.
func TestLossOfWhatHistoryRemembers(t *testing.T) {
	dir := t.TempDir()
	open := func(name string) *tsdb.DB {
		db, err := tsdb.Open(tsdb.Options{Dir: filepath.Join(dir, name), Name: name, Retention: 60 * 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	live, history := open("live"), open("history")
	const minute, start, begin = int64(60_000), int64(1_790_000_000_000) / hourMillis * hourMillis, 6 * 24 * 60
	def := signal.Definition{
		Name: "conversion", Layer: series.Business, Ratio: &signal.Ratio{Numerator: "orders_total", Denominator: "b"}, Window: 5 * time.Minute, Interval: time.Minute, Zone: "UTC",
		Direction: series.Down, ValuePerUnit: &signal.Money{Amount: 10, Currency: "EUR"},
	}
	core, err := NewCore([]signal.Definition{def})
	if err != nil {
		t.Fatal(err)
	}
	s := core.signals[0]
	sr := s.add(series.FromStrings("shop", "a"))
	put := func(db *tsdb.DB, metric string, at int64, v float64) {
		j := Judged{Signal: s, Series: sr}
		app := db.Appender(context.Background())
		if _, err := app.Append(0, j.labels(metric), at, v); err != nil {
			t.Fatal(err)
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	want := 0.0
	for k := range int64(begin + 60) {
		at := start + k*minute
		ratio := 0.1 + (float64(noise(k, 0, 5)%1000)-500)/1e5
		if k >= begin {
			ratio = 0.06
			want += (0.1 - 0.06) * 1000 / 5
		}
		if k < begin-120 {
			put(history, metricValue, at, ratio)
			put(history, metricDenominator, at, 1000)
			if k%60 == 30 {
				put(history, metricExpected, at, 0.1)
			}
			continue
		}
		put(live, metricValue, at, ratio)
		put(live, metricDenominator, at, 1000)
		put(live, metricExpected, at, 0.1)
	}
	in := &Instance{o: Options{Live: live, History: history}}
	l, ok := in.loss(context.Background(), s, sr, start+begin*minute, start+(begin+59)*minute)
	if !ok || !l.Bounded || math.Abs(l.Lost-want) > 0.02*want || l.Low > want || l.High < want || l.High-l.Low > 0.2*want {
		t.Errorf("loss %+v, want %v", l, want)
	}
	if text := l.String(); !strings.Contains(text, "about 480 orders fewer than expected (") || !strings.Contains(text, "worth 4,80") {
		t.Errorf("told %q", text)
	}
	if _, ok := in.loss(context.Background(), s, nil, start, start+minute); ok {
		t.Error("a signal as a whole has no loss")
	}
	storm := Output{T: start + (begin+59)*minute}
	for range 3 * lossesOfAlerts {
		storm.Events = append(storm.Events, Occurrence{Signal: s, Series: sr, Event: detect.Event{Kind: detect.Begin, Dir: series.Down, StartsAt: start + begin*minute}})
	}
	in.metrics, in.o.Logger = newMetrics(nil), discard()
	for range 2 {
		in.transitions = nil
		in.collect(context.Background(), &storm)
		priced := 0
		for i := range in.transitions {
			if in.transitions[i].Annotations["impact"] != "" {
				priced++
			}
		}
		if len(in.transitions) != len(storm.Events) || priced != lossesOfAlerts {
			t.Errorf("a storm of %d alerts told %d, %d with their cost", len(storm.Events), len(in.transitions), priced)
		}
	}
	core.signals[0].Def.Layer, core.signals[0].Def.ValuePerUnit = series.Application, nil
	if _, ok := in.loss(context.Background(), s, sr, start, start+minute); ok {
		t.Error("what is not the business's and worth nothing costs nothing")
	}
}

func TestLossInWords(t *testing.T) {
	check := func(want string, l Loss) {
		t.Helper()
		if got := l.String(); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	of := func(lost, low, high float64) cost.Loss { return cost.Loss{Lost: lost, Low: low, High: high} }
	check("about 312 orders fewer than expected (250 to 370, 90 %), worth 13,104 EUR (10,500 to 15,540)",
		Loss{Loss: of(312, 250, 370), Unit: "orders", Bounded: true, Money: &signal.Money{Amount: 42, Currency: "EUR"}})
	check("about 312 fewer than expected", Loss{Loss: of(312, math.Inf(-1), math.Inf(1))})
	check("about 40 refunds more than expected (10 to 70, 90 %)", Loss{Loss: of(40, 10, 70), Unit: "refunds", More: true, Bounded: true})
	check("about 40 refunds fewer than expected (10 to 70, 90 %)", Loss{Loss: of(-40, -70, -10), Unit: "refunds", More: true, Bounded: true})
	check("about 5 orders more than expected (-20 to 30, 90 %)", Loss{Loss: of(-5, -30, 20), Unit: "orders", Bounded: true})
}
