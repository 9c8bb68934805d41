package csv

import (
	"cmp"
	"fmt"
	"slices"
)

// Wide is a whole wide file.
type Wide struct {
	Columns []string
	Times   []int64     // unix milliseconds, ascending
	Values  [][]float64 // by column, then by row; NaN where it is missing
}

// ReadWide reads a whole wide file. Recordings are often put together from pieces: rows may come in any order.
func ReadWide(path string) (*Wide, error) {
	r, err := OpenWide(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	r.table.anyOrder = true

	type row struct {
		at     int64
		line   int
		values []float64
	}
	var rows []row
	for r.Next() {
		rows = append(rows, row{r.Time(), r.table.line, slices.Clone(r.Values())})
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.at, b.at) })

	out := &Wide{Columns: r.Columns(), Values: make([][]float64, len(r.Columns()))}
	for i, row := range rows {
		if i > 0 && row.at == rows[i-1].at {
			for c, v := range row.values {
				if !same(v, rows[i-1].values[c]) {
					return nil, fmt.Errorf("%s:%d: %s: %s has another value in line %d", path, row.line, out.Columns[c], rfc3339(row.at), rows[i-1].line)
				}
			}
			continue
		}
		out.Times = append(out.Times, row.at)
		for c, v := range row.values {
			out.Values[c] = append(out.Values[c], v)
		}
	}
	return out, nil
}
