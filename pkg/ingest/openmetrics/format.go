package openmetrics

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/baseliner/baseliner/pkg/ingest"
)

// Format is one of the two text formats. They look alike, but count time differently.
type Format uint8

// The formats.
const (
	OpenMetrics Format = iota // timestamps in seconds; ends with # EOF
	Prometheus                // timestamps in milliseconds
)

func (f Format) String() string {
	switch f {
	case OpenMetrics:
		return "OpenMetrics"
	case Prometheus:
		return "Prometheus text"
	default:
		return fmt.Sprintf("Format(%d)", uint8(f))
	}
}

func (f Format) contentType() string {
	if f == Prometheus {
		return "text/plain; version=0.0.4"
	}
	return "application/openmetrics-text; version=1.0.0"
}

// The times that a sample may have, in unix milliseconds. The lower bound of Prometheus' format is in 1973: seconds that
// were taken for milliseconds are below it.
const (
	minPrometheus = int64(1e11)
	minTime       = -62135596800 * 1000 // year 1
	maxTime       = 253402300799 * 1000 // year 9999
)

// checkTime refuses a sample without a time, and a time that is in the unit of the other format.
func (f Format) checkTime(t *int64) error {
	switch {
	case t == nil:
		return fmt.Errorf("sample has no timestamp")
	case f == Prometheus && *t >= 0 && *t < minPrometheus:
		return fmt.Errorf("timestamp %d looks like seconds, this format has milliseconds: an OpenMetrics file ends with # EOF, was it cut short?", *t)
	case f == OpenMetrics && (*t < minTime || *t > maxTime):
		return fmt.Errorf("timestamp is out of range: OpenMetrics has seconds")
	case *t < minTime || *t > maxTime:
		return fmt.Errorf("timestamp %d is out of range", *t)
	}
	return nil
}

// detect tells the format of a file by its last line, or by its name if that ends in .om or .openmetrics: then a file
// without the last line is one that was cut short.
func detect(path string) (Format, error) {
	name := strings.TrimSuffix(path, ".gz")
	if strings.HasSuffix(name, ".om") || strings.HasSuffix(name, ".openmetrics") {
		return OpenMetrics, nil
	}
	f, err := ingest.OpenFile(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var last tail
	if _, err := io.Copy(&last, f); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	if endsWithEOF(last) {
		return OpenMetrics, nil
	}
	return Prometheus, nil
}

// endsWithEOF reports whether the last line is the end mark of OpenMetrics.
func endsWithEOF(b []byte) bool {
	b, ok := bytes.CutSuffix(bytes.TrimSuffix(b, newline), []byte("# EOF"))
	return ok && (len(b) == 0 || b[len(b)-1] == '\n')
}

// tail keeps the end of what is written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	const enough = len("\n# EOF\n")
	*t = append(*t, p[max(0, len(p)-enough):]...)
	*t = append((*t)[:0], (*t)[max(0, len(*t)-enough):]...)
	return len(p), nil
}
