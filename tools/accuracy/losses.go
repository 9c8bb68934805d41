package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/baseliner/baseliner/pkg/cost"
	"github.com/baseliner/baseliner/pkg/series"
)

const lossesPurpose = 0x10555

// lossLine is what came of estimating losses of one kind of series.
type lossLine struct {
	Orders   float64 `json:"orders_an_hour"`
	Hours    int     `json:"hours"`
	Runs     int     `json:"runs"`
	Covered  float64 `json:"cover"`           // 90 % intervals that hold what was lost
	Relative float64 `json:"error_of_oracle"` // root mean square error over that of a baseline that knows the weekly cycle
	Width    float64 `json:"width_of_loss"`   // mean width of the interval, of what was lost
}

type lossesReport struct {
	Lines []lossLine `json:"lines"`
}

// lossCase is a shop and how long it loses 20 to 40 % of its orders, after six weeks, some time in the seventh.
type lossCase struct {
	orders float64
	hours  int
	asked  bool // what the interval and the error have to be is asked of this one
}

func runLosses(o options) (finding, error) {
	runs := 500
	if o.short {
		runs = 12
	}
	out := &lossesReport{}
	var errs []error
	for i, c := range []lossCase{{400, 2, true}, {60, 2, false}, {4000, 2, false}, {400, 12, false}} {
		if o.short && !c.asked {
			continue
		}
		l := c.measure(i, runs)
		out.Lines = append(out.Lines, l)
		if c.asked && !o.short && (l.Covered < 0.86 || l.Covered > 0.94 || l.Relative > 1.3) {
			errs = append(errs, fmt.Errorf("losses of %d h: 90 %% intervals hold %.3f, the error is %.2f of an oracle's", c.hours, l.Covered, l.Relative))
		}
	}
	return out, errors.Join(errs...)
}

// lost is one simulated loss and what was estimated of it.
type lost struct {
	truth, oracle float64
	cost.Loss
}

func (c lossCase) measure(purpose, runs int) lossLine {
	all := make([]lost, runs)
	parallel(runs, func(i int) { all[i] = c.play(purpose, i, runs) })
	l := lossLine{Orders: c.orders, Hours: c.hours, Runs: runs}
	var own, oracle float64
	for _, x := range all {
		if x.Low <= x.truth && x.truth <= x.High {
			l.Covered += 1 / float64(runs)
		}
		l.Width += (x.High - x.Low) / x.truth / float64(runs)
		own += (x.Lost - x.truth) * (x.Lost - x.truth)
		oracle += (x.oracle - x.truth) * (x.oracle - x.truth)
	}
	l.Relative = math.Sqrt(own / oracle)
	return l
}

// play draws seven weeks of orders in rows of five minutes: a Poisson process around a weekly cycle that swings by 5 % for hours. The
// baseline is the product's, judged before it is learnt; what was lost are the orders that were taken away.
func (c lossCase) play(purpose, which, runs int) lost {
	const weeks = 6
	r := seeded(lossesPurpose, purpose, which)
	week := newWeekCycle(r)
	d := newDetector(5 * time.Minute)
	swing := ar1{phi: math.Pow(0.6, 1.0/perHour)}
	begin := int64(weeks*perWeek + r.IntN(perWeek-c.hours*perHour))
	end := begin + int64(c.hours*perHour)
	share := 0.2 + 0.2*float64(which)/float64(runs)
	out := lost{}
	var rows []cost.Row
	var frozen []float64
	for i := range end {
		unix := epoch + i*fiveMin
		mean := c.orders * week.at(unix) / perHour
		orders := distuv.Poisson{Lambda: mean * math.Exp(0.05*swing.next(r.NormFloat64())), Src: r}.Rand()
		if i == begin {
			for t := begin; t < end; t++ {
				frozen = append(frozen, d.expected((epoch+t*fiveMin)*1000))
			}
		}
		if i >= begin {
			if orders > 0 {
				gone := distuv.Binomial{N: orders, P: share, Src: r}.Rand()
				out.truth, orders = out.truth+gone, orders-gone
			}
			out.oracle += mean - orders
		}
		v := d.step(series.Point{T: unix * 1000, Value: orders})
		row := cost.Row{Expected: v.center, Actual: orders}
		switch {
		case !v.known:
			row.Expected = math.NaN()
		case i >= begin:
			row.Expected = frozen[i-begin] // as it was before: the model learns of the incident too, however slowly
		}
		rows = append(rows, row)
	}
	var err error
	const recent = 4 * perWeek // a younger baseline was wrong by more
	if out.Loss, err = cost.Estimate(rows[begin-recent:begin], rows[begin:], 0.9); err != nil {
		panic(err) // four weeks are enough
	}
	return out
}

func (r *lossesReport) tables() []table {
	t := table{
		title: "What an incident took: losses of 20 to 40 %",
		head:  []string{"orders an hour", "hours", "runs", "90 % intervals hold the truth", "error / that of an oracle baseline", "width / loss"},
	}
	for _, l := range r.Lines {
		t.row(fmt.Sprintf("%.0f", l.Orders), l.Hours, l.Runs, l.Covered, fmt.Sprintf("%.2f", l.Relative), fmt.Sprintf("%.2f", l.Width))
	}
	return []table{t}
}
