package csv

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Input is one file and the name of the series in it.
type Input struct {
	Series string // the file's name without .csv and .gz
	Path   string
}

// Inputs returns the files of a path: itself, or the .csv and .csv.gz files of a directory in order of name. Directories
// inside are not entered.
func Inputs(path string) ([]Input, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []Input{{Series: seriesName(path), Path: path}}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var out []Input
	seen := map[string]string{}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") || !strings.HasSuffix(strings.TrimSuffix(name, ".gz"), ".csv") {
			continue
		}
		in := Input{Series: seriesName(name), Path: filepath.Join(path, name)}
		if other, ok := seen[in.Series]; ok {
			return nil, fmt.Errorf("read directory %s: %s and %s are both the series %q", path, other, name, in.Series)
		}
		seen[in.Series] = name
		out = append(out, in)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read directory %s: it has no .csv or .csv.gz file", path)
	}
	return out, nil
}

func seriesName(path string) string {
	return strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".csv")
}

// headRows are enough to tell the step of a file.
const headRows = 4096

// Head reads the first rows of a file and tells the step between them, by which the whole file is taken; the rest is for
// Next. What is wrong with a row is told by Err.
func Head(r *Reader) (rows []Row, step time.Duration) {
	var times []int64
	for len(rows) < headRows && r.Next() {
		rows, times = append(rows, r.Row()), append(times, r.Row().T)
	}
	return rows, Resolution(times)
}

// Resolution returns the median step between rows, which is the tick of a file; 0 for fewer than two. Of an even number
// of steps it is the smaller one in the middle. The times are in ascending order, in unix milliseconds.
func Resolution(times []int64) time.Duration {
	if len(times) < 2 {
		return 0
	}
	steps := make([]int64, len(times)-1)
	for i := range steps {
		steps[i] = times[i+1] - times[i]
	}
	slices.Sort(steps)
	return time.Duration(steps[(len(steps)-1)/2]) * time.Millisecond
}
