package baseline

import (
	"math"

	"github.com/baseliner/baseliner/pkg/stats"
)

const (
	thresholdLow  = 4.0                   // scales: no calibration goes below
	flatLow       = 15.0                  // nats: three or four repetitions of a finely grained value
	flatReach     = 2.0                   // times the evidence of the series' usual longest runs
	tailReach     = 1.5                   // how far beyond the worst seen a threshold may lie
	averageWeight = 1.2                   // averages of many points are wanted for what lasts, not to decide
	alarmsPerHour = 1.0 / hoursOfWeek / 2 // one a week, shared by two independent questions: context and innovation
)

// margin by which real tails are heavier than the Gaussian that the extrapolation is taken from. The fewer points an hour
// has, the less its largest one is of the tail and the more of the body.
func margin(rows float64) float64 { return 1.08 + 0.36/math.Sqrt(rows) }

// calibrate notes how far the hour went at its worst in each view, and sets the thresholds anew. moved says that the
// expectation has just become another.
func (m *Slow) calibrate(h *hour, moved bool) {
	m.learnMoves(h)
	if isNaN32(h.Ref) || m.Hours <= firstDay+1 {
		return
	}
	m.Recurring.note(h)
	k := m.exponent()
	worst := [viewCount]float64{
		Context: m.worst(h, moved), ShortMean: float64(h.Short), LongMean: float64(h.Long),
		Jump: float64(h.Jump), Surprise: float64(h.Surprise), Flat: float64(h.Flat),
	}
	scale := m.scales(h.slot)
	for v := range viewCount {
		if (v == Jump || v == Surprise) && isNaN32(h.Move) {
			continue
		}
		t := &m.Tails[v]
		t.Add(worst[v] / scale[v])
		if m.Limits[v] == 0 && t.N() < tailHours {
			continue
		}
		limit, widens := threshold(t, k)
		switch v {
		case ShortMean, LongMean:
			limit *= averageWeight
		case Flat:
			limit = max(limit, flatLow, flatReach*t.Quantiles(0.9)[0])
		default: // as it is
		}
		m.Limits[v], m.Widens[v] = float32(limit), float32(widens)
	}
}

// worst is the largest residual of the hour. Residuals were taken against the expectation of their time; where history
// was completed or forgotten since, today's differs, and they are moved along.
func (m *Slow) worst(h *hour, moved bool) float64 {
	knots := 0.0
	for i, have := range h.have {
		if have {
			knots += m.knot(h.half[i], h.slot) / h.n
		}
	}
	shift := h.Mean + float64(h.Ref) - knots
	if moved || math.Abs(shift) < m.spread(h.slot) {
		shift = 0 // the curve between the knots, no other expectation
	}
	return max(math.Abs(float64(h.High)+shift), math.Abs(float64(h.Low)+shift))
}

// exponent with which a Gaussian's hourly maxima reach, from their median and their 90 % quantile, the quantile exceeded
// at the target alarm rate; with a margin for what is not Gaussian.
func (m *Slow) exponent() float64 {
	rows := max(m.RowsPerHour, 1)
	q50 := stats.MaxAbsNormalQuantile(0.5, rows)
	q90 := stats.MaxAbsNormalQuantile(0.9, rows)
	target := stats.MaxAbsNormalQuantile(1-alarmsPerHour, rows)
	return margin(rows) * math.Log(target/q50) / math.Log(q90/q50)
}

// threshold extrapolates in the logarithm from the median of the hourly maxima and their 90 % quantile, which incidents
// in less than a tenth of the hours cannot move, to the quantile passed once per target alarm. It goes no further than
// half again beyond the worst that was remembered: a first weekend, say, is more than a tenth of a short history.
// widens is the ratio of the two quantiles: how much further each unit of the exponent lies.
func threshold(t *stats.Tail, k float64) (limit, widens float64) {
	q := t.Quantiles(0.5, 0.9, 0.9999)
	widens = q[1] / q[0]
	return max(thresholdLow, min(q[0]*math.Pow(widens, k), tailReach*q[2])), widens
}
