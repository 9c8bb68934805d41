package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/correlate"
	"github.com/baseliner/baseliner/pkg/signal"
)

// curves are the outcome by the measurement.
func (c *Correlation) curves(in CorrelationInput, shown []*Finding) Section {
	s := Section{Title: "How it bends"}
	for _, f := range shown {
		curve := in.Study.Curve(f.Driver)
		if curve == nil {
			s.text("Not enough data for a curve of %s.", f.Driver)
			continue
		}
		s.Blocks = append(s.Blocks, c.curve(f, curve))
	}
	c.orNothing(&s)
	return s
}

func (c *Correlation) orNothing(s *Section) {
	if len(s.Blocks) == 0 {
		s.text("Nothing to show: no relation was found.")
	}
}

// index is the outcome with 100 for what is normal; of an outcome without a logarithm its own unit, with 0.
func (c *Correlation) index(v float64) float64 {
	if c.Percent {
		return 100 * math.Exp(v)
	}
	return v
}

func (c *Correlation) curve(f *Finding, curve []correlate.CurvePoint) *Chart {
	const w, h, left, right, top, bottom = pageWidth, 330, 62, 20, 26, 50
	d := draw(h, "Response of "+c.Outcome+" to "+f.Driver)
	first, last := curve[0], curve[len(curve)-1]
	x := scale{first.Middle, last.Middle, left + 12, w - right - 12}
	lo, hi, most := math.Inf(1), math.Inf(-1), 0
	for _, p := range curve {
		lo, hi, most = min(lo, c.index(p.Low)), max(hi, c.index(p.High)), max(most, p.Hours)
	}
	normal := c.index(0)
	pad := 0.12 * (hi - lo)
	y := scale{min(lo, normal) - pad, max(hi, normal) + pad, h - bottom, top}
	// How many hours are behind: bars at the foot, as wide as their bin.
	clamp := func(v float64) float64 { return min(max(x.at(v), left), w-right) }
	for _, p := range curve {
		density := float64(p.Hours) / max(p.To-p.From, 1e-12)
		tall := 60 * min(density/maxDensity(curve), 1)
		d.rect(clamp(p.From)+0.5, h-bottom-tall, clamp(p.To)-clamp(p.From)-1, tall, hourly)
	}
	for _, v := range y.ticks(6) {
		d.lineTo(left, y.at(v), w-right, y.at(v), rule, 1, "")
		d.text(left-8, y.at(v)+4, "end", dim, tick(v))
	}
	var upper, lower, middle [][2]float64
	for _, p := range curve {
		upper = append(upper, [2]float64{x.at(p.Middle), y.at(c.index(p.High))})
		middle = append(middle, [2]float64{x.at(p.Middle), y.at(c.index(p.Mean))})
	}
	for _, c0 := range slices.Backward(curve) {
		lower = append(lower, [2]float64{x.at(c0.Middle), y.at(c.index(c0.Low))})
	}
	d.area(append(upper, lower...), band)
	d.lineTo(left, y.at(normal), w-right, y.at(normal), dim, 1, "4 3")
	d.text(left+4, y.at(normal)+14, "start", dim, "normal for the hour")
	d.path(middle, line)
	knee := correlate.Knee(curve)
	for i, p := range middle {
		d.dot(p[0], p[1], 3.2, line)
		if i == knee {
			d.lineTo(p[0], top, p[0], h-bottom, bad, 1, "3 3")
			side, gap := "start", 6.0
			if p[0] > w*0.7 {
				side, gap = "end", -6
			}
			d.text(p[0]+gap, top+10, side, bad, "from here surely below normal")
		}
	}
	d.lineTo(left, h-bottom, w-right, h-bottom, dim, 1, "")
	for _, v := range x.ticks(9) {
		d.lineTo(x.at(v), h-bottom, x.at(v), h-bottom+4, dim, 1, "")
		d.text(x.at(v), h-bottom+18, "middle", dim, signed(v, f.Unit))
	}
	d.text((left+w-right)/2, h-10, "middle", ink, f.Driver+" beyond what is normal for the hour and its traffic")
	axis := "index of " + c.Outcome + c.atTraffic() + ", 100 = normal"
	if !c.Percent {
		axis = c.Outcome + " beyond normal"
	}
	d.text(4, 14, "start", ink, axis)
	data := Table{Head: []string{"bin", "from", "to", "middle", "hours", "index", "low", "high"}, Numbers: []bool{true, true, true, true, true, true, true, true}}
	for i, p := range curve {
		data.Rows = append(data.Rows, []string{
			fmt.Sprint(i + 1), plain(p.From), plain(p.To), plain(p.Middle), fmt.Sprint(p.Hours), plain(c.index(p.Mean)), plain(c.index(p.Low)), plain(c.index(p.High)),
		})
	}
	caption := fmt.Sprintf("**%s**: each point is the mean of about %d hours, the band its 95 %% interval, grey bars show where most hours lie.", f.Driver, most)
	if knee >= 0 {
		caption += fmt.Sprintf(" From %s on, %s was surely below normal.", signed(curve[knee].Middle, f.Unit), c.Outcome)
	} else {
		caption += " Nowhere is the whole interval below normal: the relation is in the slope of many hours, not in a threshold."
	}
	return &Chart{Name: "curve " + f.Driver, Caption: caption, SVG: d.svg(), Data: data}
}

