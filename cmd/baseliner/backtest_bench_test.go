package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkBacktest is a file of eight weeks of minutes, from CSV to the printed summary, on one core when GOMAXPROCS is 1.
func BenchmarkBacktest(b *testing.B) {
	const rows = 8 * 7 * 24 * 60
	path := filepath.Join(b.TempDir(), "orders.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w, r := bufio.NewWriter(f), rand.New(rand.NewPCG(1, 2))
	fmt.Fprintln(w, "timestamp,value")
	for i := range rows {
		fmt.Fprintf(w, "%d,%.2f\n", 1_764_000_000+60*i, 100+30*math.Sin(2*math.Pi*float64(i)/1440)+3*r.NormFloat64())
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	o := &backtestOptions{inputs: []string{path}, zone: "UTC", layer: "business", kind: "auto", form: "table"}
	b.ReportAllocs()
	for b.Loop() {
		if err := backtest(context.Background(), o, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/point")
}
