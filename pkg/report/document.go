package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
)

// Document is a report before it is written down. Data is what JSON shows, the sections are what people read.
type Document struct {
	Title    string
	Subtitle string
	Data     any
	Sections []Section
}

// Section is a headed part of a document.
type Section struct {
	Title  string
	Blocks []Block
}

// Block is one of the pieces below.
type Block interface{ block() }

// Text is a paragraph. **Bold** is the only markup.
type Text string

// Lead is a sentence of the answer: what a reader takes home.
type Lead struct {
	Text  string
	Grade string // A, B, C, or empty for what was not found
	Badge string // instead of the grade, in its colour
}

// Table has a head and rows of texts; columns of numbers stand to the right.
type Table struct {
	Name    string // in CSV
	Head    []string
	Numbers []bool // by column
	Rows    [][]string
}

// Chart is a drawing with the numbers behind it.
type Chart struct {
	Name    string // in CSV
	Caption string
	SVG     string
	Data    Table  // unformatted numbers
	Brief   *Table // what markdown shows of them; nil shows all
}

// dropEmpty leaves out columns in which nothing is said.
func (t *Table) dropEmpty() {
	for c := len(t.Head) - 1; c > 0; c-- {
		if !slices.ContainsFunc(t.Rows, func(r []string) bool { return r[c] != "" }) {
			t.Head, t.Numbers = slices.Delete(t.Head, c, c+1), slices.Delete(t.Numbers, c, c+1)
			for i := range t.Rows {
				t.Rows[i] = slices.Delete(t.Rows[i], c, c+1)
			}
		}
	}
}

func (Text) block()   {}
func (Lead) block()   {}
func (*Table) block() {}
func (*Chart) block() {}

func (s *Section) text(format string, args ...any) {
	s.Blocks = append(s.Blocks, Text(fmt.Sprintf(format, args...)))
}

// Format is how a document is written.
type Format string

// The formats.
const (
	Markdown Format = "md"
	HTML     Format = "html"
	JSON     Format = "json"
	CSV      Format = "csv"
)

// Write writes the document.
func (d *Document) Write(w io.Writer, f Format) error {
	switch f {
	case Markdown:
		return d.writeMarkdown(w)
	case HTML:
		return d.writeHTML(w)
	case JSON:
		return d.writeJSON(w)
	case CSV:
		return d.writeCSV(w)
	}
	return fmt.Errorf("write report: format %q is not one of md, html, json, csv", f)
}

// Text is the document as Write writes it.
func (d *Document) Text(f Format) (string, error) {
	var b bytes.Buffer
	err := d.Write(&b, f)
	return b.String(), err
}
