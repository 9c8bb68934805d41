package openmetrics

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// Sample is one value of one series.
type Sample struct {
	Labels labels.Labels // with the metric's name; may be kept
	T      int64         // unix milliseconds
	V      float64
}

// maxCached bounds how many series of one metric are remembered by their text.
const maxCached = 100_000

// Reader reads samples in the order of the file, in the manner of bufio.Scanner.
type Reader struct {
	name   string
	format Format
	chunks *chunks
	close  func() error

	chunk   []byte // being parsed, as it is in the file
	text    []byte // the same between what the parser wants to see
	parser  textparse.Parser
	metric  []byte // the TYPE line in force, repeated on top of every chunk
	ended   bool   // # EOF was seen
	series  map[string]labels.Labels
	symbols *labels.SymbolTable

	sample Sample
	err    error
	done   bool
}

// NewReader returns a reader of the format. The name stands for the file in errors.
func NewReader(name string, r io.Reader, f Format) *Reader {
	return &Reader{name: name, format: f, chunks: newChunks(r), series: map[string]labels.Labels{}, symbols: labels.NewSymbolTable()}
}

// Open opens a file, compressed with gzip or not, and finds out its format. The caller closes the reader.
func Open(path string) (*Reader, error) {
	format, err := detect(path)
	if err != nil {
		return nil, err
	}
	f, err := ingest.OpenFile(path)
	if err != nil {
		return nil, err
	}
	r := NewReader(path, f, format)
	r.close = f.Close
	return r, nil
}

// Format returns the format that is being read.
func (r *Reader) Format() Format { return r.format }

// Sample returns what Next has read.
func (r *Reader) Sample() Sample { return r.sample }

// Err returns what ended the reading, nil at the end of the file.
func (r *Reader) Err() error { return r.err }

// Close closes what Open has opened.
func (r *Reader) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// Next reads the next sample. It returns false at the end of the file and at the first error.
func (r *Reader) Next() bool {
	for !r.done {
		ok, err := r.step()
		switch {
		case errors.Is(err, io.EOF):
			r.done = true
		case err != nil:
			r.done, r.err = true, err
		case ok:
			return true
		}
	}
	return false
}

// step parses one entry, or fetches lines to parse. It reports whether that was a sample.
func (r *Reader) step() (bool, error) {
	if r.parser == nil {
		return false, r.fetch()
	}
	entry, err := r.parser.Next()
	if errors.Is(err, io.EOF) {
		r.parser = nil
		return false, nil
	}
	if err != nil {
		return false, r.locate(err)
	}
	switch entry {
	case textparse.EntryType:
		name, kind := r.parser.Type()
		r.metric = fmt.Appendf(r.metric[:0], "# TYPE %s %s\n", name, kind)
		clear(r.series) // how le and quantile are written depends on the type
	case textparse.EntrySeries:
		text, t, v := r.parser.Series()
		if err := r.format.checkTime(t); err != nil {
			return false, r.locate(err)
		}
		r.sample = Sample{Labels: r.labels(text), T: *t, V: v}
		return true, nil
	case textparse.EntryHistogram:
		return false, r.locate(errors.New("native histograms are not supported in files"))
	default: // help, units and comments
	}
	return false, nil
}

// labels returns the labels of the current series, which has this text. Most series have many samples.
func (r *Reader) labels(text []byte) labels.Labels {
	if ls, ok := r.series[string(text)]; ok {
		return ls
	}
	var ls labels.Labels
	r.parser.Labels(&ls)
	if len(r.series) >= maxCached {
		clear(r.series)
	}
	r.series[string(text)] = ls
	return ls
}

// fetch takes the next chunk and starts a parser on it; io.EOF at the end of the file.
func (r *Reader) fetch() error {
	chunk, err := r.chunks.next()
	switch {
	case errors.Is(err, io.EOF) && r.format == OpenMetrics && !r.ended:
		return fmt.Errorf("%s: does not end with # EOF: the file was cut short", r.name)
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, errLineTooLong):
		return fmt.Errorf("%s:%d: %w", r.name, r.chunks.line, err)
	case err != nil:
		return fmt.Errorf("%s: %w", r.name, err)
	case r.ended:
		return fmt.Errorf("%s:%d: data after # EOF", r.name, r.chunks.line)
	}
	r.chunk = chunk
	r.ended = r.format == OpenMetrics && endsWithEOF(chunk)
	r.text = r.complete(append(r.text[:0], r.metric...), chunk)
	r.parser, err = textparse.New(r.text, r.format.contentType(), r.symbols, textparse.ParserOptions{})
	return err
}

// complete appends lines to text, ended as the parser wants the whole of an exposition to end.
func (r *Reader) complete(text, lines []byte) []byte {
	text = append(text, lines...)
	if !bytes.HasSuffix(lines, newline) {
		text = append(text, '\n')
	}
	if r.format == OpenMetrics && !endsWithEOF(lines) {
		text = append(text, "# EOF\n"...)
	}
	return text
}

// locate finds the line of the chunk that cannot be read, and why. The parser does not tell, but a line says the same
// when it is alone; cause is what the chunk as a whole said.
func (r *Reader) locate(cause error) error {
	line := r.chunks.line
	for text := range bytes.Lines(r.chunk) {
		if err := r.checkLine(text); err != nil {
			return fmt.Errorf("%s:%d: %w", r.name, line, err)
		}
		line++
	}
	return fmt.Errorf("%s:%d: in this line or one of the %d after it: %w", r.name, r.chunks.line, line-r.chunks.line, cause)
}

func (r *Reader) checkLine(line []byte) error {
	p, err := textparse.New(r.complete(nil, line), r.format.contentType(), labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return err
	}
	for {
		entry, err := p.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case entry == textparse.EntrySeries:
			if _, t, _ := p.Series(); r.format.checkTime(t) != nil {
				return r.format.checkTime(t)
			}
		}
	}
}
