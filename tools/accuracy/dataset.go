package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/baseliner/baseliner/pkg/ingest/csv"
)

// entry is a series of a manifest.
type entry struct {
	Name       string      `json:"name"`
	Set        string      `json:"set"`
	File       string      `json:"file"`
	Resolution int64       `json:"resolution_s"`
	Split      int64       `json:"split"` // unix seconds, judged from here on; 0: after NAB's probation
	Injections []injection `json:"injections"`
}

// injection is an anomaly that was put into a series; start and end are its first and last row, unix seconds.
type injection struct {
	Kind  string `json:"kind"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
}

// dataset is a folder of labelled series and their manifest.
type dataset struct {
	dir     string
	entries []entry
}

func openDataset(dir string) (*dataset, error) {
	path := filepath.Join(dir, "manifest.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read data set: %w", err)
	}
	d := &dataset{dir: dir}
	if err := json.Unmarshal(b, &d.entries); err != nil {
		return nil, fmt.Errorf("read data set: %s: %w", path, err)
	}
	for i, e := range d.entries {
		switch {
		case e.Name == "" || e.Set == "" || e.File == "":
			return nil, fmt.Errorf("read data set: %s: entry %d: name, set and file are required", path, i)
		case e.Resolution <= 0:
			return nil, fmt.Errorf("read data set: %s: series %q: resolution_s is %d, want seconds > 0", path, e.Name, e.Resolution)
		}
	}
	return d, nil
}

// sets are the names of the sets in the order of the manifest.
func (d *dataset) sets() []string {
	var names []string
	for _, e := range d.entries {
		if !slices.Contains(names, e.Set) {
			names = append(names, e.Set)
		}
	}
	return names
}

// of returns the series of a set.
func (d *dataset) of(set string) []entry {
	var out []entry
	for _, e := range d.entries {
		if e.Set == set {
			out = append(out, e)
		}
	}
	return out
}

// rows reads a series as the product would.
func (d *dataset) rows(e entry) ([]csv.Row, error) {
	rows, err := csv.ReadFile(filepath.Join(d.dir, e.File))
	if err != nil {
		return nil, fmt.Errorf("series %q: %w", e.Name, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("series %q: %s has no rows", e.Name, e.File)
	}
	return rows, nil
}

// stepOf is the tick the product takes for a file: the median distance of its rows.
func stepOf(rows []csv.Row) time.Duration {
	times := make([]int64, len(rows))
	for i := range rows {
		times[i] = rows[i].T
	}
	return csv.Resolution(times)
}

// probation is how many rows at the beginning of a file NAB does not judge: 15 %, at most 750.
func probation(rows int) int { return min(rows*15/100, 750) }
