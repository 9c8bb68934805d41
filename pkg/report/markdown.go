package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

func (d *Document) writeMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n\n%s\n", d.Title, d.Subtitle)
	for _, s := range d.Sections {
		fmt.Fprintf(b, "\n## %s\n", s.Title)
		for _, block := range s.Blocks {
			fmt.Fprintln(b)
			switch block := block.(type) {
			case Text:
				fmt.Fprintln(b, string(block))
			case Lead:
				fmt.Fprintf(b, "> %s\n", block.Text)
			case *Table:
				block.markdown(b)
			case *Chart: // a text has no drawings: the numbers, and what they show
				fmt.Fprintf(b, "%s\n\n", block.Caption)
				if block.Brief != nil {
					block.Brief.markdown(b)
				} else {
					block.Data.readable().markdown(b)
				}
			}
		}
	}
	return b.Flush()
}

func (t *Table) markdown(w io.Writer) {
	fmt.Fprintf(w, "| %s |\n|", strings.Join(cells(t.Head), " | "))
	for i := range t.Head {
		if t.right(i) {
			fmt.Fprint(w, "---:|")
		} else {
			fmt.Fprint(w, "---|")
		}
	}
	fmt.Fprintln(w)
	for _, r := range t.Rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells(r), " | "))
	}
}

// readable is a table of data with four significant digits: CSV and JSON have the others.
func (t *Table) readable() *Table {
	out := *t
	out.Rows = make([][]string, len(t.Rows))
	for i, r := range t.Rows {
		out.Rows[i] = make([]string, len(r))
		for j, s := range r {
			out.Rows[i][j] = s
			if v, err := strconv.ParseFloat(s, 64); err == nil && t.right(j) && math.Abs(v) < 1e4 {
				out.Rows[i][j] = strconv.FormatFloat(v, 'g', 4, 64)
			} else if err == nil && t.right(j) && math.Abs(v) < 1e15 {
				out.Rows[i][j] = strconv.FormatFloat(v, 'f', 0, 64)
			}
		}
	}
	return &out
}

func (t *Table) right(i int) bool { return i < len(t.Numbers) && t.Numbers[i] }

// cells keeps names with a bar inside from ending their cell.
func cells(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ReplaceAll(s, "|", `\|`)
	}
	return out
}
