package csv

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// timestampColumn is the name of the column of time in every file.
const timestampColumn = "timestamp"

// table reads records under a header and knows where it is.
type table struct {
	name    string // of the file, for errors
	csv     *csv.Reader
	columns []string
	when    int // index of the timestamp column

	anyOrder bool // rows need not be in order of time

	cells []string // of the current record, valid until the next; trimmed
	line  int      // of the current record
	time  int64    // of the current record, unix milliseconds
	rows  int
}

func newTable(name string, r io.Reader) (*table, error) {
	buffered := bufio.NewReader(r)
	if mark, _ := buffered.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = buffered.Discard(len(mark)) // they are in the buffer
	}
	t := &table{name: name, csv: csv.NewReader(buffered)}
	t.csv.FieldsPerRecord = -1 // counted here, for a message with the place
	t.csv.ReuseRecord = true
	if ok, err := t.read(); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("%s: no header: the file is empty", name)
	}
	t.columns = slices.Clone(t.cells)
	for i, c := range t.columns {
		if c == "" {
			return nil, fmt.Errorf("%s:%d: header: column %d has no name", name, t.line, i+1)
		}
		if slices.Contains(t.columns[:i], c) {
			return nil, fmt.Errorf("%s:%d: header: two columns are named %q", name, t.line, c)
		}
	}
	if t.when = slices.Index(t.columns, timestampColumn); t.when < 0 {
		return nil, fmt.Errorf("%s:%d: header: no column is named %s in %q", name, t.line, timestampColumn, start(strings.Join(t.columns, ",")))
	}
	return t, nil
}

// read reads the next record, false at the end of the file.
func (t *table) read() (bool, error) {
	cells, err := t.csv.Read()
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		return false, t.broken(err)
	}
	t.line, _ = t.csv.FieldPos(0)
	for i, c := range cells {
		cells[i] = strings.TrimSpace(c)
	}
	t.cells = cells
	return true, nil
}

// broken says where a record is that is none.
func (t *table) broken(err error) error {
	if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("%s:%d: %w", t.name, syntax.Line, syntax.Err)
	}
	return fmt.Errorf("%s: %w", t.name, err)
}

// next reads the next row and its time. again says that the time is that of the row before.
func (t *table) next() (ok, again bool, err error) {
	if ok, err := t.read(); !ok {
		return false, false, err
	}
	if len(t.cells) != len(t.columns) {
		return false, false, fmt.Errorf("%s:%d: row has %d columns, the header has %d", t.name, t.line, len(t.cells), len(t.columns))
	}
	at, err := parseTime(t.cells[t.when])
	if err != nil {
		return false, false, t.wrong(t.when, err)
	}
	if t.rows > 0 && at < t.time && !t.anyOrder {
		return false, false, t.wrong(t.when, fmt.Errorf("%s is before the row above it: rows must be in order of time", rfc3339(at)))
	}
	again = t.rows > 0 && at == t.time && !t.anyOrder
	t.time = at
	t.rows++
	return true, again, nil
}

// wrong says that a cell of the current row is.
func (t *table) wrong(column int, cause error) error {
	return fmt.Errorf("%s:%d: %s: %w", t.name, t.line, t.columns[column], cause)
}

// differs says that two rows of the same time disagree.
func (t *table) differs() error {
	return t.wrong(t.when, fmt.Errorf("%s has another row with other values", rfc3339(t.time)))
}

func rfc3339(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// start is what a message quotes of a line: enough to know it by, of what may be no text at all.
func start(line string) string {
	const most = 80 // bytes
	if len(line) <= most {
		return line
	}
	return strings.ToValidUTF8(line[:most], "") + "…"
}
