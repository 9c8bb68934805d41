package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/baseliner/baseliner/pkg/baseline"
	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/series"
	"github.com/baseliner/baseliner/pkg/signal"
	"github.com/baseliner/baseliner/pkg/state"
)

// relationShop has the summaries of a conversion rate that falls by a tenth for 100 ms of latency an hour earlier, and of a processor
// that has nothing to do with it, in a ledger.
type relationShop struct {
	ledger  *state.Ledger
	members []Member
	begin   int64 // hours since 1970, a Monday
	r       *rand.Rand
	x, e, c float64
	past    float64
	hours   int
}

func newRelationShop(t *testing.T) *relationShop {
	t.Helper()
	ledger, err := state.OpenLedger(t.TempDir(), state.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	s := &relationShop{ledger: ledger, r: rand.New(rand.NewPCG(3, 1)), begin: time.Date(2026, 8, 31, 0, 0, 0, 0, time.UTC).Unix() / 3600}
	add := func(def signal.Definition) {
		def.Interval = time.Minute
		s.members = append(s.members, Member{Name: def.Name, Def: def, ID: state.IDOf(def.Name, nil), label: func(name string) string {
			if name == "signal" {
				return def.Name
			}
			return ""
		}})
	}
	add(signal.Definition{Name: "conversion", Layer: series.Business, Ratio: &signal.Ratio{Numerator: "a", Denominator: "b"}, Window: 5 * time.Minute})
	add(signal.Definition{Name: "latency", Layer: series.Application, Unit: "seconds"})
	add(signal.Definition{Name: "cpu", Layer: series.Infrastructure, Unit: "ratio"})
	return s
}

// week adds hours of summaries.
func (s *relationShop) week(t *testing.T, hours int) {
	t.Helper()
	err := s.ledger.Update(func(tx *bbolt.Tx) error {
		for range hours {
			day := 1 - 0.6*math.Cos(2*math.Pi*float64(s.hours%24)/24)
			s.x = 0.7*s.x + 0.03*math.Sqrt(1-0.49)*s.r.NormFloat64()
			s.e = 0.6*s.e + 0.05*math.Sqrt(1-0.36)*s.r.NormFloat64()
			s.c = 0.8*s.c + 0.03*math.Sqrt(1-0.64)*s.r.NormFloat64()
			for i, mean := range []float64{0.05 * math.Exp(math.Log(0.9)*s.past/0.1+s.e), 0.2 + 0.05*day + s.x, 0.4 + 0.1*day + s.c} {
				sum := baseline.Summary{Hour: int32(s.begin) + int32(s.hours), N: 60, Mean: mean}
				if i == 0 {
					sum.Weight = float32(600 * day)
				}
				if err := state.PutSummary(tx, s.members[i].ID, &sum); err != nil {
					return err
				}
			}
			s.past = s.x
			s.hours++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *relationShop) relations(t *testing.T) *Relations {
	t.Helper()
	zone, err := calendar.Load("UTC")
	if err != nil {
		t.Fatal(err)
	}
	return NewRelations(RelationsOptions{Ledger: s.ledger, Zone: zone, Members: func() ([]Member, *Forgotten) { return s.members, nil }})
}

// now is the time after what was added.
func (s *relationShop) now() int64 {
	return (s.begin+int64(s.hours))*hourMillis + finalHour.Milliseconds()
}

func learn(t *testing.T, r *Relations, now int64) *Learnt {
	t.Helper()
	if err := r.Learn(context.Background(), now); err != nil {
		t.Fatal(err)
	}
	return r.Latest()
}

func TestRelationsAreLearntOnceAWeekAndFrozen(t *testing.T) {
	s := newRelationShop(t)
	s.week(t, 3*168)
	r := s.relations(t)
	if l := learn(t, r, s.now()); len(l.Family.Studies) != 0 || l.Unknown["conversion"] != "3 whole weeks of history, want 4" {
		t.Errorf("after three weeks: %d studies, %q", len(l.Family.Studies), l.Unknown)
	}
	s.week(t, 3*168+50) // six weeks, and two days that do not count yet
	l := learn(t, r, s.now())
	p := l.Family.Find("conversion", "latency")
	if p == nil || !p.Shown || p.Lag != 1 || p.Grade != correlate.Reliable || p.Effect.Low > math.Log(0.9) || p.Effect.High < math.Log(0.9) {
		t.Fatalf("latency %+v", p)
	}
	if q := l.Family.Find("conversion", "cpu"); q.Shown || l.Family.Tested != 2 || l.Family.Weeks != 6 || l.Family.End != s.begin+6*168 {
		t.Errorf("cpu %+v, family %+v", q, l.Family)
	}
	if curve := l.Family.Studies[0].Curve("latency"); len(curve) == 0 {
		t.Error("no curve is left for reports")
	}
	// 600 a minute in windows of five minutes is 7,200 an hour.
	if amounts := l.Family.Studies[0].Amounts(); math.Abs(amounts[12]-0.05*7200*1.6) > 0.3*0.05*7200*1.6 {
		t.Errorf("%v conversions at noon", amounts[12])
	}
	if same := learn(t, r, s.now()+3*24*hourMillis); same != l {
		t.Error("learnt again in the same week")
	}

	// What was decided stays, restarts and other data included.
	err := s.ledger.Update(func(tx *bbolt.Tx) error { return state.DropSummaries(tx, s.members[1].ID, int32(s.begin)+4*168) })
	if err != nil {
		t.Fatal(err)
	}
	again := learn(t, s.relations(t), s.now())
	if q := again.Family.Find("conversion", "latency"); q == nil || q.Effect != p.Effect || q.Grade != p.Grade || again.Family.Threshold != l.Family.Threshold {
		t.Errorf("after a restart %+v, was %+v", q, p)
	}

	// The next week is another family, which this one confirms.
	s.week(t, 168)
	next := learn(t, s.relations(t), s.now())
	if next.Family.End != l.Family.End+168 {
		t.Errorf("the next family ends at %d, after %d", next.Family.End, l.Family.End)
	}
}

// What a week decided ties anomalies together from a while after the decision on, in a replay at the same ticks.
// TestRelationsSayWhatTheyLeaveOut: what is judged once a day has no hours, and what is too much is named in the log.
func TestRelationsSayWhatTheyLeaveOut(t *testing.T) {
	s := newRelationShop(t)
	s.week(t, 5*correlate.HoursPerWeek)
	daily := s.members[1]
	daily.Name, daily.Def.Name, daily.Def.Interval = "daily_orders", "daily_orders", signal.Day
	s.members = append(s.members, daily)
	for i := range maxDrivers {
		one := s.members[2]
		one.Name, one.ID = fmt.Sprintf("cpu{n=%d}", i), state.IDOf(fmt.Sprint(i), nil)
		s.members = append(s.members, one)
	}
	var log bytes.Buffer
	r := s.relations(t)
	r.o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	l := learn(t, r, s.now())
	if why := l.Unknown["daily_orders"]; !strings.Contains(why, "once a day") {
		t.Errorf("of the daily signal it says %q", why)
	}
	if _, known := l.Members["daily_orders"]; known || l.Family.Find("conversion", "daily_orders") != nil {
		t.Error("a daily signal is compared hour by hour")
	}
	for _, want := range []string{"left_out=2", "cpu{n=498}", "others_at_most=500"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
	h, err := r.Recent(t.Context(), s.now())
	if err != nil {
		t.Fatal(err)
	}
	if _, known := h.Members["daily_orders"]; known {
		t.Error("a report of hours has a daily signal")
	}
}

func TestRelationsTieAnomalies(t *testing.T) {
	s := newRelationShop(t)
	s.week(t, 6*168)
	ties, err := NewLearnedTies(s.ledger)
	if err != nil {
		t.Fatal(err)
	}
	r := s.relations(t)
	r.o.Ties = ties
	first := s.now()
	learn(t, r, first)
	s.week(t, 168)
	learn(t, r, s.now())
	again, err := NewLearnedTies(s.ledger)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*LearnedTies{"lived": ties, "restarted": again} {
		if k.Learned("latency", "conversion", first+learnedAfter.Milliseconds()-1) {
			t.Errorf("%s: tied before it is in force", name)
		}
		for _, at := range []int64{first + learnedAfter.Milliseconds(), s.now() - 1, s.now() + learnedAfter.Milliseconds()} {
			if !k.Learned("latency", "conversion", at) || !k.Learned("conversion", "latency", at) || k.Learned("cpu", "conversion", at) {
				t.Errorf("%s, %s: latency tied %t, cpu %t", name, clockText(at), k.Learned("latency", "conversion", at), k.Learned("cpu", "conversion", at))
			}
		}
	}
	if n := len(*again.weeks.Load()); n != 2 {
		t.Errorf("%d weeks are kept", n)
	}
}

func TestRelationsOfForgottenHours(t *testing.T) {
	s := newRelationShop(t)
	s.week(t, 5*168)
	f := NewForgotten([]state.Unlearned{{ID: "a", From: (s.begin + 100) * hourMillis, To: (s.begin + 110) * hourMillis, Match: `{signal="latency"}`}}, nil, func(id string, err error) { t.Error(id, err) })
	frame := &correlate.Frame{First: s.begin, Slots: make([]int16, 5*168)}
	for _, m := range s.members {
		got, err := m.hoursOf(s.ledger, f, frame)
		if err != nil {
			t.Fatal(err)
		}
		missing := 0
		for _, v := range got.Values {
			if v != v {
				missing++
			}
		}
		if want := map[string]int{"latency": 10}[m.Name]; missing != want {
			t.Errorf("%s: %d hours missing, want %d", m.Name, missing, want)
		}
	}
}

func TestWeeksBeginOnLocalMondays(t *testing.T) {
	zone, err := calendar.Load("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, want string }{
		{"2026-11-25T01:00:00Z", "2026-11-22T23:00:00Z"},
		{"2026-11-22T23:00:00Z", "2026-11-22T23:00:00Z"},
		{"2026-11-22T22:59:00Z", "2026-11-15T23:00:00Z"},
		{"2026-10-26T12:00:00Z", "2026-10-25T23:00:00Z"}, // clocks went back the night before
		{"2026-10-25T12:00:00Z", "2026-10-18T22:00:00Z"},
	} {
		at, err1 := time.Parse(time.RFC3339, c.at)
		want, err2 := time.Parse(time.RFC3339, c.want)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if got := weekBegin(zone, at.UnixMilli()); got != want.Unix()/3600 {
			t.Errorf("%s: %s, want %s", c.at, time.Unix(got*3600, 0).UTC().Format(time.RFC3339), c.want)
		}
	}
}

func TestTrafficIsFoundByTheNameOfItsSignal(t *testing.T) {
	check := func(want string, members ...string) {
		t.Helper()
		var all []Member
		for _, m := range members {
			name, _, _ := strings.Cut(m, "{")
			all = append(all, Member{Name: m, Def: signal.Definition{Name: name}})
		}
		got := ""
		if m := traffic(all); m != nil {
			got = m.Name
		}
		if got != want {
			t.Errorf("the traffic of %q is %q, not %q", members, got, want)
		}
	}
	check("visits", "orders", "visits", "checkouts")
	check(`visits{job="shop"}`, "checkouts", `visits{job="shop"}`) // as a pack has it
	check("Sessions_total", "latency", "Sessions_total")
	check("checkouts", "checkouts", `visits{job="shop"}`, `visits{job="blog"}`) // whose visits?
	check("", "orders", "latency")
}