func maxDensity(curve []correlate.CurvePoint) float64 {
	most := 0.0
	for _, p := range curve {
		most = max(most, float64(p.Hours)/max(p.To-p.From, 1e-12))
	}
	return most
}

// tick is a number on an axis.
func tick(v float64) string { return signal.Format(v, "") }

// lags are when the outcome answers.
func (c *Correlation) lags(shown []*Finding) Section {
	s := Section{Title: "How much later"}
	for _, f := range shown {
		s.Blocks = append(s.Blocks, c.lag(f))
	}
	c.orNothing(&s)
	return s
}

func (c *Correlation) lag(f *Finding) *Chart {
	const w, h, left, right, top, bottom = pageWidth, 200, 62, 20, 24, 46
	d := draw(h, "Lag of "+f.Driver)
	most := float64(f.Band)
	for _, r := range f.Profile {
		most = max(most, math.Abs(float64(r)))
	}
	n := len(f.Profile)
	y := scale{-1.1 * most, 1.1 * most, h - bottom, top}
	step := (w - left - right) / float64(n)
	d.rect(left, y.at(float64(f.Band)), w-left-right, y.at(-float64(f.Band))-y.at(float64(f.Band)), hourly)
	d.text(left+6, y.at(float64(f.Band))-4, "start", dim, "what chance makes")
	data := Table{Head: []string{"lag", "strength", "band"}, Numbers: []bool{true, true, true}}
	early := false
	for i, v := range f.Profile {
		lag, r := i-n/2, float64(v)
		colour := "#9db9d3"
		if lag == f.LagHours {
			colour = line
		}
		early = early || lag < 0 && math.Abs(r) > float64(f.Band)
		x := left + float64(i)*step
		d.rect(x+step*0.22, min(y.at(r), y.at(0)), step*0.56, math.Abs(y.at(r)-y.at(0)), colour)
		anchor := ink
		if lag != f.LagHours {
			anchor = dim
		}
		d.text(x+step/2, h-bottom+18, "middle", anchor, hoursAfter(lag))
		data.Rows = append(data.Rows, []string{fmt.Sprint(lag), plain(r), plain(float64(f.Band))})
	}
	d.lineTo(left, y.at(0), w-right, y.at(0), dim, 1, "")
	d.text((left+w-right)/2, h-8, "middle", ink, "hours from "+f.Driver+" to "+c.Outcome)
	d.text(4, 14, "start", ink, "strength of the relation")
	caption := fmt.Sprintf("**%s**: strongest %s", f.Driver, later(f.LagHours))
	if early {
		caption += "; something shows before 0 as well, so that part of it may run the other way."
	} else {
		caption += "; no peak before 0."
	}
	return &Chart{Name: "lag " + f.Driver, Caption: caption, SVG: d.svg(), Data: data}
}

func hoursAfter(lag int) string {
	switch {
	case lag < 0:
		return fmt.Sprintf("−%d h", -lag)
	case lag > 0:
		return fmt.Sprintf("+%d h", lag)
	}
	return "0"
}

// envelope is how it is under load.
func (c *Correlation) envelope(in CorrelationInput, shown []*Finding) Section {
	s := Section{Title: "Under load"}
	for _, f := range shown {
		rows := in.Study.ByLoad(f.Driver)
		if rows == nil {
			continue
		}
		t := &Table{
			Name: "load " + f.Driver, Head: []string{"load, of the weekly peak", "usual", "95th percentile", "effect per " + stepOf(f), "95 % interval", "hours"},
			Numbers: []bool{false, true, true, true, true, true},
		}
		for _, r := range rows {
			cells := []string{fmt.Sprintf("%.0f %%", 100*r.Load), "", "", "", "", whole(r.Hours)}
			if r.P50 == r.P50 {
				cells[1], cells[2] = signal.Format(r.P50, f.Unit), signal.Format(r.P95, f.Unit)
			}
			if r.Known {
				cells[3] = c.signed(in.told(r.Effect.Coef))
				cells[4] = c.interval(in.rangeOf(r.Effect.Coef, r.Effect.Low, r.Effect.High))
			}
			if r.Load > 1 {
				cells[0] += fmt.Sprintf(" (seen %s h)", whole(r.Hours))
			}
			t.Rows = append(t.Rows, cells)
		}
		s.text("**%s**", f.Driver)
		s.Blocks = append(s.Blocks, t)
	}
	if len(s.Blocks) == 0 {
		s.text("Not known: there is no relation to show, or no traffic to tell loads by.")
		return s
	}
	s.text("The usual weekly peak is 100 %%; a row holds the hours within an eighth of it. Empty cells have fewer than 30 hours, effects fewer than 84.")
	return s
}

