package correlate

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
)

// BenchmarkEvaluate is one outcome, 500 drivers of which most move in groups, and eight weeks: what a report computes.
func BenchmarkEvaluate(b *testing.B) {
	in := wide(500)
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var keep *Family
	began := cpuSeconds(b)
	for b.Loop() {
		f, _, err := EvaluateTwice([]Input{in}, Options{})
		if err != nil {
			b.Fatal(err)
		}
		keep = f
	}
	b.ReportMetric((cpuSeconds(b)-began)/float64(b.N), "cpu-s/op")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
	runtime.KeepAlive(keep)
}

// cpuSeconds are those of the process: what counts on a machine that is shared.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func wide(drivers int) Input {
	in := shop(1, 8, 1, -0.1)
	r := rand.New(rand.NewPCG(9, 9))
	shared := make([][]float64, 10)
	for i := range shared {
		shared[i] = shop(uint64(100+i), 8, 0, 0).Drivers[0].Values
	}
	for i := 1; i < drivers; i++ {
		d := &Series{Name: fmt.Sprint("driver", i), Unit: "seconds", Values: make([]float64, in.Frame.Rows())}
		for t := range d.Values {
			d.Values[t] = shared[i%10][t] + 0.02*r.NormFloat64()
		}
		in.Drivers = append(in.Drivers, d)
	}
	return in
}
