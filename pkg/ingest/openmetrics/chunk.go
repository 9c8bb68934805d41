package openmetrics

import (
	"bytes"
	"errors"
	"io"
)

// chunkSize bounds the memory of a reader and the length of a line.
const chunkSize = 256 << 10

var errLineTooLong = errors.New("line is longer than 256 KiB")

// chunks cuts a stream into pieces of whole lines.
type chunks struct {
	r    io.Reader
	buf  []byte
	n    int // bytes in buf
	used int // of them, in the current chunk
	line int // number of the current chunk's first line, from 1
	end  bool
}

func newChunks(r io.Reader) *chunks { return &chunks{r: r, buf: make([]byte, chunkSize), line: 1} }

// next returns the next lines, valid until the next call, or io.EOF. Only the last line may lack its newline.
func (c *chunks) next() ([]byte, error) {
	c.line += bytes.Count(c.buf[:c.used], newline)
	c.n = copy(c.buf, c.buf[c.used:c.n])
	c.used = 0
	for !c.end && c.n < len(c.buf) { // not io.ReadFull: it hides that a compressed stream was cut short
		n, err := c.r.Read(c.buf[c.n:])
		c.n += n
		if err == io.EOF {
			c.end = true
		} else if err != nil {
			return nil, err
		}
	}
	if c.end {
		if c.n == 0 {
			return nil, io.EOF
		}
		c.used = c.n
		return c.buf[:c.used], nil
	}
	c.used = bytes.LastIndexByte(c.buf[:c.n], '\n') + 1
	if c.used == 0 {
		return nil, errLineTooLong
	}
	return c.buf[:c.used], nil
}

var newline = []byte{'\n'}
