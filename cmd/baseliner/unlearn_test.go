package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/baseliner/baseliner/pkg/detect"
)

// TestUnlearnAndExplain asks a stopped instance and a running one, with the commands that people use.
func TestUnlearnAndExplain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := write(t, dir, "baseliner.yml", `
signals:
  - {name: orders, layer: business, expr: sum(orders), direction: down, min_change: {absolute: 5, relative: 10%}}
`)
	var csv strings.Builder
	csv.WriteString("timestamp,orders\n")
	end := time.Now().Truncate(time.Hour).Add(-30 * time.Minute)
	drop := end.Add(-20 * time.Minute)
	for at := end.Add(-10 * 24 * time.Hour); !at.After(end); at = at.Add(time.Minute) {
		v := 100 + 30*math.Sin(2*math.Pi*float64(at.Unix()%86400)/86400) + float64(at.Unix()*7919%101)/100
		if at.After(drop) {
			v /= 2
		}
		fmt.Fprintf(&csv, "%d,%.3f\n", at.Unix(), v)
	}
	storage := dir + "/data"
	must(t, "backfill", "--from="+write(t, dir, "past.csv", csv.String()), "--config.file="+cfg, "--storage.path="+storage)
	contains := func(text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("no %q in\n%s", w, text)
			}
		}
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if status, _, stderr := command(t, args...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit %d, %s; want %q", args, status, stderr, want)
		}
	}
	stopped := []string{"--storage.path=" + storage}
	explain := func(at time.Time, where ...string) string {
		t.Helper()
		return must(t, append([]string{"explain", "--signal=orders", "--at=" + at.Format(time.RFC3339)}, where...)...)
	}
	fired := explain(drop.Add(time.Minute), "--storage.path="+storage, "--config.file="+cfg)
	t.Log(fired)
	contains(fired, "FIRED: every gate passed", "context", "surprise", "min_change_relative", "pass", "note: made from history")
	calm := explain(drop.Add(-2*time.Hour), "--storage.path="+storage, "--config.file="+cfg)
	contains(calm, "did not fire: held by inside_band", "← decided")

	span := []string{"--from=" + drop.Format(time.RFC3339), "--to=" + end.Add(time.Minute).Format(time.RFC3339), `--match={signal="orders"}`, "--reason=a test of ours"}
	out := must(t, append(append([]string{"unlearn"}, span...), stopped...)...)
	contains(out, "unlearned ", "at the next start")
	list := must(t, append([]string{"unlearn", "list"}, stopped...)...)
	contains(list, "a test of ours", `{signal="orders"}`)
	id := strings.Fields(strings.Split(list, "\n")[1])[0]
	refused("--from and --to", "unlearn", "--storage.path="+storage)
	refused("holds no instance", "unlearn", "list", "--storage.path="+dir+"/none")
	refused("not a time such as", "unlearn", "--from=noon", "--to=now", "--storage.path="+storage)
	refused("give --storage.path", "unlearn", "list", "--url=http://127.0.0.1:1")

	in := runInstanceOf(t, cfg, storage)
	url := "--url=" + in.url
	contains(must(t, "unlearn", "list", url), id)
	refused("--web.enable-admin-api", "unlearn", "undo", id, url)
	refused("is asked with --url", "unlearn", "undo", id, "--storage.path="+storage)
	refused("is asked with --url", "explain", "--signal=orders", "--config.file="+cfg, "--storage.path="+storage)
	refused("no such signal: none", "explain", "--signal=none", url)
	in.stop()
	in = runInstanceOf(t, cfg, storage, "--web.enable-admin-api")
	url = "--url=" + in.url
	contains(must(t, "unlearn", "undo", id, url), "undone: "+id, "1 series folded anew")
	refused("no such window", "unlearn", "undo", id, url)
	contains(must(t, append(append([]string{"unlearn"}, span...), url)...), "1 series folded anew")
	refused("selector {: ", "unlearn", "--from=-3h", "--to=now", "--match={", url)

	var all []detect.Explanation
	if err := json.Unmarshal([]byte(explain(drop.Add(time.Minute), url, "--format=json")), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v, %d explanations", err, len(all))
	}
	d, err := detect.Decide(&all[0])
	if err != nil || d.Gate != detect.GateOpen || !d.Anomalous || d.Score != float64(all[0].Score) || len(all[0].Forgotten) != 1 {
		t.Errorf("decided %+v of %+v, %v", d, all[0], err)
	}
	contains(explain(drop.Add(time.Minute), url), "this hour is not learnt: unlearned")
	in.kill()
	contains(must(t, append([]string{"unlearn", "list"}, stopped...)...), "a test of ours")
}
