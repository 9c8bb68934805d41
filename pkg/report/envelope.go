package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/correlate"
)

// EnvelopeInput is what an envelope report is made of.
type EnvelopeInput struct {
	From, To  time.Time
	Traffic   string
	Envelopes []correlate.Envelope
}

// EnvelopeRow is a measurement at a load.
type EnvelopeRow struct {
	Load  Number `json:"load"` // share of the usual weekly peak
	Hours int    `json:"hours"`
	P50   Number `json:"p50"`
	P95   Number `json:"p95"`
}

// Behaviour is one measurement over the load.
type Behaviour struct {
	Name     string        `json:"measurement"`
	Layer    string        `json:"layer,omitempty"`
	Unit     string        `json:"unit,omitempty"`
	Why      string        `json:"not_looked_at,omitempty"`
	Verdict  string        `json:"verdict"` // knee, faster, slower, in_proportion, level or unknown
	Rows     []EnvelopeRow `json:"rows,omitempty"`
	Exponent *Range        `json:"exponent,omitempty"`
	Slope    Range         `json:"slope_per_tenth_of_peak"`
	Knee     *Range        `json:"knee,omitempty"` // share of the peak, 95 %
	Below    Number        `json:"slope_below_knee,omitempty"`
	Above    Number        `json:"slope_above_knee,omitempty"`
	P        Number        `json:"p_of_no_knee"`

	of *correlate.Envelope
}

// EnvelopeReport is how measurements behave from a quarter to five quarters of the peak load.
type EnvelopeReport struct {
	Kind    string      `json:"kind"`
	Method  string      `json:"method"`
	From    time.Time   `json:"from"`
	To      time.Time   `json:"to"`
	Zone    string      `json:"timezone"`
	Traffic string      `json:"traffic"`
	All     []Behaviour `json:"measurements"`
	Caveat  string      `json:"caveat"`
}

const envelopeCaveat = "Hours at a load share more than the load: nightly jobs, caches that are cold in the morning, who comes at noon. A load test tells them apart; this is what production shows. " +
	"Nothing is said beyond the loads that were seen."

// Verdicts on an envelope, in the order in which they are told.
var verdicts = []string{"knee", "faster", "in_proportion", "slower", "level", "unknown"}

// NewEnvelope sorts measurements by what needs attention.
func NewEnvelope(in EnvelopeInput) *EnvelopeReport {
	out := &EnvelopeReport{
		Kind: "envelope", Method: correlate.Method, From: in.From, To: in.To, Zone: in.From.Location().String(), Traffic: in.Traffic, All: []Behaviour{}, Caveat: envelopeCaveat,
	}
	for i := range in.Envelopes {
		e := &in.Envelopes[i]
		b := Behaviour{Name: e.Name, Unit: e.Unit, Why: e.Why, P: Number(e.P), of: e, Slope: Range{Number(e.Slope.Coef), Number(e.Slope.Low), Number(e.Slope.High)}}
		if e.Layer != 0 {
			b.Layer = e.Layer.String()
		}
		for _, r := range e.Rows {
			b.Rows = append(b.Rows, EnvelopeRow{Number(r.Load), r.Hours, Number(r.P50), Number(r.P95)})
		}
		if e.Scales {
			b.Exponent = &Range{Number(e.Power.Coef), Number(e.Power.Low), Number(e.Power.High)}
		}
		if b.Verdict = behaves(e); b.Verdict == "knee" {
			b.Knee, b.Below, b.Above = &Range{Number(e.Knee), Number(e.KneeLow), Number(e.KneeHigh)}, Number(e.SlopeBelow), Number(e.SlopeAbove)
		}
		out.All = append(out.All, b)
	}
	slices.SortStableFunc(out.All, func(a, b Behaviour) int {
		return cmp.Compare(slices.Index(verdicts, a.Verdict), slices.Index(verdicts, b.Verdict))
	})
	return out
}

