package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"regexp"
	"strings"
)

//go:embed report.html
var page string

//go:embed report.css
var style string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{"rich": rich, "cell": cell}).Parse(page))

// writeHTML writes one file that needs no other: style and drawings are inside, and there is no script.
func (d *Document) writeHTML(w io.Writer) error {
	type block struct {
		Text  string
		Lead  *Lead
		Table *Table
		Chart *Chart
		SVG   template.HTML
	}
	type section struct {
		Title  string
		Blocks []block
	}
	var sections []section
	for _, s := range d.Sections {
		out := section{Title: s.Title}
		for _, b := range s.Blocks {
			switch b := b.(type) {
			case Text:
				out.Blocks = append(out.Blocks, block{Text: string(b)})
			case Lead:
				out.Blocks = append(out.Blocks, block{Lead: &b})
			case *Table:
				out.Blocks = append(out.Blocks, block{Table: b})
			case *Chart:
				out.Blocks = append(out.Blocks, block{Chart: b, SVG: template.HTML(b.SVG)}) // drawn by us, with what is not ours escaped
			}
		}
		sections = append(sections, out)
	}
	var buf bytes.Buffer
	err := pageTemplate.Execute(&buf, map[string]any{
		"Title": d.Title, "Subtitle": d.Subtitle, "Style": template.CSS(style), "Sections": sections,
	})
	if err != nil {
		return err
	}
	_, err = w.Write(buf.Bytes())
	return err
}

// rich escapes a text and sets **bold**.
func rich(s string) template.HTML {
	if (strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")) && !strings.ContainsAny(s, " \n") {
		return template.HTML(`<a href="` + template.HTMLEscapeString(s) + `">open</a>`)
	}
	var b strings.Builder
	for i, part := range strings.Split(s, "**") {
		if i%2 == 1 {
			b.WriteString("<b>" + template.HTMLEscapeString(part) + "</b>")
		} else {
			b.WriteString(template.HTMLEscapeString(part))
		}
	}
	return template.HTML(b.String())
}

// Names of signals may be broken at breaks, a number and its unit may not.
var (
	breaks = strings.NewReplacer("_", "_<wbr>", "{", "{<wbr>")
	units  = regexp.MustCompile(`(\d) ([%a-zA-Zµ])`)
)

// cell is a text of a table.
func cell(s string) template.HTML {
	return template.HTML(breaks.Replace(units.ReplaceAllString(string(rich(s)), "$1\u00a0$2")))
}

// IsNumber tells the template which cells stand to the right.
func (t *Table) IsNumber(i int) bool { return t.right(i) }
