package pipeline

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.etcd.io/bbolt"
	"go.yaml.in/yaml/v2"
	"pgregory.net/rapid"

	"github.com/baseliner/baseliner/pkg/alert"
	"github.com/baseliner/baseliner/pkg/alert/outbox"
	"github.com/baseliner/baseliner/pkg/series"
)

// silencer is an announcer over a file that outlives it.
func silencer(t testing.TB, path string) (a *Announcer, die func()) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	a, err = NewAnnouncer(db, outbox.NewDeliverer(outbox.Options{DB: db}), discard())
	if err != nil {
		t.Fatal(err)
	}
	die = func() { _ = db.Close() } // a test may have closed it
	t.Cleanup(die)
	return a, die
}

func foreignSilence(id string, from, to int64, matchers ...string) alert.Silence {
	return alert.Silence{ID: id, Source: "Alertmanager", Origin: "0", StartsAt: from, EndsAt: to, Matchers: matchers}
}

// TestHush compares what is remembered of a tick with what is asked anew.
func TestHush(t *testing.T) {
	a, _ := silencer(t, filepath.Join(t.TempDir(), "outbox"))
	var intervals []amconfig.TimeInterval
	if err := yaml.UnmarshalStrict([]byte(`[{name: m, time_intervals: [{times: [{start_time: '00:00', end_time: '00:01'}]}]}]`), &intervals); err != nil {
		t.Fatal(err)
	}
	window := alert.Window{Name: "m", Intervals: intervals[0].TimeIntervals}
	var all []series.Labels
	for i := range 20 {
		all = append(all, series.FromStrings("pod", fmt.Sprint(i), "service", fmt.Sprint(i%3)))
	}
	rapid.Check(t, func(t *rapid.T) {
		now := int64(0)
		silenced := 0
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			now += rapid.Int64Range(0, 30_000).Draw(t, "passes")
			switch rapid.IntRange(0, 6).Draw(t, "happens") {
			case 0:
				var heard []alert.Silence
				for i := range rapid.IntRange(0, 4).Draw(t, "silences") {
					from := rapid.Int64Range(0, 300_000).Draw(t, "from")
					heard = append(heard, foreignSilence(fmt.Sprint(i), from, from+100_000, fmt.Sprintf("pod=~%q", rapid.SampledFrom([]string{"1.?", ".*9", "3", "0|5"}).Draw(t, "pods")), `service!="2"`))
				}
				if err := a.SetForeign(heard, nil, now); err != nil {
					t.Fatal(err)
				}
			case 1:
				if err := a.SetMaintenance([]alert.Window{window}[:rapid.IntRange(0, 1).Draw(t, "windows")]); err != nil {
					t.Fatal(err)
				}
			}
			at := max(0, now-rapid.Int64Range(-1000, 90_000).Draw(t, "ago"))
			for _, ls := range all {
				got, want := a.Silenced(ls, at), a.Quiet(ls.Map(), at)
				if got != want {
					t.Fatalf("%s at %d: %q, want %q", ls, at, got, want)
				}
				if got != "" {
					silenced++
				}
			}
		}
		t.Logf("%d silenced", silenced)
	})
}

// TestARestartKnowsWhatWasSilenced: what Alertmanagers listed is known before any of them answers, from when it was heard and
// until it was not listed any more.
func TestARestartKnowsWhatWasSilenced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	ls := series.FromStrings("alertname", "Load", "machine", "0")
	const hour = int64(time.Hour / time.Millisecond)
	a, die := silencer(t, path)
	ask := func(what string, want map[int64]string) {
		t.Helper()
		for at, name := range want {
			if got := a.Silenced(ls, at); got != name {
				t.Errorf("%s: at %d silenced by %q, want %q", what, at, got, name)
			}
		}
	}
	x := foreignSilence("x", 1000, hour, `machine="0"`)
	if err := a.SetForeign([]alert.Silence{x}, nil, 5000); err != nil {
		t.Fatal(err)
	}
	want := map[int64]string{4999: "", 5000: "Alertmanager silence x", hour - 1: "Alertmanager silence x", hour: ""}
	ask("heard", want)
	die()
	a, die = silencer(t, path)
	ask("after a restart", want)
	if err := a.SetForeign(nil, nil, 60_000); err != nil {
		t.Fatal(err)
	}
	want = map[int64]string{4999: "", 5000: "Alertmanager silence x", 59_999: "Alertmanager silence x", 60_000: ""}
	ask("expired", want)
	die()
	a, _ = silencer(t, path)
	ask("expired, after a restart", want)

	// Our own as well: one that begins in the past counts from when it was made.
	y, err := a.AddSilence(alert.Silence{Matchers: []string{`machine="0"`}, StartsAt: 70_000, EndsAt: hour}, 90_000)
	if err != nil {
		t.Fatal(err)
	}
	ask("our own", map[int64]string{89_999: "", 90_000: "silence " + y})
}

// TestAReplayLearnsAsTheLiveRunDid kills an instance around a silence of an Alertmanager's, which no Alertmanager tells again.
func TestAReplayLearnsAsTheLiveRunDid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox")
	a, die := silencer(t, path)
	p := newPlant(t)
	hear := func(ss ...alert.Silence) {
		t.Helper()
		if err := a.SetForeign(ss, nil, p.in.LastTick()+1); err != nil {
			t.Fatal(err)
		}
	}
	reborn := func() {
		t.Helper()
		before := p.models(t)
		die()
		a, die = silencer(t, path)
		p.silenced = a.Silenced
		p.restart(loadSignal())
		if p.models(t) != before {
			t.Error("the models are others than those of the live run")
		}
	}
	p.silenced = a.Silenced
	p.restart(loadSignal())
	p.run(plantKnown)
	p.incident()
	p.run(plantKnown + 2*plantStep)
	hear(foreignSilence("x", plantKnown, plantKnown+10*hourMillis, `machine="0"`)) // it began before it was heard
	p.run(plantKnown + 3*plantStep)
	reborn()
	withheld := p.in.core.signals[0].series[0].withheld
	p.run(plantKnown + 2*hourMillis + plantStep)
	reborn()
	hear()
	p.run(plantKnown + 2*hourMillis + 3*plantStep)
	reborn()
	if n := p.in.core.signals[0].series[0]; withheld == "" || n.withheld != "" {
		t.Errorf("withheld %q under the silence, %q after it", withheld, n.withheld)
	}
}

// BenchmarkSilenced is what asking costs a point: with nothing silenced, and with a hundred silences in force.
func BenchmarkSilenced(b *testing.B) {
	var all []series.Labels
	for i := range 1000 {
		all = append(all, series.FromStrings("alertname", "Load", "layer", "infrastructure", "machine", fmt.Sprint(i), "severity", "warning", "signal", "load"))
	}
	for _, n := range []int{0, 1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a, _ := silencer(b, filepath.Join(b.TempDir(), "outbox"))
			var ss []alert.Silence
			for i := range n {
				ss = append(ss, foreignSilence(fmt.Sprint(i), 0, 1<<50, `signal="load"`, fmt.Sprintf(`machine=~"1%d.*"`, i)))
			}
			if err := a.SetForeign(ss, nil, 1); err != nil {
				b.Fatal(err)
			}
			t, i := int64(1_000_000), 0
			for b.Loop() {
				if i++; i == len(all) {
					i, t = 0, t+60_000
				}
				a.Silenced(all[i], t)
			}
		})
	}
}
