package csv

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/baseliner/baseliner/pkg/ingest"
	"github.com/baseliner/baseliner/pkg/series"
)

// WideReader reads a file with one column per signal, row by row, in the manner of bufio.Scanner.
type WideReader struct {
	table   *table
	columns []string
	at      int64
	values  []float64
	spare   []float64
	err     error
	done    bool
	close   func() error
}

// NewWideReader reads the header: timestamp and at least one other column. The name stands for the file in errors.
func NewWideReader(name string, r io.Reader) (*WideReader, error) {
	t, err := newTable(name, r)
	if err != nil {
		return nil, err
	}
	if len(t.columns) < 2 {
		return nil, fmt.Errorf("%s:%d: header: no column beside timestamp", name, t.line)
	}
	n := len(t.columns) - 1
	return &WideReader{
		table:   t,
		columns: slices.Delete(slices.Clone(t.columns), t.when, t.when+1),
		values:  make([]float64, n),
		spare:   make([]float64, n),
	}, nil
}

// OpenWide opens a wide file. The caller closes the reader.
func OpenWide(path string) (*WideReader, error) {
	f, err := ingest.OpenFile(path)
	if err != nil {
		return nil, err
	}
	w, err := NewWideReader(path, f)
	if err != nil {
		_ = f.Close() // what is wrong with the header is the news
		return nil, err
	}
	w.close = f.Close
	return w, nil
}

// Columns returns the names of the signals, in the order of Values. The slice is the reader's.
func (w *WideReader) Columns() []string { return w.columns }

// Next reads the next row. It returns false at the end of the file and at the first error.
func (w *WideReader) Next() bool {
	for !w.done {
		ok, again, err := w.table.next()
		if err == nil && ok {
			err = w.parse(w.spare)
		}
		switch {
		case err != nil || !ok:
			w.done, w.err = true, err
		case again && !slices.EqualFunc(w.values, w.spare, same):
			w.done, w.err = true, w.table.differs()
		case !again:
			w.at = w.table.time
			w.values, w.spare = w.spare, w.values
			return true
		}
	}
	return false
}

func (w *WideReader) parse(into []float64) error {
	i := 0
	for c, cell := range w.table.cells {
		if c == w.table.when {
			continue
		}
		v, missing, err := parseValue(cell)
		if err != nil {
			return w.table.wrong(c, err)
		}
		if missing != series.Observed {
			v = math.NaN()
		}
		into[i] = v
		i++
	}
	return nil
}

// Time returns the time of the row, in unix milliseconds.
func (w *WideReader) Time() int64 { return w.at }

// Values returns the row, one value per column, NaN where it is missing. The slice is valid until the next call of Next.
func (w *WideReader) Values() []float64 { return w.values }

// Err returns what ended the reading, nil at the end of the file.
func (w *WideReader) Err() error { return w.err }

// Close closes what OpenWide has opened.
func (w *WideReader) Close() error {
	if w.close == nil {
		return nil
	}
	return w.close()
}

// same is equality in which a missing value equals a missing value.
func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
