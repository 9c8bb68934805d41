package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/baseliner/baseliner/pkg/config"
	"github.com/baseliner/baseliner/pkg/detect"
	"github.com/baseliner/baseliner/pkg/pipeline"
	"github.com/baseliner/baseliner/pkg/storage/promql"
	"github.com/baseliner/baseliner/pkg/storage/tsdb"
)

// TestPacksOnAQuietDay lets packs alone watch a real node exporter and a real program in Go (examples/shop) that nobody
// wrote signals for. What they show is scraped for real, half a minute long; eight days and a quiet one are put together of
// pieces of that half minute, drawn at random: days that vary as the real thing did, and in which nothing happens.
func TestPacksOnAQuietDay(t *testing.T) {
	t.Parallel()
	exporter := peer(t, "apt-get install prometheus-node-exporter", "prometheus-node-exporter", "node_exporter")
	shop := filepath.Join(t.TempDir(), "shop")
	if out, err := exec.Command("go", "build", "-o", shop, "../../examples/shop").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	targets := map[string]string{"node": freeAddress(t), "shop": freeAddress(t)}
	spawn(t, exec.Command(exporter, "--web.listen-address="+targets["node"]))
	spawn(t, exec.Command(shop, "--listen-address="+targets["shop"]))

	cfg, err := config.LoadBytes("x.yml", []byte("global: {scrape_interval: 1m}"), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]bool{}
	for _, p := range cfg.Packs {
		for _, s := range p.Signals {
			for _, m := range s.Need.Metrics() {
				wanted[m] = true
			}
		}
	}
	eventually(t, "both show their metrics", 20*time.Second, func() error {
		for job, address := range targets {
			if _, err := scrapeOnce(t, job, address, nil); err != nil {
				return err
			}
		}
		return nil
	})
	time.Sleep(2 * time.Second) // the first visitors
	const pieces = 30
	var scrapes [pieces + 1]map[uint64]exposedSample
	for i := range scrapes {
		scrapes[i] = map[uint64]exposedSample{}
		for job, address := range targets {
			samples, err := scrapeOnce(t, job, address, wanted)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				scrapes[i][s.labels.Hash()] = s
			}
		}
		time.Sleep(time.Second)
	}

	end := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	first, day := end.AddDate(0, 0, -9), end.AddDate(0, 0, -1)
	db, err := tsdb.Import(t.Context(), t.TempDir(), first.UnixMilli(), end.UnixMilli(), func(add func(tsdb.Raw) error) error {
		r := rand.New(rand.NewPCG(1, 1))
		value := map[uint64]float64{}
		for at := first; !at.After(end); at = at.Add(time.Minute) {
			var draws [4]int
			for i := range draws {
				draws[i] = 1 + r.IntN(pieces)
			}
			for h, s := range scrapes[0] {
				last, ok := scrapes[draws[0]][h]
				if !ok {
					continue
				}
				if s.counter { // one that began within the half minute stays as it was
					if _, begun := value[h]; !begun {
						value[h] = s.value
					}
					for _, k := range draws {
						a, b := scrapes[k-1][h], scrapes[k][h]
						value[h] += max(b.value-a.value, 0) * 60 / float64(len(draws))
					}
					last.value = value[h]
				}
				if err := add(tsdb.Raw{Labels: s.labels, T: at.UnixMilli(), V: last.value}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	past := &past{first: first.UnixMilli(), last: end.UnixMilli()}
	if err := past.evaluate(t.Context(), cfg, db, promql.Intervals{Default: time.Minute}); err != nil {
		t.Fatal(err)
	}
	cfg = past.sight.with(cfg)
	core, err := pipeline.NewCore(cfg.Signals)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	known := map[string]bool{}
	err = past.each(core, pace(cfg), func(now int64, inputs []pipeline.Input) error {
		out := core.Step(now, inputs)
		for _, j := range out.Judged {
			if j.Verdict.Known {
				known[j.Signal.Def.Name] = true
			}
		}
		for i := range out.Events {
			if e := &out.Events[i]; e.Event.Kind == detect.Begin && now > day.UnixMilli() {
				told = append(told, fmt.Sprintf("%s %s", time.UnixMilli(now).UTC().Format("15:04"), pipeline.Describe(e, now, nil, nil).Annotations["summary"]))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	layers := map[string]int{}
	for _, d := range cfg.Signals {
		if known[d.Name] {
			layers[d.Layer.String()]++
		}
	}
	t.Logf("%d signals are judged, %v; in a quiet day %d alerts\n%s", len(known), layers, len(told), strings.Join(told, "\n"))
	if len(known) < 40 || len(layers) != 3 {
		t.Errorf("%d signals over %d layers, want 40 over 3", len(known), len(layers))
	}
	if len(told) > 1 {
		t.Errorf("%d alerts in a quiet day", len(told))
	}
}

// scrapeOnce reads a page; of the metrics that are wanted, or all.
func scrapeOnce(t *testing.T, job, address string, wanted map[string]bool) ([]exposedSample, error) {
	t.Helper()
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	var out []exposedSample
	for _, s := range exposed(t, b, job) {
		if wanted == nil || wanted[s.labels.Get(model.MetricNameLabel)] {
			out = append(out, s)
		}
	}
	return out, nil
}
