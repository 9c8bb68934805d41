package pipeline

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// How many days of one-minute ticks are simulated, and for how many series; the soak simulates sixty for two hundred.
var diskDays, diskSeries = 4, 20

// diskBudget is what a signal series may cost after sixty days, raw samples included.
const diskBudget = 350 << 10

func TestDiskPerSeries(t *testing.T) {
	if testing.Short() {
		diskDays = 1
	}
	dir := t.TempDir()
	signals := wideSignals(diskSeries / 10)
	for i := range signals {
		signals[i].Zone = "UTC" // in which the day of these values begins: where clocks change it is another
	}
	h, err := openHarness(dir, signals, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close(t)
	r := rand.New(rand.NewPCG(3, 3))
	value := make([]float64, diskSeries)
	end := base + int64(diskDays)*dayMillis
	for now := base; now < end; now += 15_000 {
		app := h.live.Appender(context.Background())
		for i := range value {
			day := float64(now%dayMillis) / float64(dayMillis)
			value[i] += math.Floor(15 * (100 + 50*math.Sin(2*math.Pi*day)) * (1 + 0.1*r.NormFloat64()))
			ls := labels.FromStrings(model.MetricNameLabel, "requests_total", "job", "shop", "shard", fmt.Sprint(i/10), "route", fmt.Sprintf("/r%d", i%10))
			if _, err := app.Append(0, ls, now, value[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		if now%60_000 == 0 {
			if err := h.in.Tick(context.Background(), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	sizes, total := map[string]int64{}, int64(0)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // compaction removes files meanwhile
		}
		if d.IsDir() {
			if strings.Contains(d.Name(), ".tmp-for-") { // a block being written claims half a gigabyte until it is done
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		rel, _ := filepath.Rel(dir, path)
		size := info.Size()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			size = st.Blocks * 512 // the ledger's file has holes
		}
		sizes[part(rel)] += size
		total += size
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range sizes {
		t.Logf("%-14s %4d KB a series", k, v/int64(diskSeries)>>10)
	}
	per := total / int64(diskSeries)
	t.Logf("%d days, %d series: %d KB a series", diskDays, diskSeries, per>>10)
	if n := h.in.SeriesCount(); n != diskSeries {
		t.Errorf("%d series", n)
	}
	if per > diskBudget {
		t.Errorf("a series costs %d KB on disk, budget %d KB", per>>10, diskBudget>>10)
	}
}

// part names the store a file belongs to, and its log apart from its blocks.
func part(rel string) string {
	parts := strings.Split(filepath.ToSlash(rel), "/")
	switch {
	case len(parts) == 1:
		return rel
	case parts[1] == "wal" || parts[1] == "wbl" || parts[1] == "chunks_head":
		return parts[0] + "/" + parts[1]
	}
	return parts[0] + "/blocks"
}
