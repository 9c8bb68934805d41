package report

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"
)

func (d *Document) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d.Data)
}

// writeCSV writes every table and the numbers behind every chart, in rows of table, row, column, value: one shape for all of them, so that
// a spreadsheet can filter it and a script needs no second parser.
func (d *Document) writeCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"table", "row", "column", "value"}); err != nil {
		return err
	}
	for _, s := range d.Sections {
		for _, block := range s.Blocks {
			var t *Table
			switch block := block.(type) {
			case *Table:
				t = block
			case *Chart:
				t = &block.Data
				t.Name = block.Name
			default:
				continue
			}
			for _, r := range t.Rows {
				for i := 1; i < len(r); i++ {
					if err := c.Write([]string{t.Name, r[0], t.Head[i], r[i]}); err != nil {
						return err
					}
				}
			}
		}
	}
	c.Flush()
	return c.Error()
}

// Number is a float that JSON may hold: what is not finite is null.
type Number float64

// MarshalJSON writes six significant digits at least.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, f, 'g', 8, 64), nil
}

// plain is a number for a table of data; empty when it is not finite.
func plain(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}
