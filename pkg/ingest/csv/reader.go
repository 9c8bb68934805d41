package csv

import (
	"fmt"
	"io"
	"slices"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/series"
)

// Row is one row of a series.
type Row struct {
	series.Point // Missing is NoData for an empty value, NotANumber for NaN and infinities
	Truth        Truth
}

// Reader reads one series, row by row, in the manner of bufio.Scanner:
//
//	for r.Next() {
//		use(r.Row())
//	}
//	if err := r.Err(); err != nil {
type Reader struct {
	table        *table
	value, label int // indices of the columns; label is -1 when there is none
	row          Row
	err          error
	done         bool
	close        func() error
}

// NewReader reads the header timestamp,value[,label]. The name stands for the file in errors.
func NewReader(name string, r io.Reader) (*Reader, error) {
	t, err := newTable(name, r)
	if err != nil {
		return nil, err
	}
	out := &Reader{table: t, value: slices.Index(t.columns, "value"), label: slices.Index(t.columns, "label")}
	if out.value < 0 {
		return nil, fmt.Errorf("%s:%d: header: no column is named value; want timestamp,value[,label]", name, t.line)
	}
	for _, c := range t.columns {
		if c != timestampColumn && c != "value" && c != "label" {
			return nil, fmt.Errorf("%s:%d: header: unknown column %q; want timestamp,value[,label]", name, t.line, c)
		}
	}
	return out, nil
}

// Open opens the file of one series. The caller closes the reader.
func Open(path string) (*Reader, error) {
	f, err := ingest.OpenFile(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(path, f)
	if err != nil {
		_ = f.Close() // what is wrong with the header is the news
		return nil, err
	}
	r.close = f.Close
	return r, nil
}

// ReadFile returns all rows of the file of one series.
func ReadFile(path string) ([]Row, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// In pieces: to grow one slice of millions of rows costs more than to read them.
	const piece = 1 << 15
	var full [][]Row
	rows := make([]Row, 0, piece)
	for r.Next() {
		if len(rows) == piece {
			full, rows = append(full, rows), make([]Row, 0, piece)
		}
		rows = append(rows, r.Row())
	}
	return slices.Concat(append(full, rows)...), r.Err()
}

// Next reads the next row. It returns false at the end of the file and at the first error.
func (r *Reader) Next() bool {
	for !r.done {
		row, again, ok := r.parse()
		switch {
		case !ok:
			r.done = true
		case again && row != r.row:
			r.done, r.err = true, r.table.differs()
		case !again:
			r.row = row
			return true
		}
	}
	return false
}

func (r *Reader) parse() (row Row, again, ok bool) {
	t := r.table
	if ok, again, r.err = t.next(); !ok {
		return Row{}, false, false
	}
	row.T = t.time
	var err error
	if row.Value, row.Missing, err = parseValue(t.cells[r.value]); err != nil {
		r.err = t.wrong(r.value, err)
		return Row{}, false, false
	}
	if r.label >= 0 {
		if row.Truth, err = parseTruth(t.cells[r.label]); err != nil {
			r.err = t.wrong(r.label, err)
			return Row{}, false, false
		}
	}
	return row, again, true
}

// Row returns the row that Next has read.
func (r *Reader) Row() Row { return r.row }

// Err returns what ended the reading, nil at the end of the file.
func (r *Reader) Err() error { return r.err }

// Labelled reports whether the file has a label column.
func (r *Reader) Labelled() bool { return r.label >= 0 }

// Close closes what Open has opened.
func (r *Reader) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}
