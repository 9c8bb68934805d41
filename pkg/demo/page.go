package demo

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Page is what one scrape target shows.
type Page struct {
	Job      string
	families []*family
}

type family struct {
	name, help, kind string
	rows             []row
}

type row struct {
	text   string // name and labels, as an exposition has them
	labels labels.Labels
	value  *float64
}

// Each calls f with every sample. The labels have the metric's name; a scrape adds job and instance.
func (p *Page) Each(f func(ls labels.Labels, v float64)) {
	for _, fam := range p.families {
		for _, r := range fam.rows {
			f(r.labels, *r.value)
		}
	}
}

// Write writes the page in Prometheus' text format.
func (p *Page) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	for _, f := range p.families {
		_, _ = b.WriteString("# HELP " + f.name + " " + f.help + "\n# TYPE " + f.name + " " + f.kind + "\n")
		for _, r := range f.rows {
			_, _ = b.WriteString(r.text + " " + strconv.FormatFloat(*r.value, 'g', -1, 64) + "\n")
		}
	}
	return b.Flush() // it keeps the first error
}

func (p *Page) family(kind, name, help string) *family {
	f := &family{name: name, help: help, kind: kind}
	p.families = append(p.families, f)
	return f
}

// with adds a sample with pairs of label names and values.
func (f *family) with(pairs ...string) *float64 { return f.add(f.name, pairs...) }

func (f *family) add(name string, pairs ...string) *float64 {
	v := new(float64)
	text := name
	if len(pairs) > 0 {
		parts := make([]string, 0, len(pairs)/2)
		for i := 0; i < len(pairs); i += 2 {
			parts = append(parts, pairs[i]+"="+strconv.Quote(pairs[i+1]))
		}
		text += "{" + strings.Join(parts, ",") + "}"
	}
	f.rows = append(f.rows, row{text, labels.FromStrings(append([]string{"__name__", name}, pairs...)...), v})
	return v
}

// histogram is a classic one.
type histogram struct {
	bounds     []float64
	buckets    []*float64 // cumulative; the last one is +Inf
	sum, count *float64
}

func (f *family) histogram(bounds []float64, pairs ...string) *histogram {
	h := &histogram{bounds: bounds}
	for _, le := range append(bounds, math.Inf(1)) {
		text := "+Inf"
		if !math.IsInf(le, 1) {
			// As a scrape writes it: 1 and 1.0 would be two buckets of one bound.
			if text = strconv.FormatFloat(le, 'f', -1, 64); !strings.Contains(text, ".") {
				text += ".0"
			}
		}
		h.buckets = append(h.buckets, f.add(f.name+"_bucket", append(pairs, "le", text)...))
	}
	h.sum, h.count = f.add(f.name+"_sum", pairs...), f.add(f.name+"_count", pairs...)
	return h
}