// heatMaps are the 24 × 7 hours.
func (c *Correlation) heatMaps(in CorrelationInput, shown []*Finding) Section {
	s := Section{Title: "Over the week"}
	for i, f := range shown {
		week := in.Study.Week(f.Driver)
		if week == nil {
			continue
		}
		s.Blocks = append(s.Blocks, heatMap("usual "+f.Driver, fmt.Sprintf("**%s**: what is usual, from %%s to %%s.", f.Driver), week,
			func(w correlate.WeekCell) float64 { return w.Driver }, func(v float64) string { return signal.Format(v, f.Unit) }, line))
		if c.Percent {
			s.Blocks = append(s.Blocks, heatMap("taken by "+f.Driver, fmt.Sprintf("What %s above its usual went with, in lost %s: from %%s to %%s on average.", f.Driver, c.Outcome), week,
				func(w correlate.WeekCell) float64 { return -correlate.Percent(w.Excess) }, percent, bad))
		}
		if i == 0 && in.Study.AddsUp() {
			value, unit := 1.0, c.unit()
			if c.Worth != nil {
				value, unit = c.Worth.Amount, c.Worth.Currency
			}
			s.Blocks = append(s.Blocks, heatMap("at stake", fmt.Sprintf("What is at stake: usual %s in the hour, from %%s to %%s.", c.Outcome), week,
				func(w correlate.WeekCell) float64 { return value * w.Outcome }, func(v float64) string { return amount(v, unit) }, "#2f7d52"))
		}
	}
	c.orNothing(&s)
	return s
}

var days = [...]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

func heatMap(name, caption string, week []correlate.WeekCell, of func(correlate.WeekCell) float64, format func(float64) string, colour string) *Chart {
	const w, left, top, cellW, cellH = pageWidth, 44, 20, 33.4, 20
	d := draw(top+7*cellH+26, name)
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, cell := range week {
		if v := of(cell); v == v {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	data := Table{Head: []string{"hour", "value"}, Numbers: []bool{false, true}}
	for h := range 24 {
		if h%3 == 0 {
			d.text(left+float64(h)*cellW, 13, "start", dim, fmt.Sprintf("%02d:00", h))
		}
	}
	for day, label := range days {
		y := float64(top + day*cellH)
		d.text(left-8, y+14, "end", dim, label)
		for h := range 24 {
			v := of(week[(day+1)%7*24+h])
			if v == v {
				share := scale{lo, hi, 0.06, 0.95}.at(v)
				fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" fill-opacity="%.3f"><title>%s %02d:00: %s</title></rect>`,
					left+float64(h)*cellW, y, cellW-1.5, float64(cellH)-1.5, colour, share, label, h, format(v))
			}
			data.Rows = append(data.Rows, []string{fmt.Sprintf("%s %02d:00", label, h), plain(v)})
		}
	}
	legend(d, left, top+7*cellH+8, format(lo), format(hi), colour)
	return &Chart{Name: name, Caption: fmt.Sprintf(caption, format(lo), format(hi)), SVG: d.svg(), Data: data, Brief: everyThirdHour(week, of, format)}
}

// legend shows which shade is which value; where all hours are alike there is nothing to tell apart.
func legend(d *drawing, x, y float64, lo, hi, colour string) {
	if lo == hi {
		d.text(x, y+10, "start", dim, lo+" in every hour")
		return
	}
	const steps, wide = 6, 26.0
	d.text(x, y+10, "start", dim, lo)
	x += 7 * float64(len([]rune(lo))+1)
	for i := range steps {
		share := scale{0, steps - 1, 0.06, 0.95}.at(float64(i))
		fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="12" fill="%s" fill-opacity="%.3f"/>`, x+wide*float64(i), y, wide-1.5, colour, share)
	}
	d.text(x+wide*steps+6, y+10, "start", dim, hi)
}

// everyThirdHour is a heat map for texts.
func everyThirdHour(week []correlate.WeekCell, of func(correlate.WeekCell) float64, format func(float64) string) *Table {
	t := &Table{Head: []string{""}, Numbers: []bool{false}}
	for h := 0; h < 24; h += 3 {
		t.Head, t.Numbers = append(t.Head, fmt.Sprintf("%02d:00", h)), append(t.Numbers, true)
	}
	for day, label := range days {
		row := []string{label}
		for h := 0; h < 24; h += 3 {
			row = append(row, format(of(week[(day+1)%7*24+h])))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
