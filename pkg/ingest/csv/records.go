package csv

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
)

// lineBytes is the longest line that is split where it lies.
const lineBytes = 1 << 16

// records splits lines into cells. Plain lines, which nearly all are, are split where they lie. From the first line on
// that is anything else (a quote is in it, it is very long, the file ends or breaks within), encoding/csv reads the rest. What
// comes out is the same: cells, errors and numbers of lines.
type records struct {
	in    *bufio.Reader
	rest  *csv.Reader // nil while all lines were plain
	lines int         // plain ones so far

	line  int      // of the current record, or of the error
	cells [][]byte // of the current record, valid until the next; trimmed
	text  []byte   // what they are parts of, if rest has read them
}

func newRecords(in *bufio.Reader) *records { return &records{in: in} }

// next reads the next record, false at the end of the file. line is 0 after an error of the reader beneath.
func (r *records) next() (bool, error) {
	for r.rest == nil {
		line, err := r.in.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return false, nil
		}
		if err != nil || bytes.IndexByte(line, '"') >= 0 {
			r.giveUp(line, err)
			break
		}
		r.lines++
		if line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r")); len(line) > 0 {
			r.line = r.lines
			r.split(line)
			return true, nil
		}
	}
	return r.nextOfRest()
}

func (r *records) split(line []byte) {
	r.cells = r.cells[:0]
	for {
		end := bytes.IndexByte(line, ',')
		if end < 0 {
			r.cells = append(r.cells, bytes.TrimSpace(line))
			return
		}
		r.cells = append(r.cells, bytes.TrimSpace(line[:end]))
		line = line[end+1:]
	}
}

// giveUp leaves the file from this line on to encoding/csv. err is what came with the line.
func (r *records) giveUp(line []byte, err error) {
	after := io.Reader(r.in)
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		after = failing{err}
	}
	r.rest = csv.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(line)), after))
	r.rest.FieldsPerRecord = -1 // counted by the table, for a message with the place
	r.rest.ReuseRecord = true
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (r *records) nextOfRest() (bool, error) {
	cells, err := r.rest.Read()
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		r.line = 0
		if syntax := (*csv.ParseError)(nil); errors.As(err, &syntax) {
			r.line, err = r.lines+syntax.Line, syntax.Err
		}
		return false, err
	}
	line, _ := r.rest.FieldPos(0)
	r.line = r.lines + line
	r.cells, r.text = r.cells[:0], r.text[:0]
	for _, c := range cells {
		from := len(r.text)
		r.text = append(r.text, c...)
		r.cells = append(r.cells, bytes.TrimSpace(r.text[from:]))
	}
	return true, nil
}
