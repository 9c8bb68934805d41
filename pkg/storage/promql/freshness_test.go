package promql

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

const (
	second = int64(1000)
	minute = 60 * second
	start  = int64(1_790_000_000_000) / minute * minute
)

var every15 = Intervals{Default: 15 * time.Second}

func open(t *testing.T) *tsdb.DB {
	t.Helper()
	db, err := tsdb.Open(tsdb.Options{Dir: t.TempDir(), Name: "live", Retention: 48 * time.Hour, OutOfOrder: 2 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// feed appends a counter that grows by one a second, from and to included, every 15 s.
func feed(t *testing.T, db *tsdb.DB, from, to int64, name string, pairs ...string) {
	t.Helper()
	app := db.Appender(context.Background())
	ls := labels.FromStrings(append([]string{"__name__", name}, pairs...)...)
	for ts := from; ts <= to; ts += 15 * second {
		if _, err := app.Append(0, ls, ts, float64((ts-start)/second+10_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

func die(t *testing.T, db *tsdb.DB, at int64, name string, pairs ...string) {
	t.Helper()
	app := db.Appender(context.Background())
	if _, err := app.Append(0, labels.FromStrings(append([]string{"__name__", name}, pairs...)...), at, math.Float64frombits(value.StaleNaN)); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
}

// at evaluates expr at t and returns label set → reason.
func at(t *testing.T, db *tsdb.DB, expr string, ts int64) map[string]series.Missing {
	t.Helper()
	e := New(Options{})
	q, err := e.Parse(expr, 0)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := e.Instant(context.Background(), db, q, ts, every15)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]series.Missing{}
	for _, r := range rs {
		got[r.Labels.String()] = r.Points[0].Missing
	}
	return got
}

func TestADeadTargetsRateIsNeverObserved(t *testing.T) {
	for _, c := range []struct {
		name   string
		marker bool // the scrape that failed wrote a staleness marker
	}{{"scraped", true}, {"pushed", false}} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t)
			death := start + 20*minute
			feed(t, db, start, death, "c_total", "instance", "a")
			if c.marker {
				die(t, db, death+15*second, "c_total", "instance", "a")
			}
			observed, invented := 0, 0
			for ts := start + 10*minute; ts <= death+10*minute; ts += 15 * second {
				got := at(t, db, `sum(rate(c_total[5m]))`, ts)
				m, ok := got["{}"]
				switch {
				case !ok:
				case m == series.Observed:
					observed++
					limit := death + 30*second
					if c.marker {
						limit = death + 14*second
					}
					if ts > limit {
						t.Errorf("%v after the death the rate still counts", time.Duration(ts-death)*time.Millisecond)
					}
				default:
					invented++
				}
			}
			if observed < 40 || invented < 10 {
				t.Errorf("%d observed, %d recognised as invented: the test did not see a decaying rate", observed, invented)
			}
		})
	}
}

func TestOneDeadAmongTheLiving(t *testing.T) {
	db := open(t)
	death, now := start+20*minute, start+22*minute
	feed(t, db, start, death, "c_total", "instance", "a", "route", "x")
	feed(t, db, start, now, "c_total", "instance", "b", "route", "x")
	feed(t, db, start, death, "c_total", "instance", "a", "route", "y")
	check := func(expr string, want map[string]series.Missing) {
		t.Helper()
		if got := at(t, db, expr, now); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", expr, got, want)
		}
	}
	obs, stale := series.Observed, series.Stale
	check(`rate(c_total[5m])`, map[string]series.Missing{
		`{instance="a", route="x"}`: stale, `{instance="b", route="x"}`: obs, `{instance="a", route="y"}`: stale,
	})
	check(`sum by (route) (rate(c_total[5m]))`, map[string]series.Missing{`{route="x"}`: obs, `{route="y"}`: stale})
	check(`sum(rate(c_total[5m]))`, map[string]series.Missing{`{}`: obs})
	check(`sum(rate(c_total{route="y"}[5m])) / sum(rate(c_total{route="x"}[5m]))`, map[string]series.Missing{`{}`: stale})
	check(`sum by (route) (c_total)`, map[string]series.Missing{`{route="x"}`: obs, `{route="y"}`: stale})
	check(`label_replace(sum(rate(c_total[5m])), "route", "all", "", "")`, map[string]series.Missing{`{route="all"}`: obs})
}

func TestLabelsThatChangeOnTheWay(t *testing.T) {
	db := open(t)
	death, now := start+20*minute, start+22*minute
	feed(t, db, start, now, "a_total", "instance", "h1:9100", "job", "a")
	feed(t, db, start, death, "a_total", "instance", "h2:9100", "job", "a")
	die(t, db, death+15*second, "a_total", "instance", "h2:9100", "job", "a")
	feed(t, db, start, now, "b_total", "instance", "h1:9100", "job", "b")
	feed(t, db, start, now, "c_total", "instance", "h2:9100", "job", "c")
	check := func(expr string, want map[string]series.Missing) {
		t.Helper()
		if got := at(t, db, expr, now); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", expr, got, want)
		}
	}
	obs, stale := series.Observed, series.Stale
	check(`label_replace(rate(a_total[5m]), "instance", "$1", "instance", "(.*):.*")`, map[string]series.Missing{
		`{instance="h1", job="a"}`: obs, `{instance="h2", job="a"}`: stale,
	})
	check(`label_join(sum by (instance) (rate(a_total[5m])), "host", "-", "instance")`, map[string]series.Missing{
		`{host="h1:9100", instance="h1:9100"}`: obs, `{host="h2:9100", instance="h2:9100"}`: stale,
	})
	check(`sum by (job) (rate(a_total{instance="h2:9100"}[5m])) or sum by (job) (rate(b_total[5m]))`, map[string]series.Missing{
		`{job="a"}`: stale, `{job="b"}`: obs,
	})
	check(`rate(c_total[5m]) * on (instance) group_left () rate(a_total[5m])`, map[string]series.Missing{
		`{instance="h2:9100", job="c"}`: stale,
	})
	check(`rate(b_total[5m]) * ignoring (job) group_left () rate(a_total[5m])`, map[string]series.Missing{
		`{instance="h1:9100", job="b"}`: obs,
	})
}

