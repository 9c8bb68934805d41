package report

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/baseliner/baseliner/pkg/calendar"
	"github.com/baseliner/baseliner/pkg/correlate"
)

// BenchmarkReport writes a report of a family that was learnt: one outcome, 500 measurements, eight weeks.
func BenchmarkReport(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	f := &correlate.Frame{Slots: make([]int16, 8*168)}
	in := correlate.Input{Frame: f, Outcome: &correlate.Series{Name: "orders", Kind: correlate.Count, Values: make([]float64, f.Rows())}}
	for i := range 500 {
		in.Drivers = append(in.Drivers, &correlate.Series{Name: fmt.Sprint("latency_", i), Unit: "seconds", Values: make([]float64, f.Rows())})
	}
	for t := range f.Slots {
		f.Slots[t] = int16(t % 168)
		for _, d := range in.Drivers {
			d.Values[t] = 0.2 + 0.02*r.NormFloat64()
		}
		in.Outcome.Values[t] = 400 * math.Exp(-in.Drivers[0].Values[t]+0.05*r.NormFloat64())
	}
	family, err := correlate.Evaluate(in, correlate.Options{})
	if err != nil {
		b.Fatal(err)
	}
	zone, err := calendar.Load("UTC")
	if err != nil {
		b.Fatal(err)
	}
	family.Studies[0].Trim()
	c := CorrelationInput{Family: family, Study: family.Studies[0], Zone: zone}
	for b.Loop() {
		if err := NewCorrelation(c).Document(c).Write(io.Discard, HTML); err != nil {
			b.Fatal(err)
		}
	}
}
