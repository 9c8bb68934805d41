package report

import (
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/baseliner/baseliner/pkg/signal"
)

// The colours of drawings are fixed: a report is printed and mailed, and looks the same everywhere.
const (
	ink    = "#1b2126"
	dim    = "#5d666f"
	rule   = "#e2e4e2"
	line   = "#2a6aa6"
	band   = "#d5e4f1"
	bad    = "#c3272b"
	hourly = "#e9ecea"
)

// drawing is an SVG under construction; units are pixels, y grows downwards.
type drawing struct {
	strings.Builder
	width, height float64
}

// pageWidth is how wide every drawing is.
const pageWidth = 860

func draw(height float64, title string) *drawing {
	d := &drawing{width: pageWidth, height: height}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`, d.width, height, html.EscapeString(title))
	return d
}

func (d *drawing) svg() string { return d.String() + "</svg>" }

func (d *drawing) lineTo(x1, y1, x2, y2 float64, colour string, width float64, dash string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"`, x1, y1, x2, y2, colour, width)
	if dash != "" {
		fmt.Fprintf(d, ` stroke-dasharray="%s"`, dash)
	}
	d.WriteString("/>")
}

func (d *drawing) rect(x, y, w, h float64, colour string) {
	fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x, y, max(w, 0), max(h, 0), colour)
}

func (d *drawing) dot(x, y, r float64, colour string) {
	fmt.Fprintf(d, `<circle cx="%.1f" cy="%.1f" r="%g" fill="%s"/>`, x, y, r, colour)
}

// text anchors at start, middle or end.
func (d *drawing) text(x, y float64, anchor, colour, s string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, colour, html.EscapeString(s))
}

// shortened is a name that fits beside a row.
func shortened(name string) string {
	if runes := []rune(name); len(runes) > 36 {
		return string(runes[:35]) + "…"
	}
	return name
}

// axis writes the numbers at the ticks without the unit where that is a word, and returns the word for the title of the axis.
func axis(unit string) (format func(float64) string, word string) {
	if text := signal.Format(1, unit); text == "1 "+unit && strings.Trim(unit, "abcdefghijklmnopqrstuvwxyz") != unit && len(unit) > 2 {
		return func(v float64) string { return signal.Format(v, "") }, unit
	}
	return func(v float64) string { return signal.Format(v, unit) }, ""
}

func (d *drawing) area(points [][2]float64, colour string) {
	fmt.Fprintf(d, `<polygon points="%s" fill="%s"/>`, join(points), colour)
}

func (d *drawing) path(points [][2]float64, colour string) {
	fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round"/>`, join(points), colour)
}

func join(points [][2]float64) string {
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", p[0], p[1])
	}
	return strings.TrimSpace(b.String())
}

// scale maps values to pixels.
type scale struct{ lo, hi, from, to float64 }

func (s scale) at(v float64) float64 {
	if s.hi == s.lo {
		return (s.from + s.to) / 2
	}
	return s.from + (v-s.lo)/(s.hi-s.lo)*(s.to-s.from)
}

// ticks are about n round values inside the scale.
func (s scale) ticks(n int) []float64 {
	span := s.hi - s.lo
	if !(span > 0) || math.IsInf(span, 0) {
		return []float64{s.lo}
	}
	step := math.Pow(10, math.Floor(math.Log10(span/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if span/(step*m) <= float64(n) {
			step *= m
			break
		}
	}
	var out []float64
	for v := math.Ceil(s.lo/step) * step; v <= s.hi+step/1e6; v += step {
		if math.Abs(v) < step/1e6 {
			v = 0
		}
		out = append(out, v)
	}
	return out
}