func TestZeroAfterAnOrdinaryDeploy(t *testing.T) {
	db := open(t)
	deploy, now := start+20*minute, start+40*minute
	feed(t, db, start, deploy, "req_total", "code", "500", "instance", "old", "job", "shop")
	die(t, db, deploy+15*second, "req_total", "code", "500", "instance", "old", "job", "shop")
	feed(t, db, start, now, "req_total", "code", "200", "instance", "new", "job", "shop")
	expr := `sum(rate(req_total{code="500"}[5m])) or vector(0)`
	if got := at(t, db, expr, now)["{}"]; got != series.Stale {
		t.Errorf("nobody says that the job is scraped: %v", got)
	}
	app := db.Appender(context.Background())
	if _, err := app.Append(0, labels.FromStrings("__name__", "up", "instance", "new", "job", "shop"), now-5*second, 1); err != nil {
		t.Fatal(err)
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := at(t, db, expr, now)["{}"]; got != series.Observed {
		t.Errorf("the job is up and shows no errors: %v", got)
	}
}

func TestExpressionsThatAreAboutAbsence(t *testing.T) {
	db := open(t)
	now := start + 20*minute
	feed(t, db, start, now, "up_total", "instance", "a")
	feed(t, db, start, start+10*minute, "gone_total", "instance", "a")
	check := func(expr string, want series.Missing) {
		t.Helper()
		if got := at(t, db, expr, now)["{}"]; got != want {
			t.Errorf("%s: %v, want %v", expr, got, want)
		}
	}
	check(`sum(rate(never_total[5m])) or vector(0)`, series.Observed) // not born: zero until the first
	check(`sum(rate(gone_total[5m])) or vector(0)`, series.Stale)     // lived once: silence is not zero
	check(`sum(rate(up_total[5m])) or vector(0)`, series.Observed)
	check(`absent(gone_total)`, series.Observed)
	check(`sum(up_total unless gone_total)`, series.Observed)
	check(`sum(up_total offset 10m)`, series.Observed)
	check(`sum(gone_total offset 10m)`, series.Observed)
	check(`sum(gone_total offset 6m)`, series.Stale)
	check(`vector(1)`, series.Observed)
	check(`sum(up_total) / 0`, series.NotANumber)
	check(`max_over_time(sum(rate(up_total[1m]))[5m:1m])`, series.Observed)
}

func TestAfterAGapARangeCountsAgainAfterItsLength(t *testing.T) {
	db := open(t)
	back := start + 30*minute
	feed(t, db, start, start+20*minute, "c_total")
	feed(t, db, back, back+20*minute, "c_total")
	first := int64(0)
	for ts := back; ts <= back+10*minute; ts += 15 * second {
		m, ok := at(t, db, `rate(c_total[5m])`, ts)["{}"]
		if ok && m == series.Observed {
			first = ts
			break
		}
		if ok && m != series.Gap {
			t.Errorf("%v after the gap: %v", time.Duration(ts-back)*time.Millisecond, m)
		}
	}
	if d := first - back; d < 4*minute || d > 5*minute {
		t.Errorf("counts again after %v, want about 5m", time.Duration(d)*time.Millisecond)
	}
	if got := at(t, db, `c_total`, back)["{}"]; got != series.Observed {
		t.Errorf("an instant selector needs no run-up: %v", got)
	}
}

func TestRangeEqualsInstant(t *testing.T) {
	db := open(t)
	end := start + 90*minute
	feed(t, db, start, end, "c_total", "instance", "a", "job", "shop")
	feed(t, db, start, start+30*minute, "c_total", "instance", "b", "job", "shop")
	die(t, db, start+30*minute+15*second, "c_total", "instance", "b", "job", "shop")
	feed(t, db, start+45*minute, end, "c_total", "instance", "b", "job", "shop")
	feed(t, db, start+20*minute, start+50*minute, "d_total", "instance", "a", "job", "shop")
	e := New(Options{})
	compared := 0
	for _, expr := range []string{
		`rate(c_total[5m])`, `sum(rate(c_total[5m]))`, `c_total`, `sum by (instance) (c_total) / 3`,
		`sum(rate(d_total[5m])) or vector(0)`, `rate(c_total[5m]) / on (instance) rate(d_total[5m])`,
		`max_over_time(rate(c_total[5m])[10m:1m])`, `c_total offset 10m`, `c_total unless d_total`, `absent(d_total)`,
		`histogram_quantile(0.9, c_total)`,
	} {
		q, err := e.Parse(expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		whole := map[string]series.Point{}
		for from := start; from <= end; from += 30 * minute { // in chunks, as backfill does
			rs, err := e.Range(context.Background(), db, q, from, min(from+29*minute, end), minute, every15)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rs {
				for _, p := range r.Points {
					whole[fmt.Sprint(r.Labels, p.T)] = p
				}
			}
		}
		for ts := start; ts <= end; ts += minute {
			rs, err := e.Instant(context.Background(), db, q, ts, every15)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rs {
				p := r.Points[0]
				o, ok := whole[fmt.Sprint(r.Labels, ts)]
				if !ok || o.Missing != p.Missing || p.Missing == series.Observed && math.Abs(o.Value-p.Value) > 1e-9*math.Abs(p.Value) {
					t.Fatalf("%s %v at +%dm: range %+v (%v), instant %+v", expr, r.Labels, (ts-start)/minute, o, ok, p)
				}
				compared++
				delete(whole, fmt.Sprint(r.Labels, ts))
			}
		}
		if len(whole) > 0 {
			t.Errorf("%s: the range query gives %d points that no instant query gave", expr, len(whole))
		}
	}
	if compared < 800 {
		t.Errorf("compared only %d points", compared)
	}
}