func behaves(e *correlate.Envelope) string {
	switch {
	case e.Why != "":
		return "unknown"
	case e.Bends && e.SlopeAbove > 0 && e.SlopeAbove > 1.5*e.SlopeBelow:
		return "knee"
	case e.Scales && e.Power.Low > 1.1:
		return "faster"
	case e.Slope.Low <= 0 && e.Slope.High >= 0:
		return "level"
	case e.Scales && e.Power.Low <= 1 && e.Power.High >= 1:
		return "in_proportion"
	}
	return "slower"
}

// Document writes the behaviours down.
func (e *EnvelopeReport) Document() *Document {
	d := &Document{
		Title:    "How it behaves under load",
		Subtitle: fmt.Sprintf("Load is %s, 100 %% its usual weekly peak · %s to %s, %s", e.Traffic, e.From.Format("2 January 2006"), e.To.Format("2 January 2006"), e.Zone),
		Data:     e,
	}
	d.Sections = []Section{e.answer(), e.curves(), e.table(), e.howSure()}
	return d
}

func share(v Number) string { return fmt.Sprintf("%.0f %%", 100*float64(v)) }

func shares(low, high Number) string {
	if a, b := share(low), share(high); a != b {
		return a + " to " + b
	}
	return share(low)
}

func (e *EnvelopeReport) answer() Section {
	s := Section{Title: "The answer"}
	for _, b := range e.All {
		if len(s.Blocks) == leads {
			break
		}
		format := func(v Number) string { return signed(float64(v), b.Unit) }
		switch b.Verdict {
		case "knee":
			s.Blocks = append(s.Blocks, Lead{Badge: "!", Grade: "C", Text: fmt.Sprintf(
				"**%s** bends at **%s** of the peak (95 %% interval %s): below, a tenth of the peak more goes with %s, above with **%s**.",
				b.Name, share(b.Knee.Value), shares(b.Knee.Low, b.Knee.High), format(b.Below), format(b.Above))})
		case "faster":
			s.Blocks = append(s.Blocks, Lead{Badge: "!", Grade: "C", Text: fmt.Sprintf(
				"**%s** grows faster than the load: twice the load goes with **%.1f times** as much (95 %% interval %.1f to %.1f).",
				b.Name, math.Exp2(float64(b.Exponent.Value)), math.Exp2(float64(b.Exponent.Low)), math.Exp2(float64(b.Exponent.High)))})
		}
	}
	if len(s.Blocks) == 0 {
		s.Blocks = append(s.Blocks, Lead{Text: fmt.Sprintf("None of %d measurements bends or grows faster than the load, as far as loads were seen.", len(e.All))})
	}
	return s
}

func (e *EnvelopeReport) curves() Section {
	s := Section{Title: "Over the load"}
	for _, b := range e.All {
		if b.Verdict == "knee" || b.Verdict == "faster" || len(s.Blocks) < details && b.Verdict != "unknown" && b.Verdict != "level" {
			if len(s.Blocks) < leads {
				s.Blocks = append(s.Blocks, e.curve(&b))
			}
		}
	}
	if len(s.Blocks) == 0 {
		s.text("Nothing rises with the load.")
	}
	return s
}

