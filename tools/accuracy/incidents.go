package main

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/baseliner/baseliner/pkg/incident"
	"github.com/baseliner/baseliner/pkg/ingest/csv"
)

// knownIncident is an incident of which the root cause is known: an entry of index.json with the meta.json beside its
// metrics.
type knownIncident struct {
	ID         string    `json:"id"`
	Dataset    string    `json:"dataset"`
	Scenario   string    `json:"scenario"`
	Target     []string  `json:"target"` // columns that suffered
	Roots      []string  `json:"root_cause_services"`
	Start      float64   `json:"anomaly_start"` // unix seconds
	Window     []float64 `json:"anomaly"`       // from and to; to the end when absent
	Candidates []string  `json:"candidates"`    // services that are ranked
	Visible    *bool     `json:"metric_visible"`
	Normal     string    `json:"normal_file"` // rows to learn from, relative to the set
	GraphFile  string    `json:"graph_file"`

	toExplain *incident.Case
	graph     *incident.Graph
	normal    *csv.Wide
}

// openIncidents reads a folder with index.json. Incidents that leave no trace in metrics are left out.
func openIncidents(dir string) ([]*knownIncident, error) {
	var all []*knownIncident
	if err := readJSONFile(filepath.Join(dir, "index.json"), &all); err != nil {
		return nil, fmt.Errorf("read incidents: %w", err)
	}
	runs := map[string]*csv.Wide{}
	graphs := map[string]*incident.Graph{}
	var out []*knownIncident
	for _, c := range all {
		at := filepath.Join(dir, c.Dataset, c.ID)
		if err := readJSONFile(filepath.Join(at, "meta.json"), c); err != nil {
			return nil, fmt.Errorf("read incident %s: %w", c.ID, err)
		}
		if c.Visible != nil && !*c.Visible {
			continue
		}
		if err := c.open(at, runs, graphs); err != nil {
			return nil, fmt.Errorf("read incident %s: %w", c.ID, err)
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b *knownIncident) int { return cmp.Compare(a.Dataset, b.Dataset) })
	return out, nil
}

func (c *knownIncident) open(dir string, runs map[string]*csv.Wide, graphs map[string]*incident.Graph) error {
	rows, err := csv.ReadWide(filepath.Join(dir, "metrics.csv.gz"))
	if err != nil {
		return err
	}
	from, until := c.Start, float64(rows.Times[len(rows.Times)-1])/1000
	if len(c.Window) == 2 {
		from, until = c.Window[0], c.Window[1]
	}
	// Rows to learn from are shared by the incidents of a set. Only those in the file of a path beginning with .. are.
	if c.Normal != "" {
		path := filepath.Join(dir, c.Normal)
		if runs[path] == nil {
			if runs[path], err = csv.ReadWide(path); err != nil {
				return err
			}
		}
		c.normal = runs[path]
		rows = stack(c.normal, rows)
	}
	if c.GraphFile != "" {
		path := filepath.Join(dir, c.GraphFile)
		if graphs[path] == nil {
			var file struct {
				Edges [][2]string `json:"edges_caller_to_callee"`
			}
			if err := readJSONFile(path, &file); err != nil {
				return err
			}
			graphs[path] = incident.NewGraph(file.Edges)
		}
		c.graph = graphs[path]
	}
	c.toExplain = caseOf(rows, c.Target)
	c.toExplain.From, c.toExplain.Until = int64(from*1000), int64(until*1000)
	return nil
}

func caseOf(rows *csv.Wide, outcomes []string) *incident.Case {
	c := &incident.Case{Times: rows.Times}
	for i, name := range rows.Columns {
		s := incident.Named(name, rows.Values[i])
		s.Outcome = slices.Contains(outcomes, name)
		c.Series = append(c.Series, s)
	}
	return c
}

// stack puts the rows of two files together under the columns of both, in the order of time. At the same time, the second
// wins.
func stack(a, b *csv.Wide) *csv.Wide {
	out := &csv.Wide{Columns: slices.Clone(a.Columns)}
	for _, name := range b.Columns {
		if !slices.Contains(out.Columns, name) {
			out.Columns = append(out.Columns, name)
		}
	}
	out.Times = append(slices.Clone(a.Times), b.Times...)
	slices.Sort(out.Times)
	out.Times = slices.Compact(out.Times)
	out.Values = make([][]float64, len(out.Columns))
	for i := range out.Values {
		out.Values[i] = slices.Repeat([]float64{math.NaN()}, len(out.Times))
	}
	for _, from := range []*csv.Wide{a, b} {
		for k, t := range from.Times {
			row, _ := slices.BinarySearch(out.Times, t)
			for i, name := range from.Columns {
				out.Values[slices.Index(out.Columns, name)][row] = from.Values[i][k]
			}
		}
	}
	return out
}
