// Package points reads and writes evaluated points as JSON lines, the body of a backfill into a running instance:
//
//	{"signals": {"orders": "5f0c…"}}
//	{"time": 1764028800, "signal": "orders", "labels": {"shop": "a"}, "value": 17.5}
//	{"time": 1764028860, "signal": "orders", "labels": {"shop": "a"}, "missing": "no_data"}
//
// Times are unix seconds and do not decrease; lines of one time are one tick. A ratio has a denominator, in events. The first line is
// optional: it names the definitions by which the points were evaluated.
package points

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/baseliner/baseliner/pkg/series"
)

// maxLine bounds a line, in bytes.
const maxLine = 64 << 10

// Point is one line.
type Point struct {
	Signal string
	Labels series.Labels
	series.Point
}

type line struct {
	Signals     map[string]string `json:"signals,omitempty"`
	Time        *float64          `json:"time,omitempty"`
	Signal      string            `json:"signal,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Value       *float64          `json:"value,omitempty"`
	Denominator float64           `json:"denominator,omitempty"`
	Reporters   uint16            `json:"reporters,omitempty"`
	Missing     string            `json:"missing,omitempty"`
}

// Reader reads points. It is not safe for concurrent use.
type Reader struct {
	scanner *bufio.Scanner
	n       int
	last    int64
	point   Point
	signals map[string]string
	err     error
}

// NewReader returns a reader of lines.
func NewReader(r io.Reader) *Reader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxLine)
	return &Reader{scanner: s, last: math.MinInt64}
}

// Next reads the next point; false at the end or at the first error, which Err names by its line.
func (r *Reader) Next() bool {
	for r.err == nil && r.scanner.Scan() {
		r.n++
		text := bytes.TrimSpace(r.scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		more, err := r.read(text)
		if err != nil {
			r.err = fmt.Errorf("line %d: %w", r.n, err)
			return false
		}
		if more {
			return true
		}
	}
	if err := r.scanner.Err(); err != nil && r.err == nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("is longer than %d KiB", maxLine>>10)
		}
		r.err = fmt.Errorf("line %d: %w", r.n+1, err)
	}
	return false
}

func (r *Reader) read(text []byte) (point bool, err error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return false, fmt.Errorf(`is not JSON such as {"time": 1764028800, "signal": "orders", "value": 17.5}: %w`, plain(err))
	}
	if d.More() {
		return false, errors.New("holds more than one object")
	}
	if l.Signals != nil {
		if r.n > 1 {
			return false, errors.New("signals are named in the first line alone")
		}
		r.signals = l.Signals
		return false, nil
	}
	switch {
	case l.Signal == "":
		return false, errors.New("names no signal")
	case l.Time == nil:
		return false, errors.New("has no time, in unix seconds")
	case !(*l.Time > 0 && *l.Time < 253402300800):
		return false, fmt.Errorf("time %v is not unix seconds", *l.Time)
	case l.Value != nil && l.Missing != "":
		return false, errors.New("has a value and is missing")
	case l.Denominator < 0:
		return false, fmt.Errorf("denominator %v is negative", l.Denominator)
	}
	p := Point{Signal: l.Signal, Labels: series.FromMap(l.Labels)}
	p.T = int64(math.Round(*l.Time * 1000))
	if p.T < r.last {
		return false, errors.New("is older than the line before: lines come in the order of time")
	}
	r.last = p.T
	p.Denominator, p.Reporters = l.Denominator, l.Reporters
	if l.Value != nil {
		p.Value = *l.Value
	} else if p.Missing, err = missing(l.Missing); err != nil {
		return false, err
	}
	r.point = p
	return true, nil
}

// plain says what is wrong with JSON without naming types of ours.
func plain(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s", e.Field, e.Value)
	}
	return err
}

func missing(name string) (series.Missing, error) {
	if name == "" {
		return series.NoData, nil
	}
	for m := series.NoData; m <= series.Overrun; m++ {
		if m.String() == name {
			return m, nil
		}
	}
	return 0, fmt.Errorf("missing %q is no reason", name)
}

// Point returns what Next read.
func (r *Reader) Point() Point { return r.point }

// Signals returns what the first line named, nil when it did not.
func (r *Reader) Signals() map[string]string { return r.signals }

// Line is the number of the line read last.
func (r *Reader) Line() int { return r.n }

// Err returns the error that ended reading, if any.
func (r *Reader) Err() error { return r.err }

// Writer writes points.
type Writer struct{ encoder *json.Encoder }

// NewWriter returns a writer whose first line names the signals and the identities of their definitions.
func NewWriter(w io.Writer, signals map[string]string) (*Writer, error) {
	p := &Writer{json.NewEncoder(w)}
	p.encoder.SetEscapeHTML(false)
	return p, p.encoder.Encode(line{Signals: signals})
}

// Write writes one point.
func (w *Writer) Write(p *Point) error {
	seconds := float64(p.T) / 1000
	l := line{Time: &seconds, Signal: p.Signal, Labels: p.Labels.Map(), Denominator: p.Denominator, Reporters: p.Reporters}
	if p.Missing == series.Observed {
		l.Value = &p.Value
	} else {
		l.Missing, l.Denominator = p.Missing.String(), 0
	}
	return w.encoder.Encode(l)
}
