package baseline

import (
	"math/rand/v2"
	"testing"
)

// TestTheBandInAnIncident: the band of a ratio neither collapses nor leaves what a ratio can be, what fires is seen outside,
// and while it does the band is that of the sum that decides, beside the expectation.
func TestTheBandInAnIncident(t *testing.T) {
	for _, c := range []struct {
		name string
		shop shop
		keep float64 // of the conversions, for four hours
	}{
		{"a third fewer conversions", shop{p: 0.02, perHour: 10_000, step: 300_000}, 0.65},
		{"a third fewer, by the minute", shop{p: 0.02, perHour: 10_000, step: 60_000}, 0.65},
		{"half again as many", shop{p: 0.02, perHour: 10_000, step: 60_000}, 1.5},
		{"requests that succeed", shop{p: 0.999, perHour: 6000, step: 60_000}, 0.99},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.shop
			s.r = rand.New(rand.NewPCG(5, 55))
			m := learnt(&s)
			begin := monday + 28*24*hourMillis + 10*hourMillis
			fired, lucky, widest := 0, 0, 0.0
			for now := begin - 10*hourMillis; now < begin+8*hourMillis; now += s.step {
				keep := 1.0
				if now >= begin && now < begin+4*hourMillis {
					keep = c.keep
				}
				v, _, _ := m.Step(s.at(now, keep))
				if !v.Known {
					t.Fatalf("%+v", v)
				}
				if !(0 <= v.Lower && v.Lower < v.Upper && v.Upper <= 1) {
					t.Errorf("a band from %v to %v", v.Lower, v.Upper)
				}
				low, high := v.Score <= -1, v.Score >= 1
				atTheEnd := low && v.Value == 1 || high && v.Value == 0
				if !atTheEnd && (low != (v.Value < v.Lower) || high != (v.Value > v.Upper)) {
					t.Errorf("%v has a score of %v and a band from %v to %v", v.Value, v.Score, v.Lower, v.Upper)
				}
				switch {
				case low && v.Value >= v.Center || high && v.Value <= v.Center:
					lucky++ // the row itself is not to blame
				case !(v.Lower <= v.Center && v.Center <= v.Upper):
					t.Errorf("%v is expected, the band is %v to %v", v.Center, v.Lower, v.Upper)
				case low || high:
					fired++
					widest = max(widest, (v.Center-v.Lower)/v.Center, (v.Upper-v.Center)/v.Center)
				}
			}
			t.Logf("%d rows fired, %d more that were well themselves; the edges were at most %.2f of the ratio away", fired, lucky, widest)
			if fired < 20 || !(widest < 0.8) {
				t.Errorf("%d rows fired, the edges were up to %.2f of the ratio away", fired, widest)
			}
		})
	}
}
