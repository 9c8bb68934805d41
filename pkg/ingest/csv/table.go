package csv

import (
	"bufio"
	"bytes"
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
	*records
	name    string // of the file, for errors
	columns []string
	when    int // index of the timestamp column

	anyOrder bool // rows need not be in order of time

	time int64 // of the current record, unix milliseconds
	rows int
}

func newTable(name string, r io.Reader) (*table, error) {
	buffered := bufio.NewReaderSize(r, lineBytes)
	if mark, _ := buffered.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = buffered.Discard(len(mark)) // they are in the buffer
	}
	t := &table{records: newRecords(buffered), name: name}
	if ok, err := t.read(); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("%s: no header: the file is empty", name)
	}
	for i, cell := range t.cells {
		c := string(cell)
		if c == "" {
			return nil, fmt.Errorf("%s:%d: header: column %d has no name", name, t.line, i+1)
		}
		if slices.Contains(t.columns, c) {
			return nil, fmt.Errorf("%s:%d: header: two columns are named %q", name, t.line, c)
		}
		t.columns = append(t.columns, c)
	}
	if t.when = slices.Index(t.columns, timestampColumn); t.when < 0 {
		return nil, fmt.Errorf("%s:%d: header: no column is named %s in %q", name, t.line, timestampColumn, start(strings.Join(t.columns, ",")))
	}
	return t, nil
}

// read reads the next record, false at the end of the file.
func (t *table) read() (bool, error) {
	ok, err := t.records.next()
	switch {
	case err == nil:
		return ok, nil
	case t.line == 0:
		return false, fmt.Errorf("%s: %w", t.name, err)
	default:
		return false, fmt.Errorf("%s:%d: %w", t.name, t.line, err)
	}
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
