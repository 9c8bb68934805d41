package correlate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/series"
)

// Envelope is how a measurement behaves over the load, in all hours that were no incidents of its own.
type Envelope struct {
	Name  string
	Layer series.Layer
	Unit  string
	Why   string // why it was not looked at; else empty

	Rows   []EnvelopeRow // at Loads
	Points []CurvePoint  // mean by load, in bins that hold as many hours each; From, To and Middle are shares of the peak
	Power  Effect        // exponent of the load: 1 grows with it, above it faster; only of what is never zero
	Scales bool          // Power is known
	Slope  Effect        // of a straight line, per tenth of the peak, in the measurement's unit

	Bends           bool    // a line with a knee fits better than chance allows
	Knee            float64 // share of the peak
	KneeLow         float64 // 95 %
	KneeHigh        float64
	P               float64 // of no knee, after all places that were tried
	SlopeBelow      float64 // per tenth of the peak
	SlopeAbove      float64
	LoadLow, LoadHi float64 // 1st and 99th percentile of the load that was seen
}

// EnvelopeRow is a measurement at a load.
type EnvelopeRow struct {
	Load     float64 // share of the usual weekly peak; hours within an eighth of the peak on either side
	Hours    int
	P50, P95 float64 // NaN with fewer than 30 hours
}

// kneeCertain is the p that a knee has at most; knees are looked for in every measurement.
const kneeCertain = 0.01

// Envelopes looks at every series over the load. Hours at a load share more than the load: nightly jobs are part of it.
func Envelopes(f *Frame, all []*Series, volume *Series) ([]Envelope, error) {
	if err := volume.fits(f); err != nil {
		return nil, err
	}
	if f.Weeks() < 1 {
		return nil, ErrWeeks
	}
	amounts := volume.plain()
	peak := weeklyPeak(amounts)
	load := make([]float64, len(amounts))
	for t, v := range amounts {
		load[t] = v / peak
	}
	out := make([]Envelope, len(all))
	for i, s := range all {
		if err := s.fits(f); err != nil {
			return nil, err
		}
		out[i] = envelope(f, s, load)
	}
	return out, nil
}

func envelope(f *Frame, s *Series, load []float64) Envelope {
	e := Envelope{Name: s.Name, Layer: s.Layer, Unit: s.Unit, P: 1}
	values := s.plain()
	x := withoutIncidents(f, values)
	var loads []float64
	positive := true
	for t, v := range x {
		if v == v && load[t] == load[t] {
			loads = append(loads, load[t])
			positive = positive && v > 0
		} else {
			x[t] = math.NaN()
		}
	}
	if len(loads) < HoursPerWeek {
		e.Why = "not enough data: fewer than a week of hours with load"
		return e
	}
	slices.Sort(loads)
	e.LoadLow, e.LoadHi = loads[len(loads)/100], loads[len(loads)-1-len(loads)/100]
	for _, at := range Loads {
		row := EnvelopeRow{Load: at, P50: math.NaN(), P95: math.NaN()}
		var seen []float64
		for t, v := range x {
			if v == v && math.Abs(load[t]-at) <= 0.125 {
				seen = append(seen, v)
			}
		}
		if row.Hours = len(seen); row.Hours >= minBin {
			slices.Sort(seen)
			row.P50, row.P95 = seen[len(seen)/2], seen[len(seen)*95/100]
		}
		e.Rows = append(e.Rows, row)
	}
	e.Points = meansBy(load, x, loads)
	held := [][]float64{ones(len(x))}
	line, ok := newGLS(x, load, held, 1)
	if !ok || sd(x) == 0 {
		e.Why = "it does not vary, or the load does not"
		return e
	}
	e.Slope = line.effect(0.1)
	if positive {
		if m, ok := newGLS(logged(x), logged(load), held, 1); ok {
			e.Power, e.Scales = m.effect(1), true
		}
	}
	e.knee(line, x, load, loads)
	return e
}

func logged(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		if out[i] = math.NaN(); v > 0 {
			out[i] = math.Log(v)
		}
	}
	return out
}

// meansBy is the mean of y in bins of x, with intervals for hours that follow one another. sorted are the known x.
func meansBy(x, y, sorted []float64) []CurvePoint {
	bins := min(curveBins+4, len(sorted)/minBin)
	out := make([]CurvePoint, bins)
	for b := range out {
		c := &out[b]
		c.From, c.To = sorted[b*len(sorted)/bins], sorted[min((b+1)*len(sorted)/bins, len(sorted)-1)]
		last := b == bins-1
		inside := func(t int) bool { return x[t] >= c.From && (x[t] < c.To || last && x[t] <= c.To) }
		for t, v := range y {
			if v == v && inside(t) {
				c.Hours++
				c.Mean += v
				c.Middle += x[t]
			}
		}
		n := float64(max(c.Hours, 1))
		c.Mean, c.Middle = c.Mean/n, c.Middle/n
		se := math.Sqrt(meanVariance(y, c.Mean, inside)) / n
		t := distuv.StudentsT{Sigma: 1, Nu: max(n-1, 1)}.Quantile(0.975)
		c.Low, c.High = c.Mean-t*se, c.Mean+t*se
	}
	return out
}

// knee tries a bend at loads from the 10th to the 90th percentile, with the errors of the straight line.
func (e *Envelope) knee(line *gls, x, load, loads []float64) {
	const places = 17
	type bend struct {
		at, left float64
		fit      fit
	}
	var tried []bend
	best := -1
	for i := range places {
		at := loads[len(loads)*(10+5*i)/100]
		beyond := make([]float64, len(load))
		for t, l := range load {
			beyond[t] = max(l-at, 0)
			if l != l {
				beyond[t] = l
			}
		}
		m := *line
		m.whiten(x, [][]float64{ones(len(x)), load, beyond}, line.ar)
		f, ok := ols(m.y, m.columns, nil)
		if !ok {
			continue
		}
		tried = append(tried, bend{at, f.variance * float64(f.n-3), f})
		if best < 0 || tried[len(tried)-1].left < tried[best].left {
			best = len(tried) - 1
		}
	}
	if best < 0 || !(tried[best].left > 0) {
		return
	}
	b := tried[best]
	df := float64(b.fit.n - 3)
	t := math.Abs(b.fit.coef[2]) / b.fit.se(2)
	e.P = min(2*distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)*places, 1)
	e.Knee, e.KneeLow, e.KneeHigh = b.at, b.at, b.at
	for _, other := range tried { // as likely as chance makes the right place once in twenty
		if df*math.Log(other.left/b.left) < 3.84 {
			e.KneeLow, e.KneeHigh = min(e.KneeLow, other.at), max(e.KneeHigh, other.at)
		}
	}
	e.SlopeBelow, e.SlopeAbove = b.fit.coef[1]/10, (b.fit.coef[1]+b.fit.coef[2])/10
	e.Bends = e.P <= kneeCertain
}