func (e *EnvelopeReport) curve(b *Behaviour) *Chart {
	const w, h, left, right, top, bottom = pageWidth, 280, 76, 20, 26, 48
	d := draw(h, b.Name+" over the load")
	points := b.of.Points
	x := scale{0, max(points[len(points)-1].To, 1), left, w - right}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, p := range points {
		lo, hi = min(lo, p.Low), max(hi, p.High)
	}
	y := scale{lo - 0.08*(hi-lo), hi + 0.08*(hi-lo), h - bottom, top}
	format, word := axis(b.Unit)
	for _, v := range y.ticks(5) {
		d.lineTo(left, y.at(v), w-right, y.at(v), rule, 1, "")
		d.text(left-8, y.at(v)+4, "end", dim, format(v))
	}
	if b.Knee != nil {
		d.rect(x.at(float64(b.Knee.Low)), top, max(x.at(float64(b.Knee.High))-x.at(float64(b.Knee.Low)), 2), h-bottom-top, "#fbe9e7")
		d.lineTo(x.at(float64(b.Knee.Value)), top, x.at(float64(b.Knee.Value)), h-bottom, bad, 1, "3 3")
		d.text(x.at(float64(b.Knee.Value))-6, top+10, "end", bad, "knee at "+share(b.Knee.Value))
	}
	var upper, lower, middle [][2]float64
	data := Table{Head: []string{"bin", "load", "hours", "mean", "low", "high"}, Numbers: []bool{true, true, true, true, true, true}}
	for i, p := range points {
		upper = append(upper, [2]float64{x.at(p.Middle), y.at(p.High)})
		middle = append(middle, [2]float64{x.at(p.Middle), y.at(p.Mean)})
		lower = append([][2]float64{{x.at(p.Middle), y.at(p.Low)}}, lower...)
		data.Rows = append(data.Rows, []string{fmt.Sprint(i + 1), plain(p.Middle), fmt.Sprint(p.Hours), plain(p.Mean), plain(p.Low), plain(p.High)})
	}
	d.area(append(upper, lower...), band)
	d.path(middle, line)
	for _, p := range middle {
		d.dot(p[0], p[1], 3, line)
	}
	d.lineTo(left, h-bottom, w-right, h-bottom, dim, 1, "")
	for _, v := range x.ticks(6) {
		d.lineTo(x.at(v), h-bottom, x.at(v), h-bottom+4, dim, 1, "")
		d.text(x.at(v), h-bottom+18, "middle", dim, share(Number(v)))
	}
	d.text((left+w-right)/2, h-8, "middle", ink, e.Traffic+", of the usual weekly peak")
	title := b.Name
	if word != "" {
		title += ", " + word
	}
	d.text(4, 14, "start", ink, title)
	caption := fmt.Sprintf("**%s**: mean of hours at a load, with 95 %% intervals.", b.Name)
	if b.Knee != nil {
		caption += fmt.Sprintf(" The knee lies at %s.", shares(b.Knee.Low, b.Knee.High))
	}
	return &Chart{Name: "load " + b.Name, Caption: caption, SVG: d.svg(), Data: data}
}

var verdictWords = map[string]string{
	"knee": "bends", "faster": "faster than the load", "in_proportion": "with the load", "slower": "slower than the load", "level": "not with the load", "unknown": "",
}

func (e *EnvelopeReport) table() Section {
	s := Section{Title: "Every measurement, median and 95th percentile"}
	t := &Table{Name: "envelope", Head: []string{"measurement", "behaves"}, Numbers: []bool{false, false}}
	for _, l := range correlate.Loads {
		t.Head, t.Numbers = append(t.Head, fmt.Sprintf("%.0f %%", 100*l)), append(t.Numbers, true)
	}
	for _, b := range e.All {
		format, word := axis(b.Unit)
		row := []string{b.Name, cmp.Or(verdictWords[b.Verdict], b.Why)}
		if word != "" {
			row[0] += ", " + word
		}
		for i := range correlate.Loads {
			cell := ""
			if i < len(b.Rows) && b.Rows[i].P50 == b.Rows[i].P50 {
				cell = format(float64(b.Rows[i].P50)) + ", " + format(float64(b.Rows[i].P95))
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	s.Blocks = append(s.Blocks, t)
	if len(e.All) > 0 && len(e.All[0].Rows) > 0 {
		var hours []string
		for _, r := range e.All[0].Rows {
			hours = append(hours, fmt.Sprintf("%s: %s h", share(r.Load), whole(r.Hours)))
		}
		s.text("Hours within an eighth of the peak of each load (%s). Cells with fewer than 30 are empty: that load was not seen often enough.", list(hours, 5))
	}
	return s
}

func (e *EnvelopeReport) howSure() Section {
	s := Section{Title: "How sure this is, and what it is not"}
	s.text("%s", envelopeCaveat)
	s.text("Method %s: regression on the load with autoregressive errors; a knee at one of 17 loads where a bent line is better at p ≤ 0.01 after all of them, "+
		"its interval the places as likely as that; exponents of logarithms. Hours beyond 5 robust deviations of their hour of the week are left out.", e.Method)
	return s
}
