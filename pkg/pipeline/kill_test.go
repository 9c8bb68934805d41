package pipeline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// killedRuns is how many instances are killed in a run of the tests; the soak does ten times as many, a short run fewer.
var killedRuns = 50

const (
	killStart = base - base%(24*hourMillis) + 5*hourMillis
	killTicks = 60 * 60 // sixty hours of one-minute ticks: models become known, alerts fire, hours close
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BASELINER_TEST_VICTIM"); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim runs the instance as fast as it can and says every tick it has committed.
func victim(dir string) error {
	h, err := openHarness(dir, shopSignals(), 20*time.Minute)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(os.Stdout, 64)
	for t := killStart; t <= killStart+(killTicks-1)*60_000; t += 60_000 {
		if t <= h.in.LastTick() {
			continue
		}
		if err := h.run(t, t); err != nil {
			return err
		}
		fmt.Fprintln(w, t)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func TestKilledAtRandomInstantsItComesOutTheSame(t *testing.T) {
	end := killStart + (killTicks-1)*int64(60_000)
	if testing.Short() {
		killedRuns = 10
	}
	spared, err := openHarness(t.TempDir(), shopSignals(), 20*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer spared.close(t)
	if err := spared.run(killStart, end); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(killedRuns), 11))
	kills, acknowledged := 0, int64(0)
	for kills < killedRuns {
		// A life lasts some ticks and a moment: it dies starting up, evaluating, between the two commits, writing a
		// snapshot.
		last, dead := live(t, dir, r.IntN(killTicks/killedRuns), time.Duration(r.IntN(4000))*time.Microsecond)
		if last < acknowledged && last != 0 {
			t.Fatalf("tick %d was acknowledged, the next life began at %d", acknowledged, last)
		}
		acknowledged = max(acknowledged, last)
		if !dead {
			break
		}
		kills++
	}
	survivor, err := openHarness(dir, shopSignals(), 20*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer survivor.close(t)
	if got := survivor.in.LastTick(); got < acknowledged {
		t.Fatalf("tick %d was committed before a kill, recovery knows only %d", acknowledged, got)
	}
	reached := (survivor.in.LastTick() - killStart) / 60_000
	if err := survivor.run(killStart, end); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills within %d of %d ticks", kills, reached, killTicks)
	if kills < killedRuns {
		t.Errorf("only %d of %d lives were killed before they were done", kills, killedRuns)
	}

	same(t, "recorded points", spared.points(t, killStart, end), survivor.points(t, killStart, end), 10_000)
	same(t, "alert transitions", spared.herald.entries(t), survivor.herald.entries(t), 20)
	same(t, "hourly summaries", spared.summaries(t), survivor.summaries(t), 100)
	if spared.models(t) != survivor.models(t) {
		t.Error("the models differ")
		for i, s := range spared.in.core.signals {
			differ(t, s, survivor.in.core.signals[i])
		}
	}
}

// live runs a victim for so many ticks and a moment more, or until it is done, and returns the last tick that it
// acknowledged.
func live(t *testing.T, dir string, ticks int, moment time.Duration) (last int64, killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BASELINER_TEST_VICTIM="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	note := func() {
		if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
			last = n
		}
	}
	for range ticks {
		if !lines.Scan() {
			break
		}
		note()
	}
	timer := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines.Scan() {
		note()
	}
	_, _ = io.Copy(io.Discard, out)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		t.Fatalf("the victim failed by itself: %s", stderr.String())
	}
	return last, err != nil
}

// differ says in what two signals differ.
func differ(t *testing.T, a, b *Signal) {
	t.Helper()
	parts := func(s *Signal) map[string]any {
		m := map[string]any{"absence": s.absence}
		for _, sr := range s.series {
			k := sr.Labels.String()
			m[k+" values"], m[k+" ratio"], m[k+" open"] = sr.model.Values, sr.model.Ratio, sr.model.Open
			m[k+" anomaly"], m[k+" absence"], m[k+" missing"] = sr.anomaly, sr.absence, []any{sr.missing, sr.lastSeen}
		}
		return m
	}
	other := parts(b)
	for k, v := range parts(a) {
		if x, y := fmt.Sprintf("%+v", v), fmt.Sprintf("%+v", other[k]); x != y {
			t.Errorf("%s %s:\n  %.600s\n  %.600s", a.Def.Name, k, x, y)
		}
	}
}

// same compares two lists of facts and wants at least so many of them.
func same(t *testing.T, what string, want, got []string, least int) {
	t.Helper()
	if len(want) < least {
		t.Errorf("%s: only %d, the test does not see enough", what, len(want))
	}
	if len(want) != len(got) {
		t.Errorf("%s: %d without kills, %d with", what, len(want), len(got))
	}
	differ := 0
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			if differ++; differ <= 3 {
				t.Errorf("%s differ at %d:\n  %s\n  %s", what, i, want[i], got[i])
			}
		}
	}
	t.Logf("%s: %d equal of %d", what, len(want)-differ, len(want))
}
